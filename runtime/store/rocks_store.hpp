// The store on RocksDB. Made by Store::open(); see store.hpp for what it promises.
#pragma once

#include "runtime/metrics/metrics.hpp"
#include "runtime/store/corruption_log.hpp"
#include "runtime/store/reclaimer.hpp"
#include "runtime/store/rocks_database.hpp"
#include "runtime/store/shared_rounds.hpp"
#include "runtime/store/store.hpp"

#include <atomic>
#include <mutex>
#include <shared_mutex>

namespace dwcp::store {

/// Tells whether all that was written one way is durable. Each write is bracketed by begin() and end(), so
/// that whoever sees a write's effect before its end() also sees dirty().
class WriteTracker {
  public:
    void begin() { ++under_way_; }
    void end() {
        ++written_;
        --under_way_;
    }
    bool dirty() const { return under_way_ > 0 || durable_ < written_; }
    /// What is written by now; pass it to mark_durable() after making it so.
    std::uint64_t written() const { return written_; }
    void mark_durable(std::uint64_t upto) {
        std::uint64_t before = durable_;
        while (before < upto && !durable_.compare_exchange_weak(before, upto)) {
        }
    }

  private:
    std::atomic<std::uint64_t> under_way_ = 0;
    std::atomic<std::uint64_t> written_ = 0;
    std::atomic<std::uint64_t> durable_ = 0;
};

class RocksStore final : public Store {
  public:
    RocksStore(Database database, const Options& options);

    Result<void> write(const Batch& batch, Sync sync) override;
    Result<std::optional<Bytes>> get(Family family, std::string_view key) const override;
    Result<void> scan(Family family, std::string_view prefix, std::string_view from,
                      const std::function<bool(std::string_view key, ByteView value)>& visit,
                      std::size_t* damaged) const override;
    Result<void> put_block(const EncodedBlock& block, BlockWrite how) override;
    Result<EncodedBlock> get_block(const Hash256& hash) const override;
    bool has_block(const Hash256& hash) const override;
    Result<void> replace_block(const EncodedBlock& block) override;
    Result<void> erase_block(const Hash256& hash) override;
    Result<void> make_blocks_durable() override;
    Result<void> scan_blocks(
        const std::function<bool(const Hash256& hash, std::uint32_t stored_bytes)>& visit) const override;
    Result<Duration> checkpoint(const std::string& directory) override;
    Stats stats() const override;

    Result<void> reclaim_now() { return reclaimer_.run_now(); }

  private:
    struct Probe {
        metrics::Counter flushes = metrics::counter("dwcp_store_durable_rounds_total",
                                                    "Times that written blocks were made durable.");
        metrics::Histogram flush_seconds =
            metrics::histogram("dwcp_store_durable_round_duration_seconds",
                               "Time to make written blocks durable.", metrics::duration_bounds());
    };

    rocksdb::ColumnFamilyHandle* handle(Family family) const {
        return database_.families[static_cast<std::size_t>(family)];
    }
    /// Runs a write; after an error that can pass, asks RocksDB to resume and runs it once more.
    Result<void> attempt(std::string_view doing, const std::function<rocksdb::Status()>& operation);
    Result<void> write_block(const EncodedBlock& block, BlockWrite how);
    /// Held by each write; nobody holds one while a checkpoint fixes its moment.
    std::shared_lock<std::shared_mutex> permit_to_write();
    /// Stored size from the index record; nullopt: no such block, or its record is damaged (which is
    /// recorded).
    std::optional<std::uint32_t> stored_bytes(const Hash256& hash) const;
    Result<void> durable_round();
    void verify_blocks(const std::atomic<bool>& stop) const;

    const std::string directory_;
    /// Disk space that blocks leave free: all memtables fit in it. Values may use most of it, erasures all.
    const std::uint64_t block_reserve_bytes_;
    const std::uint64_t value_reserve_bytes_;
    Database database_;
    mutable CorruptionLog corruptions_;
    WriteTracker bulk_;
    WriteTracker logged_;
    std::atomic<std::uint64_t> blocks_bytes_ = 0;
    std::mutex checkpoint_gate_; ///< Keeps new writers away from a checkpoint that waits for the old ones.
    std::shared_mutex writing_;
    Probe probe_;
    SharedRounds durable_rounds_;
    Reclaimer reclaimer_; ///< Last: its thread uses the database.
};

} // namespace dwcp::store
