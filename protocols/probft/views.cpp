// Leaving views and entering them.

#include "protocols/probft/core.hpp"
#include "protocols/wire/consensus.hpp"

#include <algorithm>

namespace dwcp::probft {

void Core::receive(const Signed& message, const Wish&) {
    note_wish(message.statement.signer, message.statement.view);
}

void Core::note_wish(ReplicaId replica, View view) { wishes_[replica] = std::max(wishes_[replica], view); }

void Core::suspect() {
    if (left_) return;
    left_ = true;
    ++effects_.views_failed;
    pacemaker_.leave();
    wish(std::max(wished_, view_ + 1));
}

void Core::wish(View view) {
    wished_ = view;
    note_wish(options_.self, view);
    effects_.broadcasts.push_back(sign(statement(Kind::wish, view, 0, {}), Wish{}));
}

/// What a step's message did to the view. A view that is entered may be blocked at once by what waited for
/// it.
void Core::settle() {
    do {
        if (std::exchange(suspect_, false)) suspect();
        synchronise();
    } while (suspect_);
}

void Core::synchronise() {
    auto views = wishes_;
    std::sort(views.begin(), views.end(), std::greater<>());
    const auto& committee = options_.committee;
    if (const View some = views[committee.validity() - 1]; some > view_ && some > wished_) {
        wish(some);
        views = wishes_;
        std::sort(views.begin(), views.end(), std::greater<>());
    }
    if (const View most = views[committee.quorum() - 1]; most > view_) {
        enter(most);
        leave_word();
        take_up_later();
    }
}

void Core::enter(View view) {
    if (!left_) {
        ++effects_.views_failed;
        pacemaker_.leave();
    }
    view_ = view;
    active_ = false;
    left_ = false;
    convicted_.erase(convicted_.begin(), convicted_.lower_bound(view));
    blocked_ = convicted_.contains(view) && !has_bug(SeededBug::no_view_block);
    suspect_ = suspect_ || blocked_;
    liars_.clear();
    wished_ = std::max(wished_, view);
    note_wish(options_.self, view);
    forget_view();
    persist_view();
    pacemaker_.expect(now_.time);
}

void Core::forget_view() {
    change_ = nullptr;
    new_view_ = nullptr;
    new_view_digest_ = {};
    reproposed_.clear();
    reproposed_upto_ = stable_;
    for (const auto* key : {"change", "new_view", "safe"})
        effects_.persist[key] = std::nullopt;
    for (auto& [height, slot] : slots_) {
        if (slot.prepare || slot.proposal) forget_votes(height);
        slot.value.reset();
        slot.prepare.reset();
        slot.commit.reset();
        slot.proposal = nullptr;
        slot.prepares.clear();
        slot.commits.clear();
        drop_contents(height, slot);
    }
}

ViewChange Core::view_change() const {
    ViewChange change{.stable = stable_, .stable_proof = stable_proof_, .prepared = {}};
    for (const auto& [height, slot] : slots_)
        if (slot.prepared) change.prepared.push_back(*slot.prepared);
    return change;
}

void Core::leave_word() {
    const auto change = view_change();
    change_ = sign(statement(Kind::view_change, view_, 0, digest_of(change)), change);
    effects_.persist["change"] = wire::encode(change);
    if (!leads()) {
        effects_.sends.push_back({leader(), change_});
        return;
    }
    changes_.insert_or_assign(
        options_.self,
        std::pair(view_, SignedViewChange{options_.self, change, std::get<Signed>(change_->body).signature}));
    try_new_view();
}

void Core::receive(const Signed& message, const ViewChange& change) {
    const auto& said = message.statement;
    if (said.view < view_ || said.view == 0 || options_.committee.leader(said.view) != options_.self) return;
    SignedViewChange word{said.signer, change, message.signature};
    if (said.digest != digest_of(change) || !sound(options_.committee, sizes_.quorum, said.view, word)) {
        ++effects_.invalid;
        return;
    }
    note_wish(said.signer, said.view);
    if (said.view == view_ && new_view_) {
        if (may_help(said.signer)) effects_.sends.push_back({said.signer, new_view_});
        return;
    }
    const auto held = changes_.find(said.signer);
    if (held == changes_.end())
        changes_.emplace(said.signer, std::pair(said.view, std::move(word)));
    else if (held->second.first < said.view)
        held->second = {said.view, std::move(word)};
    try_new_view();
}

void Core::try_new_view() {
    if (!leads() || active_ || blocked_ || !change_) return;
    NewView new_view;
    for (const auto& [replica, word] : changes_)
        if (word.first == view_) new_view.changes.push_back(word.second);
    if (new_view.changes.size() < options_.committee.deterministic_quorum()) return;
    for (const auto& [slot, digest] : safe_proposals(options_.committee, new_view.changes).digests) {
        const auto said = statement(Kind::propose, view_, slot, digest);
        new_view.proposals.push_back(
            {slot, digest, options_.signer->sign(signing_bytes(options_.domain, said))});
    }
    const auto digest = digest_of(new_view);
    new_view_ = sign(statement(Kind::new_view, view_, 0, digest), new_view);
    effects_.persist["new_view"] = wire::encode(new_view);
    effects_.broadcasts.push_back(new_view_);
    changes_.clear();
    adopt(new_view, digest);
}

void Core::receive(const Signed& message, const NewView& new_view) {
    const auto& said = message.statement;
    if (said.view < view_) return;
    if (said.view == 0 || said.signer != options_.committee.leader(said.view) ||
        said.digest != digest_of(new_view)) {
        ++effects_.invalid;
        return;
    }
    if (said.view == view_ && active_) {
        if (said.digest == new_view_digest_) return;
        // Another one is no crime yet, since other words may have come; another value is.
        for (const auto& again : new_view.proposals)
            note(again.slot, {again.digest, again.signature});
        return;
    }
    if (!sound(options_.committee, sizes_.quorum, said.view, new_view)) {
        ++effects_.invalid;
        if (said.view == view_) suspect_ = true;
        return;
    }
    // It proves that most are there already.
    const bool later = said.view > view_;
    if (later) enter(said.view);
    adopt(new_view, said.digest);
    if (later) take_up_later();
}

void Core::adopt(const NewView& new_view, const Hash256& digest) {
    active_ = true;
    left_ = false; // it came after all; suspected anew if it fails, at once if it is blocked
    suspect_ = suspect_ || blocked_;
    new_view_digest_ = digest;
    reproposed_upto_ = options_.committee.first - 1;
    for (const auto& change : new_view.changes)
        reproposed_upto_ = std::max(reproposed_upto_, change.change.stable);
    for (const auto& again : new_view.proposals)
        reproposed_[again.slot] = {again.digest, again.signature};
    if (!reproposed_.empty()) reproposed_upto_ = reproposed_.rbegin()->first;
    next_slot_ = std::max(decided_, reproposed_upto_) + 1;
    pacemaker_.enter(now_.time);
    persist_new_view();
    work_on_reproposed();
    // Votes and proposals may have come before the new view.
    for (auto it = slots_.upper_bound(stable_); it != slots_.end(); ++it)
        try_vote(it->first);
}

void Core::work_on_reproposed() {
    for (const auto& [height, value] : reproposed_) {
        if (!note(height, value)) continue;
        auto& slot = slots_[height];
        if (slot.contents.contains(value.digest)) continue;
        const auto empty =
            std::make_shared<const SealedBlock>(Block::empty(options_.committee.epoch, height));
        if (empty->digest() == value.digest)
            note_content(height, empty);
        else if (!is_decided(height))
            effects_.wanted.push_back({height, value.digest});
    }
}

void Core::take_up_later() {
    std::vector<Verified> due;
    for (auto& [replica, later] : later_)
        std::erase_if(later, [&](const auto& held) {
            const auto view = std::get<Signed>(held.second->body).statement.view;
            if (view == view_) due.push_back(held.second);
            return view <= view_;
        });
    for (const auto& verified : due)
        receive(std::get<Signed>(verified->body), verified);
}

} // namespace dwcp::probft
