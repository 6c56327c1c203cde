// The one Replica (replica.hpp): holds the parts together - mempool, clients, checkpoints, fetching, serving,
// rejoining - and the engine of the epoch. Private to this library; split by subject over lane_replica*.cpp.
//
// A step is: take the event, then settle(): whatever follows from where the replica now stands. Effects are
// collected in out_.
#pragma once

#include "protocols/consensus/block_server.hpp"
#include "protocols/consensus/catch_up.hpp"
#include "protocols/consensus/checkpoints.hpp"
#include "protocols/consensus/clients.hpp"
#include "protocols/consensus/mempool.hpp"
#include "protocols/consensus/rejoin.hpp"
#include "protocols/consensus/replica.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace dwcp::consensus {

/// Peers that are no members: observers of every node, a few a host.
inline constexpr std::size_t kFollowersMax = 256;
/// Evidence that is kept; one piece convicts a replica.
inline constexpr std::size_t kEvidenceMax = 256;
/// Blocks that are decided and not applied: beyond it nothing is fetched.
inline constexpr Height kUnappliedMax = 4 * kWindow;

class LaneReplica final : public Replica {
  public:
    LaneReplica(ReplicaOptions options, ReplicaMemory memory);
    /// Errc::invalid_argument, corrupted: cannot begin with this.
    Result<void> restore();

    Effects start(Now now) override;
    Effects step(Event event, Now now) override;
    std::shared_ptr<const LaneView> lane_view() const override { return view_; }
    ReplicaStatus status(TimePoint now) const override;
    const std::vector<Evidence>& evidence() const override { return evidence_; }

  private:
    /// The parts of a checkpoint here.
    struct Point {
        Hash256 chain;
        Hash256 state_root;
        Hash256 digest;
    };
    struct Proven {
        Certificate proof;
        Hash256 chain;
        Hash256 state_root;
    };
    struct Peer {
        std::optional<TimePoint> heard;
        Hello last;
        std::optional<Statement> said; ///< Highest that binds it, and its signature.
        crypto::Signature said_signature{};
    };
    struct Wanted {
        TimePoint again{};
        std::size_t tries = 0;
    };
    struct Installing {
        Height height = 0;
        Hash256 chain;
        Hash256 state_root;
        Certificate proof;
        std::map<Epoch, Committee> committees;
        std::map<Epoch, DecidedBlock> ends;
        bool complete = false; ///< All parts were handed over.
    };

    // lane_replica.cpp: events, the step, what is told to whom.
    void take(Tick&&) {}
    void take(Submit&& event);
    void take(Received&& event);
    void take(Applied&& event);
    void take(Loaded&& event);
    void take(SnapshotRead&& event);
    void take(SnapshotInstalled&& event);
    void take(PeerLink&& event);
    void take(SuspectLeader&& event);
    void settle();
    std::optional<TimePoint> next_wake() const;
    template<class Body>
    void send(std::vector<ReplicaName> to, Body body);
    void persist(std::string key, std::optional<Bytes> value);
    void set_committee(Committee committee);
    Result<void> restore_end(const std::string& key, const Bytes& value);
    Result<void> restore_point(const std::string& key, const Bytes& value, bool stable);
    void restore_digests();
    bool signs_as(const Member& member) const;
    void publish_view();
    bool is_member() const { return id_.has_value(); }
    bool voting() const { return is_member() && rejoin_.state() == Rejoin::State::voting; }
    const Committee& committee_at(Height height) const;
    std::optional<ReplicaId> leader() const;
    std::vector<ReplicaName> followers() const;
    std::vector<ReplicaName> audience() const; ///< The other members, and those that follow.

    // lane_replica_engine.cpp
    Result<std::unique_ptr<Engine>> make_engine_of(const Committee& committee, ReplicaId id,
                                                   const EngineMemory& memory) const;
    Result<void> can_run(const Committee& committee) const;
    Result<void> check_change(const Command& command) const;
    void begin_engine();
    void run_engine(EngineEvent event);
    void take_effects(EngineEffects effects);
    void remember_said(const Message& message);
    void watch_view();
    Result<void> acceptable(const Block& block, const Now& now) const;
    void note_evidence(const Evidence& evidence, bool own);
    void ask_wanted();

    // lane_replica_commands.cpp
    void answer(ClientToken client, Result<Answer::Place> outcome);
    Result<void> check_command(const Transaction& transaction) const;
    Result<void> sign_change(Transaction& transaction) const;
    void drop_outdated(const LaneView& before);
    void take_forward(const Forward& forward);
    void forward_commands();
    void propose();
    bool gathering() const;
    TimePoint gather_until() const;
    BlockRef build();
    void expire_clients();

    // lane_replica_log.cpp: decisions, what was applied, checkpoints, epochs.
    void decide(DecidedBlock block);
    void output();
    void commit(const DecidedBlock& block);
    void end_epoch(const Committee& next);
    void make_checkpoint(Height height, const Hash256& state_root);
    void sign_checkpoint(Height height, const Point& point);
    void take_checkpoint_vote(const Signed& vote);
    void stabilise();
    void drop_engine_memory(Epoch upto);

    // lane_replica_peers.cpp: hellos, the start of a life.
    void say_hello(std::vector<ReplicaName> to, bool asks);
    void take_hello(const ReplicaName& from, const Hello& hello);
    void note_said(const ReplicaName& from, const Signed& message);
    void conclude_start();
    void begin_voting();
    void resay_checkpoints(const ReplicaName& to, Height above);

    // lane_replica_fetch.cpp: catching up and letting others do.
    void fetch();
    std::optional<TimePoint> stuck_at() const;
    void take_blocks(const ReplicaName& from, const Blocks& blocks);
    void take_part(const ReplicaName& from, const SnapshotPart& part);
    Result<Installing> check_snapshot(const SnapshotPart& part) const;
    void complete_part(SnapshotPart& part) const;
    void serve();

    ReplicaOptions options_;
    ReplicaMemory memory_;
    Rejoin rejoin_;
    Mempool mempool_;
    Clients clients_;
    Checkpoints checkpoints_;
    CatchUp catch_up_;
    BlockServer server_;

    Committee committee_;         ///< Decides the next height.
    std::optional<ReplicaId> id_; ///< nullopt as well if it lacks the key that it has there.
    bool lacks_key_ = false;
    std::map<Epoch, Committee> committees_;
    std::map<Epoch, DecidedBlock> ends_; ///< Last block of an epoch, by its number.
    std::shared_ptr<const LaneView> view_;

    std::unique_ptr<Engine> engine_; ///< Null unless it votes.
    std::optional<TimePoint> engine_wake_;
    std::set<std::string> engine_keys_; ///< Of every epoch, as persisted.
    bool told_waits_ = false;
    Height told_stable_ = 0;
    std::tuple<Epoch, View, bool, ReplicaId> seen_view_{};
    std::optional<std::pair<Epoch, View>> suspected_;
    std::map<std::pair<Height, Hash256>, Wanted> wanted_;
    std::optional<Height> changing_at_; ///< Slot in which this leader proposed a change of committee.

    Height decided_ = 0;
    Hash256 chain_; ///< chain(decided_).
    std::uint64_t last_time_ms_ = 0;
    std::map<Height, DecidedBlock> buffered_;
    std::map<Height, Hash256> chains_; ///< Of (applied_, decided_].
    Height applied_ = 0;
    Height stable_ = 0;
    std::map<Height, Certificate> proofs_; ///< Quorums above stable_.
    std::map<Height, Point> points_;
    std::map<Height, Proven> proven_; ///< Stable ones, for snapshots.
    std::optional<Installing> installing_;
    std::size_t empty_answers_ = 0;

    std::map<ReplicaName, Peer> peers_;
    std::map<NodeName, bool> links_;
    std::vector<Evidence> evidence_;
    std::set<std::tuple<Epoch, ReplicaId>> convicted_;
    std::optional<TimePoint> next_hello_;
    std::optional<TimePoint> forwarded_at_;
    TimePoint progress_at_{}; ///< Of the last commit.

    Effects out_;
    Now now_;
    bool started_ = false;
};

template<class Body>
void LaneReplica::send(std::vector<ReplicaName> to, Body body) {
    std::erase(to, options_.self);
    if (to.empty()) return;
    out_.sends.push_back(
        {std::move(to), std::make_shared<const Message>(Message{options_.self, std::move(body)})});
}

} // namespace dwcp::consensus
