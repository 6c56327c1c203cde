#include "protocols/probft/core.hpp"

#include "protocols/wire/consensus.hpp"

#include <algorithm>

namespace dwcp::probft {

namespace {

/// Four chances a view for what was lost.
Duration resend_interval(const EngineOptions& options) { return options.view_timeout / 4; }

bool is_vote(Kind kind) { return kind == Kind::prepare || kind == Kind::commit; }

} // namespace

Core::Core(EngineOptions options, SampleSizes sizes, Bound bound)
    : options_(std::move(options)), sizes_(sizes), bound_(std::move(bound)),
      wishes_(options_.committee.n(), 0), stable_(options_.committee.first - 1), decided_(stable_),
      next_slot_(options_.committee.first), pacemaker_(options_.view_timeout, options_.view_timeout_max) {}

template<class Body>
MessageRef Core::sign(const Statement& statement, Body body) const {
    const auto signature = options_.signer->sign(signing_bytes(options_.domain, statement));
    return std::make_shared<const Message>(Message{.from = options_.committee.member(options_.self).name,
                                                   .body = Signed{statement, signature, std::move(body)}});
}
template MessageRef Core::sign(const Statement&, Propose) const;
template MessageRef Core::sign(const Statement&, VoteFor) const;
template MessageRef Core::sign(const Statement&, Wish) const;
template MessageRef Core::sign(const Statement&, ViewChange) const;
template MessageRef Core::sign(const Statement&, NewView) const;

Statement Core::statement(Kind kind, View view, Height slot, const Hash256& digest) const {
    return {.kind = kind,
            .engine = EngineKind::probft,
            .epoch = options_.committee.epoch,
            .view = view,
            .slot = slot,
            .signer = options_.self,
            .digest = digest,
            .annex = {}};
}

EngineEffects Core::step(EngineEvent event, Now now) {
    effects_ = {};
    now_ = now;
    std::visit([this](const auto& happened) { on(happened); }, event);
    look_at_clock();
    if (has_bug(SeededBug::skipped_persist)) effects_.persist.clear();
    return std::exchange(effects_, {});
}

void Core::on(const EngineStart&) {
    if (active_)
        pacemaker_.enter(now_.time);
    else
        pacemaker_.expect(now_.time);
    effects_.persist = std::exchange(at_start_, {});
    if (view_ > 0) persist_view(); // the owner may have begun it in a later one
    if (blocked_) suspect_ = true;
    for (Height slot = stable_ + 1; slot <= stable_ + kWindow; ++slot)
        if (slots_.contains(slot)) try_vote(slot);
}

void Core::on(const EngineTick&) {}
void Core::on(const WorkWaits& work) { pacemaker_.work(work.waits, now_.time); }
void Core::on(const SuspectLeader&) { suspect_ = true; }

void Core::on(const EngineReceived& received) {
    const auto& body = received.message->body;
    if (const auto* message = std::get_if<Signed>(&body)) {
        receive(*message, received.message);
    } else if (const auto* accuse = std::get_if<Accuse>(&body)) {
        const auto& said = accuse->evidence.first;
        if (said.kind == Kind::propose && said.engine == EngineKind::probft &&
            said.epoch == options_.committee.epoch && said.signer == options_.committee.leader(said.view))
            block_view(said.view, accuse->evidence);
    }
}

void Core::receive(const Signed& message, const Verified& verified) {
    const auto& said = message.statement;
    const bool of_another_epoch =
        said.epoch != options_.committee.epoch && !has_bug(SeededBug::cross_epoch_quorum);
    if (said.engine != EngineKind::probft || of_another_epoch || said.signer == options_.self ||
        !options_.committee.contains(said.signer)) {
        ++effects_.invalid;
        return;
    }
    if (said.kind == Kind::propose || is_vote(said.kind)) {
        if (said.view > view_ && !has_bug(SeededBug::replay_accepted))
            return keep_for_later(message, verified);
        if (said.view < view_ && !has_bug(SeededBug::replay_accepted)) return;
    }
    if (const auto* propose = std::get_if<Propose>(&message.body))
        receive(message, *propose);
    else if (const auto* vote = std::get_if<VoteFor>(&message.body))
        receive(message, *vote);
    else if (const auto* wish = std::get_if<Wish>(&message.body))
        receive(message, *wish);
    else if (const auto* change = std::get_if<ViewChange>(&message.body))
        receive(message, *change);
    else if (const auto* new_view = std::get_if<NewView>(&message.body))
        receive(message, *new_view);
}

/// What is of a later view waits until it is entered: of each replica at most one proposal and two votes a
/// slot of the window, of the latest view; and no more proposals than its leader may have under way, for they
/// are large.
void Core::keep_for_later(const Signed& message, const Verified& verified) {
    const auto& said = message.statement;
    if (!in_window(said.slot)) return;
    auto& later = later_[said.signer];
    const auto key = std::pair(said.slot, said.kind);
    if (const auto held = later.find(key); held != later.end()) {
        if (std::get<Signed>(held->second->body).statement.view < said.view) held->second = verified;
        return;
    }
    if (said.kind == Kind::propose) {
        if (said.signer != options_.committee.leader(said.view)) {
            ++effects_.invalid;
            return;
        }
        const auto proposals = std::count_if(
            later.begin(), later.end(), [](const auto& held) { return held.first.second == Kind::propose; });
        if (static_cast<std::size_t>(proposals) >= options_.pipeline) return;
    }
    later.emplace(key, verified);
}

void Core::on(const ContentCame& came) {
    if (!came.block || !in_window((*came.block)->height)) return;
    note_content((*came.block)->height, came.block);
    try_vote((*came.block)->height);
}

void Core::on(const DecidedElsewhere& elsewhere) {
    if (elsewhere.upto <= decided_) return;
    decided_up_to(elsewhere.upto);
    pacemaker_.progress(now_.time);
    advance_above(decided_);
}

void Core::on(const StableCheckpoint& checkpoint) {
    if (checkpoint.proof.slot <= stable_) return;
    stable_ = checkpoint.proof.slot;
    stable_proof_ = checkpoint.proof;
    effects_.persist["stable"] = wire::encode(stable_proof_);
    forget_slots();
    decided_up_to(stable_);
    for (Height slot = stable_ + 1; slot <= stable_ + kWindow; ++slot) {
        // What was proposed again beyond the window that this replica had.
        if (const auto again = reproposed_.find(slot); again != reproposed_.end()) note(slot, again->second);
        if (slots_.contains(slot)) try_vote(slot);
    }
}

void Core::on(const PeerStands& peer) {
    if (!options_.committee.contains(peer.peer) || peer.peer == options_.self) return;
    // The link's word that it is there is as good as its signature: both only move views.
    note_wish(peer.peer, peer.view);
    if (!may_help(peer.peer)) return;
    if (peer.view < view_) {
        effects_.sends.push_back({peer.peer, sign(statement(Kind::wish, view_, 0, {}), Wish{})});
        if (leads() && new_view_) effects_.sends.push_back({peer.peer, new_view_});
    }
    help(peer.peer, peer.decided);
}

bool Core::may_help(ReplicaId peer) {
    const auto [last, first] = helped_.try_emplace(peer, now_.time);
    if (!first && now_.time < last->second + resend_interval(options_)) return false;
    last->second = now_.time;
    return true;
}

void Core::help(ReplicaId peer, Height decided) {
    std::size_t helped = 0;
    for (auto it = slots_.upper_bound(decided); it != slots_.end() && helped < kResendSlots; ++it, ++helped) {
        const auto& slot = it->second;
        if (slot.proposal) effects_.sends.push_back({peer, slot.proposal});
        for (const auto& own : {slot.prepare, slot.commit})
            if (own && std::binary_search(own->sample.begin(), own->sample.end(), peer))
                effects_.sends.push_back({peer, own->message});
    }
}

void Core::look_at_clock() {
    if (pacemaker_.expired(now_.time)) suspect_ = true;
    settle();
    if (resend_at_ && now_.time >= *resend_at_) {
        resend_at_.reset();
        resend();
    }
    if (!resending_needed())
        resend_at_.reset();
    else if (!resend_at_)
        resend_at_ = now_.time + resend_interval(options_);
    effects_.wake = pacemaker_.deadline();
    if (resend_at_ && (!effects_.wake || *resend_at_ < *effects_.wake)) effects_.wake = resend_at_;
}

bool Core::resending_needed() const {
    if (!active_ || wished_ > view_) return true;
    return std::any_of(slots_.upper_bound(decided_), slots_.end(),
                       [](const auto& slot) { return !slot.second.decided && slot.second.value; });
}

void Core::resend() {
    if (wished_ > view_) effects_.broadcasts.push_back(sign(statement(Kind::wish, wished_, 0, {}), Wish{}));
    if (!active_ && change_ && !leads()) effects_.sends.push_back({leader(), change_});
    std::size_t resent = 0;
    for (auto it = slots_.upper_bound(decided_); it != slots_.end() && resent < kResendSlots; ++it) {
        auto& [height, slot] = *it;
        if (slot.decided || !slot.value || now_.time < slot.sent + resend_interval(options_)) continue;
        resend(height, slot);
        ++resent;
    }
}

void Core::resend(Height height, Slot& slot) {
    slot.sent = now_.time;
    if (!slot.contents.contains(slot.value->digest)) effects_.wanted.push_back({height, slot.value->digest});
    if (slot.proposal) effects_.broadcasts.push_back(slot.proposal);
    for (const auto& own : {slot.prepare, slot.commit}) {
        if (!own) continue;
        for (const auto to : own->sample)
            if (to != options_.self) effects_.sends.push_back({to, own->message});
    }
    try_vote(height); // what was not acceptable a while ago, for its time, may be now
}

bool Core::wants_proposal() const {
    return may_vote() && leads() && next_slot_ <= stable_ + kWindow &&
           next_slot_ <= decided_ + options_.pipeline;
}

BlockRef Core::content(Height height, const Hash256& digest) const {
    const auto slot = slots_.find(height);
    if (slot == slots_.end()) return nullptr;
    const auto content = slot->second.contents.find(digest);
    return content == slot->second.contents.end() ? nullptr : content->second;
}

EngineStatus Core::status() const {
    EngineStatus status{.view = view_,
                        .active = may_vote(),
                        .leader = leader(),
                        .decided = decided_,
                        .stable = stable_,
                        .note = alarm_};
    if (!status.note.empty()) return status;
    if (blocked_)
        status.note = "the leader of view " + std::to_string(view_) +
                      " signed two values; waiting for view " + std::to_string(wished_);
    else if (!active_)
        status.note = "waiting for the leader of view " + std::to_string(view_);
    else if (wished_ > view_)
        status.note = "waiting for others to want view " + std::to_string(wished_) + " too";
    else if (!bound_.deterministic)
        status.note = bound_.describe();
    return status;
}

} // namespace dwcp::probft
