// Leaving a view and entering the next: OSDI section 4.4.
#include "protocols/pbft/core.hpp"
#include "protocols/wire/consensus.hpp"

#include <algorithm>

namespace dwcp::pbft {

using namespace consensus;

const Signed* Pbft::change_of(ReplicaId replica) const {
    return changes_[replica] ? &std::get<Signed>(changes_[replica]->body) : nullptr;
}

/// Replicas that left every view before `view`. One that is further on left them too.
std::size_t Pbft::left_for(View view) const {
    return static_cast<std::size_t>(
        std::count_if(changes_.begin(), changes_.end(), [view](const MessageRef& change) {
            return change && std::get<Signed>(change->body).statement.view >= view;
        }));
}

/// Votes no more in any view before `next`, and says what was prepared here.
void Pbft::leave(View next) {
    ViewChange change;
    change.stable = stable_;
    change.stable_proof = stable_proof_;
    for (const auto& [number, slot] : slots_) {
        if (slot.prepared) change.prepared.push_back(*slot.prepared);
    }
    view_ = next;
    active_ = false;
    suspects_ = false;
    proposed_ = 0;
    pacemaker_.leave();
    ++fx_.views_failed;
    Signed said = sign(Kind::view_change, view_, 0, digest_of(change));
    said.body = std::move(change);
    MessageRef own = message(std::move(said));
    persist(kChangeKey, wire::encode(*own));
    changes_[options_.self] = own;
    resend_at_ = now_.time + interval();
    broadcast(std::move(own));
    try_new_view();
}

void Pbft::on_change(const MessageRef& message, const Signed& said) {
    const Statement& what = said.statement;
    const auto* change = std::get_if<ViewChange>(&said.body);
    if (!change || what.slot != 0 || what.view == 0 || what.digest != digest_of(*change) ||
        !check_change(committee(), what.view, *change)) {
        ++fx_.invalid;
        return;
    }
    if (what.view < view_ || (what.view == view_ && active_)) help_with_view(what.signer);
    if (const Signed* before = change_of(what.signer)) {
        if (before->statement.view > what.view) return;
        if (before->statement.view == what.view) {
            if (before->statement.digest != what.digest)
                convict(before->statement, before->signature, what, said.signature);
            return;
        }
    }
    changes_[what.signer] = message;
    if (what.view < view_) return;
    join();
    try_new_view();
}

/// f + 1 others, so at least one honest replica, are further on: go with them. The view is the highest that
/// so many have reached.
void Pbft::join() {
    const bool mute = is_mute(); // goes past this view with those who are in it
    std::vector<View> further;
    for (std::size_t id = 0; id < changes_.size(); ++id) {
        if (id == options_.self || !changes_[id]) continue;
        const View view = std::get<Signed>(changes_[id]->body).statement.view;
        if (view > view_ || (mute && view == view_)) further.push_back(view);
    }
    if (further.size() < committee().validity()) return;
    std::sort(further.begin(), further.end(), std::greater<>());
    leave(std::max(further[committee().f()], view_ + (mute ? 1 : 0)));
}

void Pbft::try_new_view() {
    if (active_) return;
    if (left_for(view_) >= committee().quorum()) pacemaker_.expect(now_.time);
    const Signed* own = change_of(options_.self);
    if (!leads() || !own || own->statement.view != view_) return;
    NewView body;
    for (std::size_t id = 0; id < changes_.size() && body.changes.size() < committee().quorum(); ++id) {
        const Signed* said = change_of(static_cast<ReplicaId>(id));
        if (said && said->statement.view == view_)
            body.changes.push_back(
                {static_cast<ReplicaId>(id), std::get<ViewChange>(said->body), said->signature});
    }
    if (body.changes.size() < committee().quorum()) return;
    const Plan demanded = plan(committee(), body.changes);
    for (const auto& [slot, digest] : demanded.values)
        body.proposals.push_back({slot, digest, sign(Kind::propose, view_, slot, digest).signature});
    Signed said = sign(Kind::new_view, view_, 0, digest_of(body));
    said.body = std::move(body);
    MessageRef new_view = message(std::move(said));
    broadcast(new_view);
    enter(std::move(new_view));
}

void Pbft::on_new_view(const MessageRef& message, const Signed& said) {
    const Statement& what = said.statement;
    const auto* body = std::get_if<NewView>(&said.body);
    if (!body || what.slot != 0 || what.signer != committee().leader(what.view) ||
        what.digest != digest_of(*body)) {
        ++fx_.invalid;
        return;
    }
    if (what.view < view_) return;
    if (what.view == view_ && active_) {
        const Signed* entered = new_view_ ? &std::get<Signed>(new_view_->body) : nullptr;
        if (entered && entered->statement.view == what.view && entered->statement.digest != what.digest)
            convict(entered->statement, entered->signature, what, said.signature);
        return;
    }
    if (!check_new_view(committee(), what.view, *body)) {
        ++fx_.invalid;
        return;
    }
    enter(message);
}

void Pbft::enter(MessageRef new_view) {
    new_view_ = std::move(new_view);
    view_ = std::get<Signed>(new_view_->body).statement.view;
    active_ = true;
    proposed_ = 0;
    resend_at_.reset();
    persist(kNewViewKey, wire::encode(*new_view_));
    pacemaker_.enter(now_.time);
    excuses_ = 0;
    for (std::size_t id = 0; id < changes_.size(); ++id) {
        const Signed* said = change_of(static_cast<ReplicaId>(id));
        if (id != options_.self && said && said->statement.view <= view_) changes_[id] = nullptr; // done with
    }
    adopt();
    advance_all();
    // What the new view has overtaken.
    auto waiting = std::move(early_);
    early_.clear();
    early_bytes_ = 0;
    for (const auto& [place, message] : waiting) {
        const Signed& said = std::get<Signed>(message->body);
        if (place.first == view_) take_proposal(said, std::get<Propose>(said.body).block);
        if (place.first > view_) keep_early(message, said);
    }
}

/// The new view's proposals become those of this replica, as far as its window goes; whether there were any
/// that it did not have. Nothing is voted yet.
bool Pbft::adopt() {
    if (!active_ || !new_view_) return false;
    const Signed& said = std::get<Signed>(new_view_->body);
    if (said.statement.view != view_) return false;
    bool some = false;
    const auto& body = std::get<NewView>(said.body);
    settled_ = 0;
    for (const auto& change : body.changes)
        settled_ = std::max(settled_, change.change.stable);
    for (const auto& proposal : body.proposals) {
        settled_ = std::max(settled_, proposal.slot);
        if (!in_window(proposal.slot)) continue;
        Slot& slot = at(proposal.slot);
        if (slot.accepted_in(view_)) continue;
        slot.accepted = Proposal{view_, proposal.digest, proposal.signature};
        slot.sent = now_.time;
        some = true;
    }
    return some;
}

} // namespace dwcp::pbft
