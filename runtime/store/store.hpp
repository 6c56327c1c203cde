// The node's one store, on RocksDB: journal, blocks, manifests and node state, each in a column family.
//
// Life cycle: open() at start, one instance a process, destroyed last. Thread-safe. Calls block on the disk:
// actors use a worker pool. Every value carries a checksum; a mismatch is Errc::corrupted naming family and
// key, recorded once in the corruption counter, and the bytes are never returned.
//
// Durability. A write with Sync::yes is on disk when the call returns; concurrent ones share an fsync (group
// commit). Blocks have two ways in: `logged` (through the write-ahead log; durable with the next synced write
// or make_blocks_durable()) for small objects, and `bulk` (no log, so bytes are written once; durable after
// make_blocks_durable()) for large ones. A block that was not made durable may be gone after a crash.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "protocols/wire/block.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dwcp::store {

/// On-disk format of this version. A store of a newer format is refused with a message that says which
/// version wrote it.
inline constexpr std::uint32_t kFormatVersion = 1;

enum class Family : std::uint8_t {
    journal,   ///< Workloads under way: key = workload id.
    manifests, ///< Committed objects: key = object key.
    state, ///< Everything else of the node: applied indexes, lane logs, block references; key prefixes say
           ///< which.
};

enum class Sync : bool { no, yes };
enum class BlockWrite : std::uint8_t { logged, bulk };

struct Options {
    std::string directory;
    std::size_t memory_budget_bytes = 256U << 20; ///< Memtables and cache together.
    /// Nothing is created, written or locked: for looking into a copy. Errc::not_found if there is no store.
    bool read_only = false;
};

class RocksStore;

/// Writes applied together or not at all. Blocks are not part of batches.
class Batch {
  public:
    void put(Family family, std::string_view key, ByteView value);
    void erase(Family family, std::string_view key);
    bool empty() const { return operations_.empty(); }

  private:
    friend class RocksStore;
    struct Operation {
        Family family;
        bool erase;
        std::string key;
        Bytes value;
    };
    std::vector<Operation> operations_;
};

struct Stats {
    std::uint64_t blocks_bytes = 0; ///< Estimated live bytes of blocks on disk and in memory.
    std::uint64_t disk_free_bytes = 0;
    std::uint64_t corruptions = 0; ///< Mismatches seen since start.
};

class Store {
  public:
    /// Creates the directory if needed. Fails with a remedy if it is locked, unreadable, corrupt or of a
    /// newer format.
    static Result<std::unique_ptr<Store>> open(const Options& options);
    virtual ~Store() = default;

    virtual Result<void> write(const Batch& batch, Sync sync) = 0;
    /// nullopt: no such key.
    virtual Result<std::optional<Bytes>> get(Family family, std::string_view key) const = 0;
    /// Calls `visit` for keys >= `from` that begin with `prefix`, in order, until it returns false. A corrupt
    /// value is reported and skipped, and the scan returns Errc::corrupted at its end; with `damaged`, such
    /// values are counted there instead.
    virtual Result<void> scan(Family family, std::string_view prefix, std::string_view from,
                              const std::function<bool(std::string_view key, ByteView value)>& visit,
                              std::size_t* damaged = nullptr) const = 0;

    /// Stores a block under its hash; a block that is there already is left alone. Does not verify the hash:
    /// whoever produced or received the block did.
    virtual Result<void> put_block(const EncodedBlock& block, BlockWrite how) = 0;
    /// Errc::not_found or Errc::corrupted (then it is to be fetched from a replica and put with
    /// replace_block).
    virtual Result<EncodedBlock> get_block(const Hash256& hash) const = 0;
    virtual bool has_block(const Hash256& hash) const = 0;
    virtual Result<void> replace_block(const EncodedBlock& block) = 0;
    virtual Result<void> erase_block(const Hash256& hash) = 0;
    /// All blocks put before the call are on disk when it returns. Concurrent calls share the work.
    virtual Result<void> make_blocks_durable() = 0;
    /// Visits every block's hash and stored size until `visit` returns false; for sweeps.
    virtual Result<void>
    scan_blocks(const std::function<bool(const Hash256& hash, std::uint32_t stored_bytes)>& visit) const = 0;

    /// Makes `directory`, which must not exist and must lie on the store's own disk, a store with everything
    /// that was written before the call and nothing that was written after it returned. Files that never
    /// change again are hard links, so it costs little space and time; writers wait for some milliseconds
    /// while the moment is fixed. Returns how long.
    virtual Result<Duration> checkpoint(const std::string& directory) = 0;

    virtual Stats stats() const = 0;
};

} // namespace dwcp::store
