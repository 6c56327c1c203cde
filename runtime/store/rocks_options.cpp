#include "runtime/store/rocks_options.hpp"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>

namespace dwcp::store {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// Below this RocksDB would flush after every other block.
constexpr std::size_t kMemoryBudgetBytesMin = 32 * kMiB;

/// Two memtables of blocks are flushed while a third fills and a fourth is spare: with fewer, writers wait
/// for the disk; larger ones only raise the time of the last flush, the one that make_blocks_durable() waits
/// for.
constexpr int kBlockMemtables = 4;
constexpr int kFlushThreads = 2;

/// Smaller values stay in the tables that compactions rewrite; from here on an extra read is cheaper than
/// that.
constexpr std::uint64_t kBlobBytesMin = 16U << 10;

/// A file is deleted when all of it is garbage: smaller files free space sooner, larger ones mean fewer
/// files.
constexpr std::uint64_t kBlobFileBytes = 256U << 20;

/// Size of one direct write. A block and its header make one to two writes; more only delays them.
constexpr std::size_t kDirectWriteBytes = 2 * kMiB;

/// In buffered mode anything above this goes to the kernel without a copy of ours.
constexpr std::size_t kBufferedWriteBytes = 256U << 10;

/// Bounds recovery time, and how long a seldom written family keeps old logs alive.
constexpr std::uint64_t kLogBytesMax = 64 * kMiB;

/// Tables and blob files together; leaves most of the usual limit of 1024 descriptors to sockets.
constexpr int kOpenFilesMax = 400;

constexpr std::size_t kInfoLogBytesMax = 4 * kMiB;
constexpr std::size_t kInfoLogFiles = 3;

void bound_info_log(rocksdb::DBOptions& options) {
    options.max_log_file_size = kInfoLogBytesMax;
    options.keep_log_file_num = kInfoLogFiles;
    options.info_log_level = rocksdb::WARN_LEVEL;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
}

rocksdb::DBOptions database_options(std::size_t budget_bytes, const std::shared_ptr<rocksdb::Cache>& cache,
                                    bool direct_io) {
    rocksdb::DBOptions options;
    options.create_missing_column_families = true;
    bound_info_log(options);
    // Memtables are charged to the cache, so that the two share one budget.
    options.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(budget_bytes / 4 * 3, cache);
    options.max_open_files = kOpenFilesMax;
    options.max_total_wal_size = kLogBytesMax;
    options.max_background_flushes = kFlushThreads;
    options.max_background_compactions = 1; // tables hold little: the bytes of blocks are not compacted
    // A crash of the machine can leave a hole in the log behind the last fsync, because pages reach the disk
    // in any order: recovery stops there. All that was acknowledged lies before it.
    // kTolerateCorruptedTailRecords would refuse to open.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    options.track_and_verify_wals_in_manifest = true; // a missing log is an error, not an empty one
    // Blocks are written once and read back rarely: past the page cache they cost one copy less and evict
    // nothing.
    options.use_direct_io_for_flush_and_compaction = direct_io;
    options.compaction_readahead_size = 2 * kMiB;
    options.writable_file_max_buffer_size = direct_io ? kDirectWriteBytes : kBufferedWriteBytes;
    options.bytes_per_sync =
        direct_io ? 0 : kMiB; // starts writing back at once, so that fsync finds little left
    return options;
}

rocksdb::ColumnFamilyOptions family_options(const std::shared_ptr<rocksdb::Cache>& cache) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    table.cache_index_and_filter_blocks = true; // else they grow with the data, outside the budget
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.checksum = rocksdb::kXXH3;
    table.format_version = 5;
    rocksdb::ColumnFamilyOptions options;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    options.compression = rocksdb::kNoCompression; // hashes and encoded blocks do not shrink
    return options;
}

} // namespace

Tuning make_tuning(std::size_t memory_budget_bytes, bool direct_io) {
    const std::size_t budget_bytes = std::max(memory_budget_bytes, kMemoryBudgetBytesMin);
    const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(budget_bytes);
    Tuning tuning{database_options(budget_bytes, cache, direct_io), family_options(cache),
                  family_options(cache)};
    tuning.small_values.write_buffer_size = budget_bytes / 32;

    rocksdb::ColumnFamilyOptions& blocks = tuning.blocks;
    blocks.write_buffer_size = budget_bytes / 8;
    blocks.max_write_buffer_number = kBlockMemtables;
    // Tables hold only keys and pointers, spread evenly by the hash: merging runs of like size rewrites them
    // least.
    blocks.compaction_style = rocksdb::kCompactionStyleUniversal;
    blocks.enable_blob_files = true;
    blocks.min_blob_size = kBlobBytesMin;
    blocks.blob_file_size = kBlobFileBytes;
    blocks.blob_compression_type = rocksdb::kNoCompression;
    // Every compaction touches every hash range, so automatic collection would rewrite the oldest blobs each
    // time, garbage or not. The reclaimer collects when there is enough garbage to be worth it.
    blocks.enable_blob_garbage_collection = false;
    return tuning;
}

} // namespace dwcp::store
