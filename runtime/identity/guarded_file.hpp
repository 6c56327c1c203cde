// Small files that a node's identity rests on: written whole or not at all, and read only if no one else
// could have read or changed them. Used by this room, runtime/tls and backups.
#pragma once

#include "protocols/base/result.hpp"

#include <optional>
#include <string>
#include <sys/types.h>

namespace dwcp::identity {

/// Which access of other users makes a file unusable.
inline constexpr mode_t kReadableByOthers = 077;
inline constexpr mode_t kWritableByOthers = 022;

/// The whole file; nothing if it does not exist. Errc::permission_denied if its mode has a bit of
/// `forbidden`, Errc::corrupted if it is not a regular file of a plausible size, Errc::io_error if the system
/// refuses.
Result<std::optional<std::string>> read_guarded(const std::string& path, mode_t forbidden);

/// Replaces `path` by a file of mode 0600: temporary file, fsync, rename, fsync of the directory. Whoever
/// reads it sees the old content or the new, also after a crash. One writer a path at a time.
Result<void> write_guarded(const std::string& path, const std::string& content);

} // namespace dwcp::identity
