// The manager's write-ahead journal: one record a workload in the store, rewritten as it advances.
//
// Stateless and copyable, so disk workers may hold one beyond the life of a manager actor. Calls block on the
// disk.
#pragma once

#include "actors/manager/block_keeper.hpp"
#include "actors/manager/upload_parts.hpp"
#include "protocols/wire/manifest.hpp"
#include "runtime/store/store.hpp"

#include <functional>
#include <string>
#include <vector>

namespace dwcp::manager {

/// A workload whose blocks are all on this node's disk, with every hash its replicas need, index blocks
/// included.
struct SealedWorkload {
    wire::JournalRecord record;
    std::vector<Hash256> all_blocks;
};

struct Recovered {
    std::vector<wire::JournalRecord> open;
    PartsByUpload parts; ///< Of the open ones that are multi-part uploads.
    std::vector<SealedWorkload> sealed;
    /// Oldest first; with the sealed ones whose block list cannot be read, as failed. Their records stay
    /// sealed on disk and no block is swept in this life: a later start, with the block list repaired,
    /// completes them.
    std::vector<wire::JournalRecord> finished;
};

class Journal {
  public:
    explicit Journal(store::Store& store) : store_(&store) {}

    /// A record never goes back: precondition_failed if the one on disk is further. Lives of a manager
    /// overlap on the disk workers, so what arrives late may be older.
    Result<void> write(const wire::JournalRecord& record, store::Sync sync) const;
    Result<void> forget(const WorkloadId& id) const;
    /// Makes the workload's blocks durable, then its record: after this it will be completed whatever
    /// happens. A long block list moves into index blocks. Errors: precondition_failed if a block is not
    /// here, invalid_argument for an impossible reference, too_large for too many, and what the store says.
    Result<SealedWorkload> seal(wire::JournalRecord record, std::vector<BlockRef> blocks,
                                BlockKeeper& keeper) const;
    /// Reads the records whose key `is_mine`, and pins what the sealed ones and the parts of open multi-part
    /// uploads need.
    Result<Recovered> recover(const std::function<bool(const std::string& key)>& is_mine,
                              BlockKeeper& keeper) const;

  private:
    Result<SealedWorkload> with_blocks(wire::JournalRecord record, BlockKeeper& keeper) const;

    store::Store* store_;
};

} // namespace dwcp::manager
