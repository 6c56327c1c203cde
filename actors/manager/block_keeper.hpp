// Blocks of this node: taking them in from clients and peers, reading them back, repairing them, and letting
// go of what no object needs. Implements what the data links ask of a node.
//
// Life cycle: one a node, outlives actors and data links. Thread-safe; calls block on hashing and the disk,
// so they come from worker threads.
//
// A block stays while an object of this node refers to it (a reference in the store, written with the
// manifest) or a workload under way has pinned it. The pins of an upload live in memory: after a restart its
// blocks on a receiver are swept, its sender asks again what is missing and ships them again. Once this node
// has told a sender that it has them all, the manifest may name it as a replica at any moment, so those pins
// are on disk before the answer is given, until the manifest is applied here.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/wire/manifest.hpp"
#include "runtime/base/events.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/store/store.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

namespace dwcp::manager {

/// Pins of an upload that nothing was heard of for so long: its sender failed without a word. Longer than any
/// pause of a transfer that is still alive; a manager renews those of its own workloads.
inline constexpr Duration kPinExpiry = std::chrono::hours(1);
/// The same for confirmed pins. Only a sender that never comes back leaves these behind, whereas erasing
/// blocks that a manifest is about to name would lose a replica.
inline constexpr Duration kConfirmedPinExpiry = std::chrono::days(7);
/// How long a deleted or replaced object's blocks can still be read, for downloads that began before.
inline constexpr Duration kReadersGrace = std::chrono::minutes(5);
/// Hashes that wait for it: 32 MiB. What does not fit is left to the sweep.
inline constexpr std::size_t kCollectLaterMax = 1U << 20;
/// Above this an encoded block is written without the log, once, and made durable by a flush; below, a flush
/// costs more.
inline constexpr std::uint32_t kBulkBlockBytesMin = 256U << 10;

class BlockKeeper final : public links::BlockService {
  public:
    /// Reads the confirmed pins of earlier lives.
    BlockKeeper(NodeName self, store::Store& store, EventRing& events);

    // From peers (links::BlockService).
    Result<void> accept(const EncodedBlock& block, const WorkloadId& workload, const NodeName& from) override;
    Result<std::vector<Hash256>> make_durable(const std::vector<Hash256>& hashes,
                                              const WorkloadId& workload) override;
    Result<EncodedBlock> load(const Hash256& hash) override;

    /// From a client: pins and stores a block whose hash this node has just computed.
    Result<void> take_in(const EncodedBlock& block, const WorkloadId& workload);
    /// Everything taken in before is on disk when it returns.
    Result<void> flush() { return store_.make_blocks_durable(); }
    /// A block's raw content if this node has it intact: not_found or corrupted otherwise.
    Result<SharedBytes> read(const Hash256& hash);
    /// Replaces a damaged or missing copy with one from a replica, verified by the caller.
    Result<void> repair(const EncodedBlock& block, const NodeName& from);

    /// Pins a block; whether this node has it.
    bool pin(const Hash256& hash, const WorkloadId& workload);
    /// A workload's pins are good for another kPinExpiry.
    void renew(const WorkloadId& workload);
    /// Lets go of a workload's pins, and erases what only they held.
    void release(const WorkloadId& workload);
    /// Erases those of `hashes` that nothing refers to and nobody pinned.
    void collect(const std::vector<Hash256>& hashes);
    /// The same once kReadersGrace has passed, by collect_due(): downloads under way still read these blocks.
    void collect_later(std::vector<Hash256> hashes);
    void collect_due(TimePoint now = std::chrono::steady_clock::now());
    /// Collects among all blocks of the store, and drops expired pins; at start and once an hour. Ends early
    /// after stop_sweeping(). Erases nothing while sweeping is held off.
    void sweep(TimePoint now = std::chrono::steady_clock::now());
    void stop_sweeping() { sweeping_ = false; }
    /// Somebody could not tell which blocks it needs: none may be swept in this life.
    void hold_sweeps() { sweeps_held_ = true; }

    /// Store keys of references: (hash, workload) -> nothing, in Family::state.
    static std::string reference_key(const Hash256& hash, const WorkloadId& workload);

  private:
    struct Pinned {
        TimePoint used{};
        std::set<Hash256> hashes;
        std::set<Hash256> confirmed; ///< The first hash of each confirmation on disk.
    };

    void load_confirmed_pins();
    Result<void> confirm_pins(const std::vector<Hash256>& hashes, const WorkloadId& workload);
    void unpin(const Hash256& hash, const WorkloadId& workload);
    void drop_pin(const Hash256& hash);
    bool is_applied(const Hash256& hash, const WorkloadId& workload) const;
    bool is_referenced(const Hash256& hash) const;
    void erase_if_unused(const Hash256& hash);
    void expire_pins(TimePoint now);

    const NodeName self_;
    store::Store& store_;
    EventRing& events_;

    std::mutex mutex_; ///< Held while deciding and erasing, so that nobody pins a block between the two.
    std::unordered_map<Hash256, std::uint32_t> pins_; ///< Workloads that pin it.
    std::map<WorkloadId, Pinned> by_workload_;
    struct Dropped {
        TimePoint when{};
        std::vector<Hash256> hashes;
    };
    std::deque<Dropped> dropped_; ///< Oldest first.
    std::size_t dropped_hashes_ = 0;
    std::atomic<bool> sweeping_ = true;
    std::atomic<bool> sweeps_held_ = false;
};

} // namespace dwcp::manager
