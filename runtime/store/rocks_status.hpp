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

/// True if RocksDB stopped writing because of an error that can pass: a full disk, an I/O error.
bool may_pass(const rocksdb::Status& status);

} // namespace dwcp::store
