#include "runtime/store/rocks_store.hpp"

#include "runtime/log/log.hpp"
#include "runtime/store/record.hpp"
#include "runtime/store/rocks_crc32c.hpp"
#include "runtime/store/rocks_status.hpp"
#include "runtime/store/testing.hpp"

#include <fmt/format.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <chrono>

namespace dwcp::store {
namespace {

using rocksdb::Slice;
using rocksdb::SliceParts;

/// Journal and state go on for a while after blocks are refused, so that what is under way can end in order.
constexpr std::uint64_t kValueReserveShare = 4;

constexpr std::string_view kBlocksName = kFamilyNames[kBlocksFamily];

std::string_view name_of(Family family) { return kFamilyNames[static_cast<std::size_t>(family)]; }

Slice slice(ByteView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
Slice slice(const BlockKey& key) { return {key.data(), key.size()}; }
ByteView view(const Slice& slice) { return {reinterpret_cast<const Byte*>(slice.data()), slice.size()}; }

/// Damage as RocksDB sees it: a checksum of its own, or a file of the database that is gone.
bool is_damage(const rocksdb::Status& status) { return status.IsCorruption() || status.IsPathNotFound(); }

/// The smallest string above all strings that begin with `prefix`; empty: there is none.
std::string end_of_prefix(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff)
        end.pop_back();
    if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    return end;
}

Result<void> check_block(const EncodedBlock& block) {
    if (block.bytes == nullptr || block.bytes->empty() || block.raw_bytes == 0)
        return fail(Errc::invalid_argument, fmt::format("block {} is empty", block.hash.hex()));
    if (block.bytes->size() > kEncodedBlockBytesMax || block.raw_bytes > kBlockBytes)
        return fail(Errc::too_large,
                    fmt::format("block {} has {} encoded and {} raw bytes; at most {} are allowed",
                                block.hash.hex(), block.bytes->size(), block.raw_bytes, kBlockBytes));
    return {};
}

} // namespace

void Batch::put(Family family, std::string_view key, ByteView value) {
    operations_.push_back({family, false, std::string(key), Bytes(value.begin(), value.end())});
}

void Batch::erase(Family family, std::string_view key) {
    operations_.push_back({family, true, std::string(key), {}});
}

Result<std::unique_ptr<Store>> Store::open(const Options& options) {
    auto database = open_database(options);
    if (!database) return std::unexpected(database.error());
    return std::make_unique<RocksStore>(std::move(*database), options);
}

RocksStore::RocksStore(Database database, const Options& options)
    : directory_(options.directory), block_reserve_bytes_(options.memory_budget_bytes),
      value_reserve_bytes_(options.memory_budget_bytes / kValueReserveShare), database_(std::move(database)),
      corruptions_(directory_), durable_rounds_([this] { return durable_round(); }),
      reclaimer_(database_, directory_, [this](const std::atomic<bool>& stop) { verify_blocks(stop); }) {
    std::uint64_t bytes = 0;
    database_.db->GetIntProperty(database_.blocks(), rocksdb::DB::Properties::kEstimateLiveDataSize, &bytes);
    blocks_bytes_ = bytes;
    log::info("store_opened", {{"directory", directory_},
                               {"blocks_bytes", bytes},
                               {"direct_io", database_.direct_io},
                               {"fast_checksums", rocks_crc32c_in_use()}});
}

Result<void> RocksStore::attempt(std::string_view doing, const std::function<rocksdb::Status()>& operation) {
    auto status = operation();
    if (may_pass(status) && database_.db->Resume().ok()) status = operation();
    if (!status.ok()) return std::unexpected(to_error(status, doing, directory_));
    return {};
}

std::shared_lock<std::shared_mutex> RocksStore::permit_to_write() {
    const std::lock_guard gate(checkpoint_gate_);
    return std::shared_lock(writing_);
}

Result<Duration> RocksStore::checkpoint(const std::string& directory) {
    rocksdb::Checkpoint* made = nullptr;
    const auto created = rocksdb::Checkpoint::Create(database_.db.get(), &made);
    if (!created.ok()) return std::unexpected(to_error(created, "copy", directory_));
    const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
    // Most of what is in memory goes to the disk before writers have to wait.
    rocksdb::FlushOptions flush;
    flush.allow_write_stall = true;
    if (auto flushed = attempt("flush", [&] { return database_.db->Flush(flush, database_.handles); });
        !flushed)
        return std::unexpected(flushed.error());
    const std::lock_guard gate(checkpoint_gate_);
    const std::unique_lock nobody_writes(writing_);
    const auto begin = std::chrono::steady_clock::now();
    constexpr std::uint64_t kAlwaysFlush = 0; // bulk blocks are in no log
    const auto status = checkpoint->CreateCheckpoint(directory, kAlwaysFlush);
    if (!status.ok()) return std::unexpected(to_error(status, "copy", directory_));
    return std::chrono::steady_clock::now() - begin;
}

Result<void> RocksStore::write(const Batch& batch, Sync sync) {
    rocksdb::WriteBatch writes;
    bool grows = false;
    for (const Batch::Operation& operation : batch.operations_) {
        const Slice key(operation.key);
        if (operation.erase) {
            writes.Delete(handle(operation.family), key);
            continue;
        }
        grows = true;
        const ValueHeader header = make_value_header(operation.family, operation.key, operation.value);
        const std::array<Slice, 2> value{slice(header), slice(operation.value)};
        writes.Put(handle(operation.family), SliceParts(&key, 1), SliceParts(value.data(), value.size()));
        corruptions_.forget(name_of(operation.family), operation.key);
    }
    if (grows) {
        if (auto room = check_disk_room(directory_, value_reserve_bytes_); !room) return room;
    }
    rocksdb::WriteOptions options;
    options.sync = sync == Sync::yes;
    const auto permit = permit_to_write();
    const std::uint64_t logged_before = logged_.written();
    auto written = attempt("write to", [&] { return database_.db->Write(options, &writes); });
    if (written && options.sync) logged_.mark_durable(logged_before);
    return written;
}

Result<std::optional<Bytes>> RocksStore::get(Family family, std::string_view key) const {
    rocksdb::PinnableSlice stored;
    const auto status = database_.db->Get({}, handle(family), Slice(key), &stored);
    if (status.IsNotFound() && !status.IsPathNotFound()) return std::nullopt;
    if (is_damage(status))
        return std::unexpected(corruptions_.record(name_of(family), key, status.ToString()));
    if (!status.ok()) return std::unexpected(to_error(status, "read from", directory_));
    const auto value = open_value(family, key, view(stored));
    if (!value)
        return std::unexpected(corruptions_.record(name_of(family), key, "its checksum does not match"));
    return Bytes(value->begin(), value->end());
}

Result<void> RocksStore::scan(Family family, std::string_view prefix, std::string_view from,
                              const std::function<bool(std::string_view key, ByteView value)>& visit,
                              std::size_t* damaged) const {
    const std::string end = end_of_prefix(prefix);
    const Slice upper_bound(end);
    rocksdb::ReadOptions options;
    if (!end.empty()) options.iterate_upper_bound = &upper_bound;
    const std::unique_ptr<rocksdb::Iterator> it(database_.db->NewIterator(options, handle(family)));
    std::optional<Error> damage;
    std::string last_key(from);
    for (it->Seek(Slice(std::max(prefix, from))); it->Valid(); it->Next()) {
        const std::string_view key = it->key().ToStringView();
        if (!key.starts_with(prefix)) break;
        last_key = key;
        const auto value = open_value(family, key, view(it->value()));
        if (!value) {
            Error error = corruptions_.record(name_of(family), key, "its checksum does not match");
            if (damaged != nullptr)
                ++*damaged;
            else if (!damage)
                damage = std::move(error);
        } else if (!visit(key, *value)) {
            break;
        }
    }
    if (is_damage(it->status()))
        return std::unexpected(
            corruptions_.record(name_of(family), "after " + last_key, it->status().ToString()));
    if (!it->status().ok()) return std::unexpected(to_error(it->status(), "scan", directory_));
    if (damage) return std::unexpected(*damage);
    return {};
}

std::optional<std::uint32_t> RocksStore::stored_bytes(const Hash256& hash) const {
    rocksdb::PinnableSlice stored;
    const auto status =
        database_.db->Get({}, database_.blocks(), slice(make_block_key(kIndexKeyPrefix, hash)), &stored);
    if (status.ok()) {
        if (const auto bytes = open_index_value(hash, view(stored))) return bytes;
        corruptions_.record(kBlocksName, hash.hex(), "the checksum of its index record does not match");
    } else if (is_damage(status)) {
        corruptions_.record(kBlocksName, hash.hex(), status.ToString());
    }
    return std::nullopt;
}

bool RocksStore::has_block(const Hash256& hash) const { return stored_bytes(hash).has_value(); }

Result<void> RocksStore::put_block(const EncodedBlock& block, BlockWrite how) {
    if (auto sound = check_block(block); !sound) return sound;
    // A block that came in bulk may not be durable yet, and a synced write does not make it so: log it again
    // then.
    if (has_block(block.hash) && (how == BlockWrite::bulk || !bulk_.dirty())) return {};
    auto written = write_block(block, how);
    if (written) blocks_bytes_ += block.bytes->size();
    return written;
}

Result<void> RocksStore::replace_block(const EncodedBlock& block) {
    if (auto sound = check_block(block); !sound) return sound;
    const bool is_new = !has_block(block.hash);
    auto written = write_block(block, BlockWrite::logged);
    if (!written) return written;
    if (is_new) blocks_bytes_ += block.bytes->size();
    corruptions_.forget(kBlocksName, block.hash.hex());
    return written;
}

Result<void> RocksStore::write_block(const EncodedBlock& block, BlockWrite how) {
    if (auto room = check_disk_room(directory_, block_reserve_bytes_); !room) return room;
    // Kept for the thread's life: a fresh 1 MiB buffer for each block costs more in page faults than the copy
    // into it.
    thread_local rocksdb::WriteBatch writes(kEncodedBlockBytesMax + 256);
    const BlockKey key = make_block_key(kBlockKeyPrefix, block.hash);
    const BlockHeader header = make_block_header(block);
    const auto index = make_index_value(block.hash, static_cast<std::uint32_t>(block.bytes->size()));
    const Slice key_slice = slice(key);
    const std::array<Slice, 2> value{slice(header), slice(*block.bytes)};
    writes.Clear();
    writes.Put(database_.blocks(), SliceParts(&key_slice, 1), SliceParts(value.data(), value.size()));
    writes.Put(database_.blocks(), slice(make_block_key(kIndexKeyPrefix, block.hash)), slice(index));

    rocksdb::WriteOptions options;
    options.disableWAL = how == BlockWrite::bulk;
    const auto permit = permit_to_write();
    WriteTracker& tracker = how == BlockWrite::bulk ? bulk_ : logged_;
    tracker.begin();
    auto written = attempt("write a block to", [&] { return database_.db->Write(options, &writes); });
    tracker.end();
    return written;
}

Result<EncodedBlock> RocksStore::get_block(const Hash256& hash) const {
    rocksdb::PinnableSlice stored;
    const auto status =
        database_.db->Get({}, database_.blocks(), slice(make_block_key(kBlockKeyPrefix, hash)), &stored);
    if (is_damage(status))
        return std::unexpected(corruptions_.record(kBlocksName, hash.hex(), status.ToString()));
    if (status.IsNotFound())
        return fail(Errc::not_found,
                    fmt::format("block {} is not in the store in {}", hash.hex(), directory_),
                    "fetch it from a replica");
    if (!status.ok()) return std::unexpected(to_error(status, "read a block from", directory_));
    auto block = open_block(hash, view(stored));
    if (!block)
        return std::unexpected(corruptions_.record(kBlocksName, hash.hex(), "its checksum does not match"));
    return std::move(*block);
}

Result<void> RocksStore::erase_block(const Hash256& hash) {
    const std::uint32_t bytes = stored_bytes(hash).value_or(0);
    const auto permit = permit_to_write();
    auto erased = attempt("erase a block from", [&] {
        rocksdb::WriteBatch writes;
        writes.Delete(database_.blocks(), slice(make_block_key(kBlockKeyPrefix, hash)));
        writes.Delete(database_.blocks(), slice(make_block_key(kIndexKeyPrefix, hash)));
        return database_.db->Write({}, &writes);
    });
    if (!erased) return erased;
    corruptions_.forget(kBlocksName, hash.hex());
    // The start value is an estimate: never below zero.
    std::uint64_t before = blocks_bytes_;
    while (!blocks_bytes_.compare_exchange_weak(before, before - std::min<std::uint64_t>(before, bytes))) {
    }
    reclaimer_.add_erased(bytes);
    return {};
}

Result<void> RocksStore::make_blocks_durable() {
    if (!bulk_.dirty() && !logged_.dirty()) return {};
    return durable_rounds_.join();
}

Result<void> RocksStore::durable_round() {
    const std::uint64_t bulk = bulk_.written();
    const std::uint64_t logged = logged_.written();
    const auto start = std::chrono::steady_clock::now();
    auto done = attempt("make blocks durable in", [&] {
        // A flush makes logged blocks durable too; where there are only those, one fsync of the log does.
        if (!bulk_.dirty()) return database_.db->SyncWAL();
        rocksdb::FlushOptions options;
        options.allow_write_stall = true; // writers wait a little rather than callers of this
        return database_.db->Flush(options, database_.blocks());
    });
    if (!done) return done;
    bulk_.mark_durable(bulk);
    logged_.mark_durable(logged);
    probe_.flushes.add();
    probe_.flush_seconds.observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return done;
}

Result<void> RocksStore::scan_blocks(
    const std::function<bool(const Hash256& hash, std::uint32_t stored_bytes)>& visit) const {
    const std::string_view prefix(&kIndexKeyPrefix, 1);
    const std::string end = end_of_prefix(prefix);
    const Slice upper_bound(end);
    rocksdb::ReadOptions options;
    options.iterate_upper_bound = &upper_bound;
    const std::unique_ptr<rocksdb::Iterator> it(database_.db->NewIterator(options, database_.blocks()));
    std::optional<Error> damage;
    for (it->Seek(Slice(prefix)); it->Valid(); it->Next()) {
        const auto hash = hash_of_block_key(it->key().ToStringView());
        const auto bytes = hash ? open_index_value(*hash, view(it->value())) : std::nullopt;
        if (!bytes) {
            Error error = corruptions_.record(kBlocksName, hash ? hash->hex() : it->key().ToString(),
                                              "the checksum of its index record does not match");
            if (!damage) damage = std::move(error);
        } else if (!visit(*hash, *bytes)) {
            break;
        }
    }
    if (is_damage(it->status()))
        return std::unexpected(corruptions_.record(kBlocksName, "index", it->status().ToString()));
    if (!it->status().ok()) return std::unexpected(to_error(it->status(), "scan", directory_));
    if (damage) return std::unexpected(*damage);
    return {};
}

void RocksStore::verify_blocks(const std::atomic<bool>& stop) const {
    const auto swept = scan_blocks([&](const Hash256& hash, std::uint32_t) {
        const auto read = get_block(hash); // records what it finds
        return !stop && (read || read.error().code != Errc::io_error);
    });
    if (!swept)
        log::warn("store_verification_ended", {{"directory", directory_}, {"error", swept.error().message}});
}

Stats RocksStore::stats() const {
    return {.blocks_bytes = blocks_bytes_,
            .disk_free_bytes = disk_free_bytes(directory_),
            .corruptions = corruptions_.count()};
}

Result<void> reclaim_now(Store& store) { return dynamic_cast<RocksStore&>(store).reclaim_now(); }

bool uses_fast_checksums() { return rocks_crc32c_in_use(); }

} // namespace dwcp::store
