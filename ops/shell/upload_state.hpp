// Which uploads of large files were begun and not finished: a small file each, in `uploads` beside the
// shell's history, readable by its owner alone.
//
// Found again by what is sent where: the node, the key, the file with its size and time of change, and how it
// is to be stored. Shells that run side by side do not mix, as each upload has its own file.
#pragma once

#include "ops/shell/settings.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace dwcp::shell {

/// What makes an upload the same one.
struct UploadIdentity {
    std::string node;
    std::string key;
    std::string file; ///< Absolute.
    std::uint64_t size_bytes = 0;
    std::int64_t changed_ns = 0;
    std::string options; ///< Replicas, codec and type.
};

struct UnfinishedUpload {
    std::string id;
    std::uint64_t part_bytes = 0;
};

class UploadState {
  public:
    /// `folder` empty: nothing is kept.
    UploadState(const std::string& folder, const UploadIdentity& identity);

    std::optional<UnfinishedUpload> load() const;
    /// Nobody is bothered if it cannot be kept: then an interrupted upload begins anew.
    void save(const UnfinishedUpload& upload) const;
    void forget() const;
    bool keeps() const { return !file_.empty(); }

  private:
    const std::string folder_;
    const UploadIdentity identity_;
    std::string file_;
};

/// `uploads` beside the history; empty where no history is kept.
std::string upload_state_folder(const Environment& environment);

} // namespace dwcp::shell
