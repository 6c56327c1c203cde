// The state machine behind make_probft(); nobody else includes this. Its parts, a file each: core.cpp
// (events, time, resending), ordering.cpp (a slot from proposal to decision), views.cpp (leaving and entering
// views), memory.cpp (what the disk has).
#pragma once

#include "protocols/consensus/engine.hpp"
#include "protocols/consensus/pacemaker.hpp"
#include "protocols/probft/bound.hpp"
#include "protocols/probft/safe_proposal.hpp"

#include <set>
#include <utility>

namespace dwcp::probft {

using namespace consensus;

/// Undecided slots that one resend covers, and slots that one helping hand does: what is lost beyond is found
/// by the next one.
inline constexpr std::size_t kResendSlots = 8;
/// Views ahead of ours whose leader was convicted already: one turn of every leader. Later ones are convicted
/// again by whoever meets their values.
inline constexpr View kConvictedAhead = kReplicasMax;

class Core final : public Engine {
  public:
    Core(EngineOptions options, SampleSizes sizes, Bound bound);

    /// Once, before the first step. Errc::corrupted.
    Result<void> recover(const EngineMemory& memory);

    EngineEffects step(EngineEvent event, Now now) override;
    bool wants_proposal() const override;
    Height next_slot() const override { return next_slot_; }
    BlockRef content(Height slot, const Hash256& digest) const override;
    EngineStatus status() const override;

  private:
    /// What the leader of a view signed for a slot.
    struct Value {
        Hash256 digest;
        crypto::Signature signature{};
    };
    struct HeldVote {
        Hash256 digest;
        Vote vote;
    };
    using Votes = std::map<ReplicaId, HeldVote>;
    /// A vote of this replica in the current view.
    struct OwnVote {
        MessageRef message;
        std::vector<ReplicaId> sample;
    };
    struct Slot {
        // Of the current view.
        std::optional<Value> value;
        std::optional<OwnVote> prepare;
        std::optional<OwnVote> commit;
        MessageRef proposal; ///< Where this replica leads.
        Votes prepares;
        Votes commits;
        TimePoint sent{}; ///< Last word of ours.
        // Of all views.
        std::optional<Certificate> prepared;
        std::map<Hash256, BlockRef> contents; ///< Of value, prepared and decided.
        std::set<Hash256> stored;             ///< Contents on disk.
        std::optional<Hash256> decided;
        std::optional<std::pair<Hash256, bool>>
            end; ///< The value asked for last, and whether it ends the epoch.
    };
    using Later = std::map<std::pair<Height, Kind>, Verified>;

    // core.cpp
    void on(const EngineStart&);
    void on(const EngineReceived&);
    void on(const WorkWaits&);
    void on(const ContentCame&);
    void on(const DecidedElsewhere&);
    void on(const PeerStands&);
    void on(const SuspectLeader&);
    void on(const StableCheckpoint&);
    void on(const EngineTick&);
    void receive(const Signed& message, const Verified& verified);
    void keep_for_later(const Signed& message, const Verified& verified);
    void look_at_clock();
    void resend();
    void resend(Height height, Slot& slot);
    bool resending_needed() const;
    bool may_help(ReplicaId peer);
    void help(ReplicaId peer, Height decided);
    Statement statement(Kind kind, View view, Height slot, const Hash256& digest) const;
    template<class Body>
    MessageRef sign(const Statement& statement, Body body) const;
    ReplicaId leader() const { return options_.committee.leader(view_); }
    bool leads() const { return leader() == options_.self; }
    bool in_window(Height slot) const { return slot > stable_ && slot <= stable_ + kWindow; }
    bool may_vote() const { return active_ && !blocked_; }

    // ordering.cpp
    void on(const ProposeBlock&);
    void receive(const Signed& message, const Propose& propose);
    void receive(const Signed& message, const VoteFor& vote);
    /// False: the leader signed another value for it, or it cannot be.
    bool note(Height height, const Value& value);
    void note_content(Height height, const BlockRef& block);
    bool is_safe(Height height, const Hash256& digest) const;
    bool is_decided(Height height) const;
    void try_vote(Height height);
    bool acceptable(Height height, Slot& slot);
    OwnVote make_vote(Kind kind, Height height, const Value& value) const;
    void hold_own(Kind kind, Height height, Slot& slot);
    void cast(Kind kind, Height height, Slot& slot);
    void count(Kind kind, Height height, const Vote& vote, const Hash256& digest);
    std::optional<Certificate> quorum_of(const Votes& votes, Kind kind, Height height,
                                         const Value& value) const;
    void advance(Height height);
    void advance_above(Height height);
    bool ends_epoch(Slot& slot, const Hash256& digest) const;
    bool may_commit(Height height);
    void decide(Height height, Slot& slot, Certificate proof);
    void decided_up_to(Height height);
    void convict(Evidence evidence);
    void block_view(View view, const Evidence& evidence);

    // views.cpp
    void receive(const Signed& message, const Wish&);
    void receive(const Signed& message, const ViewChange& change);
    void receive(const Signed& message, const NewView& new_view);
    void suspect();
    void wish(View view);
    void note_wish(ReplicaId replica, View view);
    void settle();
    void synchronise();
    void enter(View view);
    void forget_view();
    void leave_word();
    ViewChange view_change() const;
    void try_new_view();
    void adopt(const NewView& new_view, const Hash256& digest);
    void work_on_reproposed();
    void take_up_later();

    // memory.cpp
    void persist_view();
    void persist_new_view();
    void persist_vote(Height height, const Slot& slot);
    void persist_proposal(Height height, const Hash256& digest);
    void persist_prepared(Height height, const Slot& slot);
    void persist_content(Height height, Slot& slot, const BlockRef& block);
    void drop_contents(Height height, Slot& slot);
    void forget_votes(Height height);
    void forget_slots();
    Result<void> recover(const std::string& key, ByteView value);
    Result<void> recover_view(ByteView value);
    Result<void> recover_safe(ByteView value);
    Result<void> recover_slot(std::string_view what, Height height, ByteView value);
    Result<void> recover_vote(Slot& slot, Height height, ByteView value);
    Result<void> recover_proposal(Slot& slot, Height height, ByteView value);
    Result<void> recover_block(const std::string& key, Height height, ByteView value);
    Result<void> take_up_memory();

    EngineOptions options_;
    SampleSizes sizes_;
    Bound bound_;

    View view_ = 0;
    bool active_ = true;
    bool blocked_ = false; ///< The leader of the view signed two values.
    bool left_ = false;    ///< Suspected in this view already.
    bool suspect_ = false; ///< At the end of the step, when no slot is being worked on.
    View wished_ = 0;
    std::set<View> convicted_; ///< This view and later ones whose leader signed two values.
    std::vector<View> wishes_; ///< Highest a replica.
    /// Latest a replica, with its view; only for views that this replica leads.
    std::map<ReplicaId, std::pair<View, SignedViewChange>> changes_;
    MessageRef change_;          ///< Own word on entering the view.
    MessageRef new_view_;        ///< Where this replica leads.
    Hash256 new_view_digest_;    ///< Of the one that made the view active.
    Height reproposed_upto_ = 0; ///< Above it the view's leader proposes what it likes.
    std::map<Height, Value> reproposed_;
    std::map<ReplicaId, Later> later_;

    Height stable_ = 0;
    Certificate stable_proof_;
    Height decided_ = 0;
    Height next_slot_ = 1;
    std::optional<Height> end_; ///< A decided slot that ends the epoch: what is above it is void.
    std::map<Height, Slot> slots_;

    Pacemaker pacemaker_;
    std::optional<TimePoint> resend_at_;
    std::map<ReplicaId, TimePoint> helped_;
    std::set<ReplicaId> liars_; ///< Voted twice in this view; shown once.
    std::string alarm_;

    Persist at_start_; ///< What recovering changed.
    // Of the step under way.
    EngineEffects effects_;
    Now now_;
};

} // namespace dwcp::probft
