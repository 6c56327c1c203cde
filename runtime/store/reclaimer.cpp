#include "runtime/store/reclaimer.hpp"

#include "runtime/base/worker_pool.hpp"
#include "runtime/log/log.hpp"
#include "runtime/store/rocks_database.hpp"
#include "runtime/store/rocks_status.hpp"

#include <array>

namespace dwcp::store {
namespace {

/// Compacting the tables costs about 100 bytes a block in the store; this much freed space is worth it.
constexpr std::uint64_t kErasedBytesPerPass = 64U << 20;

/// Blobs are copied once this share of all blob bytes is garbage: then freeing a byte costs at most about two
/// written.
constexpr double kGarbageShareMax = 1.0 / 3;

/// Copying begins with the oldest quarter of the files, which needs the least room and may be enough, and
/// ends with all.
constexpr std::array<double, 4> kCopiedShares{0.25, 0.5, 0.75, 1.0};

/// Copying may take this much of the free disk space until the old files go.
constexpr double kFreeShareMax = 0.5;

} // namespace

Reclaimer::Reclaimer(Database& database, std::string directory, FindDamage find_damage)
    : database_(database), directory_(std::move(directory)), find_damage_(std::move(find_damage)),
      thread_([this] { loop(); }) {}

Reclaimer::~Reclaimer() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    cancel_ = true;
    wake_.notify_all();
    thread_.join();
}

void Reclaimer::add_erased(std::uint64_t bytes) {
    const std::lock_guard lock(mutex_);
    erased_bytes_ += bytes;
    if (erased_bytes_ >= kErasedBytesPerPass) wake_.notify_all();
}

Result<void> Reclaimer::run_now() {
    const auto status = pass();
    if (!status.ok()) return std::unexpected(to_error(status, "free space in", directory_));
    return {};
}

void Reclaimer::loop() {
    name_this_thread("store-reclaim");
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return stopping_ || erased_bytes_ >= kErasedBytesPerPass; });
            if (stopping_) return;
            erased_bytes_ = 0;
        }
        // A failure is not retried before more is erased: what stopped it (a full disk) shows in every write
        // as well.
        const auto status = pass();
        if (!status.ok() && !cancel_)
            log::warn("store_reclaim_failed", {{"directory", directory_}, {"error", status.ToString()}});
    }
}

rocksdb::Status Reclaimer::pass() {
    const std::lock_guard lock(pass_mutex_);
    auto status = database_.db->Flush(rocksdb::FlushOptions(), database_.blocks());
    if (status.ok()) status = compact({});
    for (const double share : kCopiedShares) {
        std::uint64_t total_bytes = 0;
        std::uint64_t garbage_bytes = 0;
        rocksdb::DB& db = *database_.db;
        db.GetIntProperty(database_.blocks(), rocksdb::DB::Properties::kLiveBlobFileSize, &total_bytes);
        db.GetIntProperty(database_.blocks(), rocksdb::DB::Properties::kLiveBlobFileGarbageSize,
                          &garbage_bytes);
        if (static_cast<double>(garbage_bytes) <= kGarbageShareMax * static_cast<double>(total_bytes)) break;
        const double copied_bytes_max = share * static_cast<double>(total_bytes - garbage_bytes);
        if (!status.ok() ||
            copied_bytes_max > kFreeShareMax * static_cast<double>(disk_free_bytes(directory_)))
            break;
        status = compact(share);
    }
    if (status.IsCorruption()) find_damage_(cancel_);
    return status;
}

rocksdb::Status Reclaimer::compact(std::optional<double> copied_share) {
    rocksdb::CompactRangeOptions options;
    options.canceled = &cancel_;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    if (copied_share) {
        options.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
        options.blob_garbage_collection_age_cutoff = *copied_share;
    }
    database_.damage_filter->copying = copied_share.has_value();
    auto status = database_.db->CompactRange(options, database_.blocks(), nullptr, nullptr);
    database_.damage_filter->copying = false;
    return status;
}

} // namespace dwcp::store
