// Blocks of this node: taking them in from clients and peers, reading them back, repairing them, and letting
// go of what no object needs. Implements what the data links ask of a node.
//
// Life cycle: one a node, outlives actors and data links. Thread-safe; calls block on hashing and the disk,
// so they come from worker threads.
//
// A block stays while an object of this node refers to it (a reference in the store, written with the
// manifest) or a workload under way has pinned it. Pins live in memory: after a restart an unfinished
// workload's blocks on a receiver are swept, its sender asks again what is missing and ships them again.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/wire/manifest.hpp"
#include "runtime/base/events.hpp"
#include "runtime/links/data/data_plane.hpp"
#include "runtime/store/store.hpp"

#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

namespace dwcp::manager {

/// A pin that nobody released: its sender failed without a word. Long enough for any transfer that is still
/// alive.
inline constexpr Duration kPinExpiry = std::chrono::hours(1);
/// Above this an encoded block is written without the log, once, and made durable by a flush; below, a flush
/// costs more.
inline constexpr std::uint32_t kBulkBlockBytesMin = 256U << 10;

class BlockKeeper final : public links::BlockService {
  public:
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

    void pin(const Hash256& hash, const WorkloadId& workload);
    void release(const WorkloadId& workload);
    /// Erases those of `hashes` that nothing refers to and nobody pinned.
    void collect(const std::vector<Hash256>& hashes);
    /// The same for every block of the store, and drops expired pins; at start and once an hour.
    void sweep();

    /// Store keys of references: (hash, workload) -> nothing, in Family::state.
    static std::string reference_key(const Hash256& hash, const WorkloadId& workload);

  private:
    bool is_referenced(const Hash256& hash) const;
    void erase_if_unused(const Hash256& hash);
    void expire_pins(TimePoint now);

    const NodeName self_;
    store::Store& store_;
    EventRing& events_;

    std::mutex mutex_; ///< Held while deciding and erasing, so that nobody pins a block between the two.
    std::unordered_map<Hash256, std::uint32_t> pins_;
    struct Pinned {
        TimePoint since;
        std::set<Hash256> hashes;
    };
    std::map<WorkloadId, Pinned> by_workload_;
};

} // namespace dwcp::manager
