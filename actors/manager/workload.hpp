// One put from its seal to its receipt, as a pure state machine: (event, now) -> actions. The manager actor
// performs the actions and reports back; the same object runs in unit tests with a scripted world.
//
//   sealed on disk ──▶ replicating: every replica confirms all blocks durable ──▶ committing: the lane takes
//   the manifest ──▶ done
//
// What is durable comes first: nothing is shipped as complete before the seal is in the journal, and the
// manifest is proposed only after every replica has confirmed. A replica that lacks blocks names them and
// gets exactly these (resume at the next missing block). A replica that makes no progress for `reroute_after`
// (it is away, or it cannot keep what it gets) is replaced, if the allocator finds another node; else it is
// retried with backoff for as long as it takes: a sealed workload is never given up.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/random.hpp"
#include "protocols/base/result.hpp"
#include "protocols/wire/manifest.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dwcp::manager {

struct WorkloadTiming {
    Duration retry_min = std::chrono::milliseconds(50);
    Duration retry_max = std::chrono::seconds(1);
    Duration reroute_after =
        std::chrono::seconds(5); ///< Longer than a node's restart, shorter than a client's patience.
};

/// Ask `peer` whether it has all blocks on disk.
struct ConfirmReplica {
    NodeName peer;
};
/// Send these blocks to `peer`, then report shipped().
struct ShipBlocks {
    NodeName peer;
    std::vector<Hash256> hashes;
};
/// Ask the allocator for nodes instead of the current ones, without `away`; report rerouted() or
/// reroute_failed().
struct Reroute {
    NodeName away;
};
/// Write the journal record with the changed placement, then carry on.
struct JournalPlacement {};
/// Propose the manifest to the metadata lane; report committed() or commit_failed().
struct CommitManifest {};
/// Call tick() at this time.
struct WakeAt {
    TimePoint when;
};
using Action = std::variant<ConfirmReplica, ShipBlocks, Reroute, JournalPlacement, CommitManifest, WakeAt>;
using Actions = std::vector<Action>;

class Workload {
  public:
    enum class Phase { replicating, committing, done };

    /// `self` may be among `placement`: this node's own copy is durable already.
    Workload(NodeName self, std::vector<NodeName> placement, WorkloadTiming timing, std::uint64_t seed);

    Phase phase() const { return phase_; }
    const std::vector<NodeName>& placement() const { return placement_; }

    /// The seal is in the journal (now, or in an earlier life of this node).
    Actions start(TimePoint now);
    /// `peer` has everything (empty) or lacks `missing`.
    Actions confirmed(const NodeName& peer, const std::vector<Hash256>& missing, TimePoint now);
    Actions shipped(const NodeName& peer, TimePoint now);
    /// A confirmation or shipment failed; it is retried.
    Actions peer_failed(const NodeName& peer, TimePoint now);
    /// `peer` came up: what waits for it is tried at once.
    Actions peer_up(const NodeName& peer, TimePoint now);
    Actions rerouted(const std::vector<NodeName>& placement, TimePoint now);
    Actions reroute_failed(TimePoint now);
    Actions committed();
    Actions commit_failed(TimePoint now);
    Actions tick(TimePoint now);
    /// The answers of all replicas that are asked now will not be told: asks them again.
    Actions ask_again(TimePoint now);

  private:
    struct Replica {
        enum class State { waiting, busy, complete } state = State::waiting;
        bool wanted = true;   ///< False: no longer placed there, but its last answer is still to come.
        bool shipped = false; ///< Since the last confirmation.
        std::size_t missing = SIZE_MAX; ///< At the last confirmation; fewer is progress.
        TimePoint retry_at{};
        std::optional<TimePoint> failing_since; ///< None while there is progress.
        std::uint32_t failures = 0;
    };

    void try_replica(const NodeName& peer, Replica& replica, Actions& actions);
    void retry_later(Replica& replica, TimePoint now, Actions& actions);
    void advance(Actions& actions);
    Replica* find_busy(const NodeName& peer);
    Duration backoff(std::uint32_t failures);

    NodeName self_;
    std::vector<NodeName> placement_;
    WorkloadTiming timing_;
    Random random_;
    Phase phase_ = Phase::replicating;
    std::map<NodeName, Replica> replicas_; ///< All of placement_ but self, and those not wanted any more.
    bool rerouting_ = false;
    TimePoint reroute_not_before_{};
    std::uint32_t commit_failures_ = 0;
    TimePoint commit_at_{};
    bool commit_waiting_ = false;
};

} // namespace dwcp::manager
