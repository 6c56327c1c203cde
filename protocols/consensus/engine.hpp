// A consensus engine: orders blocks into slots within one epoch. PBFT and ProBFT are engines; what they share
// around it (mempool, block building, checkpoints, catching up, epochs, restarts) is the Replica's
// (replica.hpp).
//
// A pure state machine: step(event, now) returns EngineEffects. One a replica and epoch: made with what the
// disk has of it, or anew. The owner promises: one step at a time; what is in `persist` is durable before
// anything of the same or a later step leaves the replica; messages are Verified and of this epoch, from a
// member other than itself; decisions are taken in any order and put in order by the owner.
//
// An engine never waits for its own messages: it takes what it broadcasts for said to itself as well.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/consensus/message.hpp"
#include "protocols/consensus/verifier.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dwcp::consensus {

struct Now {
    TimePoint time{};
    std::uint64_t unix_ms = 0;
};

struct EngineOptions {
    Domain domain;
    Committee committee;
    ReplicaId self = 0;
    const Signer* signer = nullptr;
    /// Slots that are under way at once.
    std::size_t pipeline = 16;
    /// A slot that takes longer with work waiting makes its view suspect; doubles a failed view, halves back
    /// with progress.
    Duration view_timeout = milliseconds(500);
    Duration view_timeout_max = std::chrono::seconds(20);
    /// It votes in no view before this one: for a replica that lost its memory and is shown what it signed.
    /// It waits there for a new view of the others.
    View earliest_view = 0;
    /// ProBFT: the chance of disagreement that is borne (protocols/probft/bound.hpp), and how many Byzantine
    /// replicas are assumed (0: all that the committee could bear). What is worse is refused, unless a
    /// simulation wants to see it.
    double probft_bound_max = 1e-6;
    std::size_t probft_faults = 0;
    bool probft_any_parameters = false;
    /// Whether a proposed block may be voted for: sizes, time, sound commands. Pure.
    std::function<Result<void>(const Block&, const Now&)> acceptable;
};

// Events.
struct EngineStart {};
struct EngineReceived {
    Verified message; ///< Holds a Signed or an Accuse.
};
/// For next_slot(), while wants_proposal().
struct ProposeBlock {
    BlockRef block;
};
/// Whether commands or undecided slots wait here, and since when; engines time their views by it.
struct WorkWaits {
    bool waits = false;
};
/// A proposal's content that was in `wanted`.
struct ContentCame {
    BlockRef block;
};
/// All slots up to `upto` are decided (proven by certificates that came from others).
struct DecidedElsewhere {
    Height upto = 0;
};
/// Nothing at or below it is needed any more.
struct StableCheckpoint {
    Certificate proof;
};
/// Where another member says it stands: whoever is ahead sends it what it lacks (new view, votes of slots
/// that it has not decided), at a bounded rate.
struct PeerStands {
    ReplicaId peer = 0;
    View view = 0;
    Height decided = 0;
};
/// A command waited too long though others were ordered: leave the view.
struct SuspectLeader {};
struct EngineTick {};
using EngineEvent = std::variant<EngineStart, EngineReceived, ProposeBlock, WorkWaits, ContentCame,
                                 DecidedElsewhere, PeerStands, SuspectLeader, StableCheckpoint, EngineTick>;

// Effects.
struct EngineSend {
    ReplicaId to = 0;
    MessageRef message;
};
struct Decision {
    Height slot = 0;
    BlockRef block;
    Certificate proof;
};
/// nullopt erases. Keys are the engine's own.
using Persist = std::map<std::string, std::optional<Bytes>>;

struct EngineEffects {
    Persist persist;
    std::vector<MessageRef> broadcasts; ///< To every other member.
    std::vector<EngineSend> sends;
    std::vector<Decision> decided;
    std::vector<Evidence> evidence;
    std::vector<FetchContent> wanted; ///< Ask others; again after a while if it does not come.
    std::optional<TimePoint> wake;    ///< EngineTick no later than then; replaces earlier ones.
    std::uint32_t views_failed = 0;
    std::uint32_t invalid = 0; ///< Messages that were signed and wrong all the same.
};

struct EngineStatus {
    View view = 0;
    bool active = false; ///< In the view, not between two.
    ReplicaId leader = 0;
    Height decided = 0; ///< All up to it.
    Height stable = 0;
    std::string note; ///< Why it does not go on; empty: it does.
};

class Engine {
  public:
    virtual ~Engine() = default;

    virtual EngineEffects step(EngineEvent event, Now now) = 0;

    /// This replica leads an active view, and there is room in the window and the pipeline.
    virtual bool wants_proposal() const = 0;
    virtual Height next_slot() const = 0;
    /// A proposal's content, if it is here; null else.
    virtual BlockRef content(Height slot, const Hash256& digest) const = 0;
    virtual EngineStatus status() const = 0;
};

/// What the disk has of the engine's epoch: every key that it persisted and did not erase. Empty: anew.
using EngineMemory = std::map<std::string, Bytes>;
/// Errc::corrupted: what is there cannot be, so the replica must not vote.
using EngineFactory =
    std::function<Result<std::unique_ptr<Engine>>(EngineOptions options, const EngineMemory& memory)>;

/// By the committee's engine kind; those that are not built: Errc::unimplemented.
Result<std::unique_ptr<Engine>> make_engine(EngineOptions options, const EngineMemory& memory);

} // namespace dwcp::consensus
