#include "protocols/pbft/core.hpp"

#include "protocols/wire/consensus.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::pbft {

using namespace consensus;

namespace {

const Signed& signed_part(const MessageRef& message) { return std::get<Signed>(message->body); }

} // namespace

Pbft::Pbft(EngineOptions options, Remembered memory)
    : options_(std::move(options)), slots_(std::move(memory.slots)), changes_(committee().n()),
      new_view_(std::move(memory.new_view)), peers_decided_(committee().n()),
      pacemaker_(options_.view_timeout, options_.view_timeout_max) {
    stable_ = committee().first - 1;
    if (memory.stable) {
        stable_ = memory.stable->slot;
        stable_proof_ = std::move(*memory.stable);
    }
    decided_ = stable_;
    if (new_view_) view_ = signed_part(new_view_).statement.view;
    if (memory.change) {
        const View left_for = signed_part(memory.change).statement.view;
        if (left_for > view_) {
            view_ = left_for;
            active_ = false;
        }
        changes_[options_.self] = std::move(memory.change);
    }
    const View earliest = std::max(memory.earliest, options_.earliest_view);
    if (earliest > view_) {
        view_ = earliest;
        active_ = false;
    }
    if (active_ && new_view_) adopt();
    for (auto& [number, slot] : slots_) {
        if (slot.accepted_in(view_)) proposed_ = number;
    }
}

EngineEffects Pbft::step(EngineEvent event, Now now) {
    fx_ = {};
    now_ = now;
    std::visit([this](const auto& what) { on(what); }, event);
    finish();
    return std::move(fx_);
}

void Pbft::on(const EngineStart&) {
    if (options_.earliest_view > 0) persist(kEarliestKey, view_record(options_.earliest_view));
    if (active_) pacemaker_.enter(now_.time);
    advance_all();
}

void Pbft::on(const EngineReceived& event) {
    const MessageRef& message = event.message.ref();
    if (const auto* accuse = std::get_if<Accuse>(&message->body)) {
        const Evidence& evidence = accuse->evidence;
        if (evidence.first.epoch == committee().epoch && convicted_.insert(evidence.first.signer).second)
            suspect(evidence);
        return;
    }
    if (const auto* said = std::get_if<Signed>(&message->body)) dispatch(message, *said);
}

void Pbft::dispatch(const MessageRef& message, const Signed& said) {
    const Statement& statement = said.statement;
    const bool ours = statement.engine == committee().engine && committee().contains(statement.signer) &&
                      statement.signer != options_.self &&
                      (statement.epoch == committee().epoch || has_bug(SeededBug::cross_epoch_quorum));
    if (!ours) return;
    switch (statement.kind) {
    case Kind::propose:
        return on_propose(message, said);
    case Kind::prepare:
    case Kind::commit:
        return on_vote(said);
    case Kind::view_change:
        return on_change(message, said);
    case Kind::new_view:
        return on_new_view(message, said);
    default:
        ++fx_.invalid; // nothing that this engine says
    }
}

void Pbft::on(const ProposeBlock& event) {
    if (!wants_proposal() || !event.block) return;
    const Height number = next_slot();
    if ((*event.block)->height != number || (*event.block)->epoch != committee().epoch) return;
    proposed_ = number;
    Signed said = sign(Kind::propose, view_, number, event.block->digest());
    said.body = Propose{event.block};
    Slot& slot = at(number);
    accept(number, slot, {view_, event.block->digest(), said.signature}, event.block);
    broadcast(message(std::move(said)));
    advance(number, slot);
}

void Pbft::on(const WorkWaits& event) { waits_ = event.waits; }

void Pbft::on(const ContentCame& event) {
    if (!event.block) return;
    const auto found = slots_.find((*event.block)->height);
    if (found == slots_.end()) return;
    auto& [number, slot] = *found;
    if (slot.missing != event.block->digest()) return;
    keep_content(number, slot, event.block);
    advance(number, slot);
    decide_any(number, slot);
}

void Pbft::on(const DecidedElsewhere& event) {
    if (event.upto <= decided_) return;
    const Height before = std::exchange(decided_, event.upto);
    for (auto& [number, slot] : slots_) {
        if (number <= decided_) slot.missing.reset();
    }
    went_on(before);
    certify_above(decided_);
}

void Pbft::on(const StableCheckpoint& event) {
    const Certificate& proof = event.proof;
    if (proof.kind != Kind::checkpoint || proof.epoch != committee().epoch || proof.slot <= stable_) return;
    stable_ = proof.slot;
    stable_proof_ = proof;
    persist(kStableKey, wire::encode(proof));
    collect(stable_);
    const Height before = std::exchange(decided_, std::max(decided_, stable_));
    went_on(before);
    if (adopt()) advance_all(); // slots of the new view that the window reaches only now
    certify_above(decided_);
}

void Pbft::on(const PeerStands& event) {
    if (event.peer == options_.self || !committee().contains(event.peer)) return;
    peers_decided_[event.peer] = event.decided;
    if (event.view < view_) help_with_view(event.peer);
    help_with_slots(event.peer, event.decided);
}

void Pbft::on(const SuspectLeader&) {
    if (active_) leave(view_ + 1);
}

void Pbft::on(const EngineTick&) {}

/// What follows from any step: timers, and when to look again.
void Pbft::finish() {
    if (suspects_ && active_) leave(view_ + 1);
    suspects_ = false;
    pacemaker_.work(waits_ || has_open_slot(), now_.time);
    if (pacemaker_.expired(now_.time)) {
        if (active_ && is_behind() && excuses_ < kExcusesMax) {
            ++excuses_;
            pacemaker_.excuse(now_.time);
        } else {
            leave(view_ + 1);
        }
    }

    const bool pending = !active_ || has_open_slot();
    if (!pending) resend_at_.reset();
    if (pending && !resend_at_) resend_at_ = now_.time + interval();
    if (resend_at_ && now_.time >= *resend_at_) {
        resend();
        resend_at_ = now_.time + interval();
    }
    fx_.wake = pacemaker_.deadline();
    if (resend_at_ && (!fx_.wake || *resend_at_ < *fx_.wake)) fx_.wake = resend_at_;
}

/// Whether something was begun in this view, or is known to be decided, and is not yet decided here.
bool Pbft::has_open_slot() const {
    for (auto at = slots_.upper_bound(decided_); at != slots_.end(); ++at) {
        const Slot& slot = at->second;
        if (!slot.decided && (slot.accepted_in(view_) || slot.missing)) return true;
    }
    return false;
}

/// f + 1 others, so at least one honest replica, have decided what is not decided here.
bool Pbft::is_behind() const {
    const auto ahead = [this](Height decided) { return decided > decided_; };
    return static_cast<std::size_t>(std::count_if(peers_decided_.begin(), peers_decided_.end(), ahead)) >=
           committee().validity();
}

/// In a view that it may not speak for (earliest_view), waiting for the others to bring it in.
bool Pbft::is_mute() const {
    const Signed* own = change_of(options_.self);
    return !active_ && (!own || own->statement.view < view_);
}

Statement Pbft::statement(Kind kind, View view, Height slot, const Hash256& digest, ReplicaId signer) const {
    Statement out;
    out.kind = kind;
    out.engine = committee().engine;
    out.epoch = committee().epoch;
    out.view = view;
    out.slot = slot;
    out.signer = signer;
    out.digest = digest;
    return out;
}

Signed Pbft::sign(Kind kind, View view, Height slot, const Hash256& digest) const {
    Signed out;
    out.statement = statement(kind, view, slot, digest, options_.self);
    out.signature = options_.signer->sign(signing_bytes(options_.domain, out.statement));
    out.body = VoteFor{};
    return out;
}

MessageRef Pbft::message(Signed said) const {
    return std::make_shared<const Message>(Message{committee().member(options_.self).name, std::move(said)});
}

void Pbft::convict(const Statement& first, const crypto::Signature& first_signature, const Statement& second,
                   const crypto::Signature& second_signature) {
    // One proof of a replica is enough, and keeps what a faulty one can cause small.
    if (!convicted_.insert(first.signer).second) return;
    fx_.evidence.push_back({first, first_signature, second, second_signature});
    suspect(fx_.evidence.back());
}

/// A leader that proposed two values in the view under way is not waited for.
void Pbft::suspect(const Evidence& evidence) {
    const Statement& lie = evidence.first;
    if (active_ && lie.kind == Kind::propose && lie.view == view_ && lie.signer == committee().leader(view_))
        suspects_ = true;
}

bool Pbft::wants_proposal() const {
    const Height next = next_slot();
    return active_ && leads() && in_window(next) &&
           next <= decided_ + std::max<std::size_t>(options_.pipeline, 1);
}

Height Pbft::next_slot() const { return std::max({proposed_, settled_, decided_, stable_}) + 1; }

BlockRef Pbft::content(Height slot, const Hash256& digest) const {
    const auto found = slots_.find(slot);
    return found == slots_.end() ? nullptr : found->second.content(digest);
}

EngineStatus Pbft::status() const {
    EngineStatus out;
    out.view = is_mute() ? view_ - 1 : view_; // so that whoever leads it tells of it
    out.active = active_;
    out.leader = committee().leader(view_);
    out.decided = decided_;
    out.stable = stable_;
    if (!active_) {
        out.note =
            fmt::format("waits for {} to begin view {}; {} of {} needed replicas left the one before",
                        committee().member(out.leader).name, view_, left_for(view_), committee().quorum());
        return out;
    }
    const auto next = slots_.upper_bound(decided_);
    if (next != slots_.end() && next->second.missing)
        out.note = fmt::format("waits for the content of slot {}", next->first);
    return out;
}

Result<std::unique_ptr<Engine>> make_pbft(EngineOptions options, const EngineMemory& memory) {
    if (auto sound = check(options.committee); !sound) return std::unexpected(sound.error());
    if (!options.committee.contains(options.self) || !options.signer || !options.acceptable)
        return fail(Errc::invalid_argument,
                    "PBFT engine: options without a place in the committee, a signer or a check of blocks",
                    "give all three");
    auto remembered = remember(options, memory);
    if (!remembered) return std::unexpected(remembered.error());
    return std::make_unique<Pbft>(std::move(options), std::move(*remembered));
}

} // namespace dwcp::pbft
