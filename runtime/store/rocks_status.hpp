// RocksDB's statuses in the house's words.
#pragma once

#include "protocols/base/result.hpp"

#include <rocksdb/status.h>

#include <string>
#include <string_view>

namespace dwcp::store {

/// Error for a status that is not ok. `doing` names the operation, e.g. "write to"; `directory` is the
/// store's.
Error to_error(const rocksdb::Status& status, std::string_view doing, const std::string& directory);

/// What to do about a store that cannot be used any more. Moving it aside alone would be wrong for a node
/// that orders a lane: its log is the one that counts.
inline constexpr std::string_view kRestoreRemedy =
    "restore this node from a backup: dwcp-node --config FILE --restore BACKUP (ops/runbooks/restore.md); a "
    "node "
    "that orders no lane may also start with its store moved aside, and learns everything from the others";

/// True if RocksDB stopped writing because of an error that can pass: a full disk, an I/O error.
bool may_pass(const rocksdb::Status& status);

} // namespace dwcp::store
