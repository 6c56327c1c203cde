// How RocksDB is tuned for this product; every number with its reason.
#pragma once

#include <rocksdb/options.h>

#include <cstddef>
#include <memory>

namespace dwcp::store {

struct Tuning {
    rocksdb::DBOptions database;
    rocksdb::ColumnFamilyOptions small_values; ///< journal, manifests, state, default.
    rocksdb::ColumnFamilyOptions blocks;
};

/// `direct_io`: whether the directory's file system takes O_DIRECT.
Tuning make_tuning(std::size_t memory_budget_bytes, bool direct_io);

} // namespace dwcp::store
