// A replica of a lane: everything around the engine that orders its blocks. It keeps commands until they are
// ordered and builds blocks of them, puts decisions in order, certifies checkpoints, collects garbage,
// catches up with the others from any distance, follows the epochs, and keeps silent when it cannot prove
// what it voted. A node that is in no committee follows as an observer with the same object.
//
// A pure state machine: start(), then step(event, now) -> Effects. The driver promises:
//   - one step at a time; effects are carried out in order;
//   - a `persist` is durable before any message of the same or a later step leaves (the driver holds them
//     back; several persists may share one write);
//   - `commits` are stored and applied in order, and each is reported with Applied once both are durable;
//     blocks of a height that was applied before (another replica of this node was faster) count as applied;
//   - messages came through a Verifier with lane_view(), or are not given at all;
//   - a crash may lose every step since the last durable persist. Each life is a new object.
//
// Life of a replica: starting -> (asks the others what they last had of it) -> voting, or silent until a
// stable checkpoint passes what it may have voted for.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "protocols/consensus/engine.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dwcp::consensus {

/// Commands that wait here; beyond it submitting is refused.
inline constexpr std::size_t kMempoolCommandsMax = 16'384;
inline constexpr std::size_t kMempoolBytesMax = 16U << 20;

struct ReplicaOptions {
    Domain domain;
    ReplicaName self;
    Committee genesis;
    bool signed_transactions = false;
    std::size_t pipeline = 16;
    Duration view_timeout = milliseconds(500);
    Duration view_timeout_max = std::chrono::seconds(20);
    /// How long a leader collects commands for the next block, for each slot that is under way; with none
    /// under way it does not wait.
    Duration gather = milliseconds(2);
    std::size_t block_bytes = 256U << 10;
    std::size_t block_commands = 1000;
    Height checkpoint_interval = kCheckpointInterval;
    Duration hello = milliseconds(500);
    const Signer* signer = nullptr;
    Checker* checker = nullptr; ///< For chains of blocks whose committees become known only as they are read.
    EngineFactory factory;      ///< Empty: make_engine().
    /// Key of a node that may submit besides the members' hosts; may be empty. For lane_view().
    std::function<std::optional<PublicKey>(const NodeName&)> key_of_node;
};

/// What a life starts with, from the disk.
struct ReplicaMemory {
    std::map<std::string, Bytes> persisted; ///< Every key that this replica persisted and did not erase.
    Height applied = 0;                     ///< Applied and durable in the lane's state.
    Hash256 chain;                          ///< chain(applied).
    Hash256 state_root;                     ///< After `applied`.
    std::optional<Committee> committee;     ///< The one that follows `applied`; nullopt: genesis.
    /// The disk is damaged or another than before (restored): what was voted cannot be proven.
    std::string doubt;
};

using ClientToken = std::uint64_t;

// Events.
struct Tick {};
struct Submit {
    ClientToken client = 0; ///< Unique in this life; answered once.
    Transaction transaction;
    TimePoint deadline{};
};
struct Received {
    Verified message;
};
/// `height` is stored and applied.
struct Applied {
    Height height = 0;
    Hash256 state_root;
};
/// Blocks that were asked for with Load, from this node's log.
struct Loaded {
    std::uint64_t ticket = 0;
    std::vector<DecidedBlock> blocks;
    Height earliest = 0;
};
/// Part of this node's own snapshot, for ReadSnapshot: height, state_root, after, pairs and last (and proof,
/// if the snapshot was kept with it). Chain and epochs are the replica's to add.
struct SnapshotRead {
    std::uint64_t ticket = 0;
    SnapshotPart part; ///< height 0: there is none.
};
/// The state was replaced by the snapshot, or (problem) its root was not the certified one.
struct SnapshotInstalled {
    Height height = 0;
    Hash256 state_root;
    std::string problem;
};
struct PeerLink {
    NodeName host;
    bool up = false;
};
/// SuspectLeader: an operator wants another leader. This replica leaves the view at once and has no part in
/// it any more; others follow once validity() replicas have left, so whoever asks must ask at least so many.
using Event = std::variant<Tick, Submit, Received, Applied, Loaded, SnapshotRead, SnapshotInstalled, PeerLink,
                           SuspectLeader>;

// Effects.
struct Send {
    std::vector<ReplicaName> to;
    MessageRef message;
};
struct Commit {
    DecidedBlock decided;
    Hash256 chain;                 ///< chain(height).
    Committee committee;           ///< That decided it.
    std::optional<Committee> next; ///< The block is the epoch's last, and this follows.
};
struct Load {
    std::uint64_t ticket = 0;
    Height from = 0;
    Height upto = 0;
    std::size_t bytes_max = 0;
};
struct ReadSnapshot {
    std::uint64_t ticket = 0;
    FetchSnapshot what;
};
/// In order; the first has an empty `after` and clears what an earlier attempt left, the last has `last` and
/// is installed only if the whole has `state_root`.
struct InstallSnapshot {
    SnapshotPart part;
    Hash256 state_root;
    Committee next; ///< Committee that follows its height.
};
struct Answer {
    ClientToken client = 0;
    struct Place {
        Height height = 0;
        std::uint32_t position = 0; ///< In the block.
    };
    Result<Place> outcome; ///< Committed and applied here.
};
/// A stable checkpoint: blocks below it may go, and a snapshot of the state at it is worth keeping.
struct Stable {
    Height height = 0;
    Certificate proof;
};
struct Effects {
    Persist persist;
    std::vector<Send> sends;
    std::vector<Commit> commits;
    std::vector<Load> loads;
    std::vector<ReadSnapshot> snapshot_reads;
    std::vector<InstallSnapshot> installs;
    std::vector<Answer> answers;
    std::vector<Evidence> evidence; ///< New ones; already told to the others.
    std::optional<Stable> stable;
    bool lane_view_changed = false; ///< Give verifiers the new lane_view().
    std::optional<TimePoint> wake;
    std::uint32_t view_changes = 0;
    std::uint32_t invalid = 0;
};

struct ReplicaStatus {
    ReplicaName self;
    Committee committee;
    std::optional<ReplicaId> id; ///< nullopt: observer.
    std::string state;           ///< "voting", "starting", "silent", "observing", "catching up".
    std::string note;            ///< Why, or a warning (f = 0).
    EngineStatus engine;
    Height decided = 0;
    Height applied = 0;
    Height stable = 0;
    std::size_t waiting = 0;       ///< Commands in the mempool.
    std::size_t members_heard = 0; ///< Within three hellos, itself included.
    bool available = false;        ///< A command submitted here now can be decided.
};

class Replica {
  public:
    /// Errc::invalid_argument for options that cannot be (ProBFT's bound included).
    static Result<std::unique_ptr<Replica>> make(ReplicaOptions options, ReplicaMemory memory);
    virtual ~Replica() = default;

    /// Once, before the first step.
    virtual Effects start(Now now) = 0;
    virtual Effects step(Event event, Now now) = 0;

    virtual std::shared_ptr<const LaneView> lane_view() const = 0;
    virtual ReplicaStatus status(TimePoint now) const = 0;
    virtual const std::vector<Evidence>& evidence() const = 0;
};

} // namespace dwcp::consensus
