// The network may lose anything: what is said again, how often, and to whom.
#include "protocols/pbft/core.hpp"

namespace dwcp::pbft {

using namespace consensus;

Duration Pbft::interval() const {
    // Between views a change may be large, and the wait for it grows; in a view it is always the same.
    return (active_ ? options_.view_timeout : pacemaker_.timeout()) / 2;
}

void Pbft::resend() {
    const Signed* own = change_of(options_.self);
    if (!active_ && own && own->statement.view == view_) broadcast(changes_[options_.self]);
    std::size_t budget = kResendBytes;
    std::size_t slots = 0;
    for (auto next = slots_.upper_bound(decided_); next != slots_.end() && slots < kResendSlots; ++next) {
        auto& [number, slot] = *next;
        if (slot.decided) continue;
        if (slot.missing) ask(number, slot);
        if (!active_ || !slot.accepted_in(view_) || now_.time - slot.sent < interval() / 2) continue;
        ++slots;
        resend_slot(number, slot, budget);
    }
}

void Pbft::resend_slot(Height number, Slot& slot, std::size_t& budget) {
    slot.sent = now_.time;
    if (const BlockRef block = slot.content(slot.accepted->digest); leads() && block && budget > 0) {
        budget -= std::min(budget, bytes_of(**block)); // the first goes whatever its size
        Signed said;
        said.statement = statement(Kind::propose, view_, number, slot.accepted->digest, options_.self);
        said.signature = slot.accepted->signature;
        said.body = Propose{block};
        broadcast(message(std::move(said)));
    }
    for (const Kind kind : {Kind::prepare, Kind::commit}) {
        if (auto vote = own_vote(kind, number, slot)) broadcast(std::move(*vote));
    }
}

std::optional<MessageRef> Pbft::own_vote(Kind kind, Height number, const Slot& slot) const {
    const auto& own = (kind == Kind::prepare ? slot.prepares : slot.commits)[options_.self];
    if (!own) return std::nullopt;
    Signed said;
    said.statement = statement(kind, own->view, number, own->digest, options_.self);
    said.signature = own->signature;
    said.body = VoteFor{};
    return message(std::move(said));
}

void Pbft::ask(Height number, Slot& slot) {
    if (slot.asked && now_.time - *slot.asked < options_.view_timeout / 2) return;
    if (fx_.wanted.size() >= kResendSlots) return;
    slot.asked = now_.time;
    fx_.wanted.push_back({number, *slot.missing});
}

bool Pbft::may_help(std::map<ReplicaId, TimePoint>& last, ReplicaId peer) {
    const auto found = last.find(peer);
    if (found != last.end() && now_.time - found->second < options_.view_timeout / 2) return false;
    last.insert_or_assign(peer, now_.time);
    return true;
}

/// A peer is in a view that is over: the new view brings it here, if it is this replica's to tell; its own
/// view change at least counts there.
void Pbft::help_with_view(ReplicaId peer) {
    const Signed* own = change_of(options_.self);
    const bool begun_here = active_ && leads() && new_view_;
    if (!begun_here && !(own && own->statement.view == view_)) return;
    if (!may_help(view_help_, peer)) return;
    fx_.sends.push_back({peer, begun_here ? new_view_ : changes_[options_.self]});
}

/// Commits of slots that were decided here a while ago and not there; what was decided just now is still on
/// its way.
void Pbft::help_with_slots(ReplicaId peer, Height decided) {
    std::vector<MessageRef> votes;
    for (auto next = slots_.upper_bound(decided); next != slots_.end() && votes.size() < kResendSlots;
         ++next) {
        const auto& [number, slot] = *next;
        const bool decided_here = slot.decided || number <= decided_;
        if (!decided_here || now_.time - slot.decided_at < options_.view_timeout / 2) continue;
        if (auto vote = own_vote(Kind::commit, number, slot)) votes.push_back(std::move(*vote));
    }
    if (votes.empty() || !may_help(slot_help_, peer)) return;
    for (auto& vote : votes)
        fx_.sends.push_back({peer, std::move(vote)});
}

} // namespace dwcp::pbft
