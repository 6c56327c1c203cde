// Copying and checking the files of a backup. Used by this room only.
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace dwcp::backup {

/// Told as bytes are dealt with; false ends the work with Errc::cancelled.
using Progress = std::function<bool(std::uint64_t bytes)>;

struct Digest {
    Hash256 sha256;
    std::uint64_t bytes = 0;
};

/// Reads a whole file.
Result<Digest> digest_file(const std::string& path, const Progress& progress);

/// Copies `from` to `to`, which must not exist, and makes it durable; mode 0600. Errors name the file.
Result<Digest> copy_file(const std::string& from, const std::string& to, const Progress& progress);

/// Names made or removed in a directory are on disk when it returns.
Result<void> sync_directory(const std::string& path);

} // namespace dwcp::backup
