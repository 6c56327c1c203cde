// The acknowledged parts of multi-part uploads, on disk beside the journal.
//
// An upload is an open workload whose journal record says until when its parts are kept; each part that was
// acknowledged is one record here, with the blocks that hold it. The blocks are pinned under the upload's id
// like those of any workload. Stateless and copyable, like Journal; calls block on the disk.
#pragma once

#include "actors/manager/block_keeper.hpp"
#include "protocols/wire/manifest.hpp"
#include "runtime/store/store.hpp"

#include <functional>
#include <map>
#include <vector>

namespace dwcp::manager {

/// Parts of each upload, by number.
using PartsByUpload = std::map<WorkloadId, std::map<std::uint32_t, wire::UploadPart>>;

class UploadParts {
  public:
    explicit UploadParts(store::Store& store) : store_(&store) {}

    /// Makes the part's blocks and its record durable; an earlier one of the same number is replaced. Errors:
    /// precondition_failed if a block is not here, invalid_argument for an impossible reference, and what the
    /// store says.
    Result<void> keep(const WorkloadId& upload, const wire::UploadPart& part, BlockKeeper& keeper) const;
    /// By number. A damaged record is left out: its part must be sent again.
    Result<std::vector<wire::UploadPart>> of(const WorkloadId& upload) const;
    Result<void> forget(const WorkloadId& upload) const;
    /// Reads the parts of uploads that `is_open` and pins their blocks; the others' are erased.
    Result<PartsByUpload> recover(const std::function<bool(const WorkloadId&)>& is_open,
                                  BlockKeeper& keeper) const;

  private:
    store::Store* store_;
};

} // namespace dwcp::manager
