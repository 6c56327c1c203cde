// The RocksDB database under the store: its column families, their tuning, and opening it with errors people
// can act on.
#pragma once

#include "runtime/store/store.hpp"

#include <rocksdb/db.h>
#include <rocksdb/listener.h>

#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <string_view>

namespace dwcp::store {

/// Where a column family's handle lies in Database::families. The first three are the values of Family.
inline constexpr std::size_t kJournalFamily = 0;
inline constexpr std::size_t kManifestsFamily = 1;
inline constexpr std::size_t kStateFamily = 2;
inline constexpr std::size_t kBlocksFamily = 3;
inline constexpr std::size_t kDefaultFamily = 4; ///< Holds only the format version.
inline constexpr std::size_t kFamilyCount = 5;

/// Names on disk, in the order above.
inline constexpr std::array<std::string_view, kFamilyCount> kFamilyNames{"journal", "manifests", "state",
                                                                         "blocks", "default"};

inline constexpr std::string_view kFormatVersionKey = "format_version";

/// RocksDB stops all writes when a compaction meets damage. Where the damage is in a block that is being
/// copied, one bad block must not stop the node: the copying fails, the rest goes on.
class CopyDamageFilter final : public rocksdb::EventListener {
  public:
    void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override {
        if (copying && reason == rocksdb::BackgroundErrorReason::kCompaction && error->IsCorruption())
            *error = rocksdb::Status::OK();
    }

    std::atomic<bool> copying = false; ///< Set while blobs are copied.
};

/// An open database; closes on destruction.
struct Database {
    std::shared_ptr<CopyDamageFilter> damage_filter = std::make_shared<CopyDamageFilter>();
    std::unique_ptr<rocksdb::DB> db;
    std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount> families{};
    std::vector<rocksdb::ColumnFamilyHandle*> handles; ///< All handles, owned.
    bool direct_io = false;

    Database() = default;
    Database(Database&& other) noexcept = default;
    Database& operator=(Database&&) = delete;
    ~Database();

    rocksdb::ColumnFamilyHandle* blocks() const { return families[kBlocksFamily]; }
};

/// Bytes free on the disk of `directory` for this user; 0 if that cannot be told.
std::uint64_t disk_free_bytes(const std::string& directory);

/// Errc::resource_exhausted unless the disk has `reserve_bytes` free. The reserve is what RocksDB holds in
/// memory and will still want to write: it survives a full disk while running, but not one that is full while
/// it opens.
Result<void> check_disk_room(const std::string& directory, std::uint64_t reserve_bytes);

/// Creates the directory and the database if there is none; checks or writes the format version.
Result<Database> open_database(const Options& options);

} // namespace dwcp::store
