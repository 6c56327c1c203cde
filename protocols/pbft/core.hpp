// The engine's state and steps. Its parts by file: core.cpp (events, effects, status), ordering.cpp (the
// three phases), view_change.cpp (leaving and entering views), resend.cpp (what makes up for losses).
#pragma once

#include "protocols/consensus/pacemaker.hpp"
#include "protocols/pbft/memory.hpp"
#include "protocols/pbft/new_view.hpp"
#include "protocols/pbft/pbft.hpp"
#include "protocols/pbft/slot.hpp"

#include <map>
#include <set>

namespace dwcp::pbft {

/// Proposals of the coming view that wait for its NewView. A full pipeline of usual blocks; what is dropped
/// comes again with the leader's next resending.
inline constexpr std::size_t kEarlyBytes = 8U << 20;
/// Slots whose votes are sent again at once, and whose content is asked for at once: what is lost on a bad
/// link is made up within a few rounds, and a dead one is not flooded.
inline constexpr std::size_t kResendSlots = 16;
/// Blocks that a leader sends again at once.
inline constexpr std::size_t kResendBytes = 1U << 20;

/// Timeouts in a row that a replica which is behind waits for what it lacks without any of it coming; then it
/// suspects the leader all the same, for whoever could help may be out of reach.
inline constexpr unsigned kExcusesMax = 4;

class Pbft final : public consensus::Engine {
  public:
    Pbft(consensus::EngineOptions options, Remembered memory);

    consensus::EngineEffects step(consensus::EngineEvent event, consensus::Now now) override;
    bool wants_proposal() const override;
    consensus::Height next_slot() const override;
    consensus::BlockRef content(consensus::Height slot, const Hash256& digest) const override;
    consensus::EngineStatus status() const override;

  private:
    using Kind = consensus::Kind;
    using View = consensus::View;
    using Height = consensus::Height;
    using Signed = consensus::Signed;

    // core.cpp
    void on(const consensus::EngineStart&);
    void on(const consensus::EngineReceived& event);
    void on(const consensus::ProposeBlock& event);
    void on(const consensus::WorkWaits& event);
    void on(const consensus::ContentCame& event);
    void on(const consensus::DecidedElsewhere& event);
    void on(const consensus::StableCheckpoint& event);
    void on(const consensus::PeerStands& event);
    void on(const consensus::SuspectLeader&);
    void on(const consensus::EngineTick&);
    void dispatch(const consensus::MessageRef& message, const Signed& said);
    void finish();
    bool has_open_slot() const;
    bool is_behind() const;
    bool is_mute() const;
    consensus::Statement statement(Kind kind, View view, Height slot, const Hash256& digest,
                                   consensus::ReplicaId signer) const;
    Signed sign(Kind kind, View view, Height slot, const Hash256& digest) const;
    consensus::MessageRef message(Signed said) const;
    void broadcast(consensus::MessageRef message) { fx_.broadcasts.push_back(std::move(message)); }
    void persist(std::string_view key, Bytes value) {
        fx_.persist.insert_or_assign(std::string(key), std::move(value));
    }
    void erase(std::string_view key) { fx_.persist.insert_or_assign(std::string(key), std::nullopt); }
    bool leads() const { return committee().leader(view_) == options_.self; }
    const consensus::Committee& committee() const { return options_.committee; }
    /// Two signed statements of one replica that exclude each other.
    void convict(const consensus::Statement& first, const crypto::Signature& first_signature,
                 const consensus::Statement& second, const crypto::Signature& second_signature);
    void suspect(const consensus::Evidence& evidence);

    // ordering.cpp
    bool in_window(Height slot) const { return slot > stable_ && slot <= stable_ + consensus::kWindow; }
    Slot& at(Height slot);
    void on_propose(const consensus::MessageRef& message, const Signed& said);
    void take_proposal(const Signed& said, const consensus::BlockRef& block);
    void keep_early(const consensus::MessageRef& message, const Signed& said);
    void accept(Height number, Slot& slot, Proposal proposal, const consensus::BlockRef& block);
    void keep_content(Height number, Slot& slot, const consensus::BlockRef& block);
    void on_vote(const Signed& said);
    void vote(Kind kind, Height number, Slot& slot, const Hash256& digest);
    void advance(Height number, Slot& slot);
    void prepare(Height number, Slot& slot);
    void certify(Height number, Slot& slot);
    bool may_commit(Height number);
    void certify_above(Height number);
    void decide(Height number, Slot& slot, View view, const Hash256& digest);
    void decide_any(Height number, Slot& slot);
    void advance_all();
    void went_on(Height before);
    /// The block if it is here or, empty, can be made here; else it is wanted from now on.
    consensus::BlockRef obtain(Height number, Slot& slot, const Hash256& digest);
    void collect(Height upto);

    // view_change.cpp
    void on_change(const consensus::MessageRef& message, const Signed& said);
    void on_new_view(const consensus::MessageRef& message, const Signed& said);
    void leave(View next);
    void join();
    void try_new_view();
    void enter(consensus::MessageRef new_view);
    bool adopt();
    std::size_t left_for(View view) const;
    const Signed* change_of(consensus::ReplicaId replica) const;

    // resend.cpp
    void resend();
    void resend_slot(Height number, Slot& slot, std::size_t& budget);
    void ask(Height number, Slot& slot);
    void help_with_view(consensus::ReplicaId peer);
    void help_with_slots(consensus::ReplicaId peer, Height decided);
    bool may_help(std::map<consensus::ReplicaId, TimePoint>& last, consensus::ReplicaId peer);
    Duration interval() const;
    std::optional<consensus::MessageRef> own_vote(Kind kind, Height number, const Slot& slot) const;

    consensus::EngineOptions options_;
    View view_ = 0;
    bool active_ = true;
    Height stable_ = 0;
    consensus::Certificate stable_proof_;
    Height decided_ = 0;        ///< All up to it, here or elsewhere.
    Height proposed_ = 0;       ///< Highest that was proposed here in this view.
    Height settled_ = 0;        ///< The view's own NewView says what is up to it.
    std::optional<Height> end_; ///< A decided slot that ends the epoch: what is above it is void.
    std::map<Height, Slot> slots_;
    std::map<std::pair<View, Height>, consensus::MessageRef> early_;
    std::size_t early_bytes_ = 0;
    /// By replica, its latest view change; the own one included.
    std::vector<consensus::MessageRef> changes_;
    consensus::MessageRef new_view_; ///< Of the latest view entered by one.
    std::set<consensus::ReplicaId> convicted_;
    std::vector<Height> peers_decided_; ///< As each peer last told.
    consensus::Pacemaker pacemaker_;
    unsigned excuses_ = 0; ///< Of the leader, since this replica last went on.
    bool waits_ = false;
    bool suspects_ = false; ///< The leader was proven faulty in this step.
    std::optional<TimePoint> resend_at_;
    std::map<consensus::ReplicaId, TimePoint> view_help_;
    std::map<consensus::ReplicaId, TimePoint> slot_help_;

    // Of the step under way.
    consensus::EngineEffects fx_;
    consensus::Now now_;
};

} // namespace dwcp::pbft
