// Proposals, votes, decisions: OSDI section 4.2.
#include "protocols/pbft/core.hpp"
#include "protocols/wire/consensus.hpp"

#include <algorithm>

namespace dwcp::pbft {

using namespace consensus;

namespace {

bool counts(const std::optional<SeenVote>& vote, View view, const Hash256& digest) {
    return vote && vote->digest == digest && (vote->view == view || has_bug(SeededBug::replay_accepted));
}

/// The first `most` votes for a statement, by ascending replica, `without` left out.
std::vector<Vote> votes_for(const Ballot& ballot, View view, const Hash256& digest, std::size_t most,
                            std::optional<ReplicaId> without = std::nullopt) {
    std::vector<Vote> out;
    for (std::size_t id = 0; id < ballot.size() && out.size() < most; ++id) {
        if (without != id && counts(ballot[id], view, digest))
            out.push_back({static_cast<ReplicaId>(id), ballot[id]->signature, std::nullopt});
    }
    return out;
}

} // namespace

Slot& Pbft::at(Height slot) { return slots_.try_emplace(slot, committee().n()).first->second; }

void Pbft::on_propose(const MessageRef& message, const Signed& said) {
    const Statement& what = said.statement;
    const auto* propose = std::get_if<Propose>(&said.body);
    if (!propose || !propose->block || what.signer != committee().leader(what.view) ||
        what.digest != propose->block->digest() || (*propose->block)->height != what.slot ||
        (*propose->block)->epoch != committee().epoch) {
        ++fx_.invalid;
        return;
    }
    if (!in_window(what.slot) || what.view < view_) return;
    if (active_ && what.view == view_) return take_proposal(said, propose->block);
    const View coming = active_ ? view_ + 1 : view_;
    if (what.view == coming) keep_early(message, said);
}

void Pbft::keep_early(const MessageRef& message, const Signed& said) {
    const Statement& what = said.statement;
    const auto place = std::pair(what.view, what.slot);
    if (const auto found = early_.find(place); found != early_.end()) {
        const Signed& first = std::get<Signed>(found->second->body);
        if (first.statement.digest != what.digest)
            convict(first.statement, first.signature, what, said.signature);
        return;
    }
    const std::size_t bytes = bytes_of(**std::get<Propose>(said.body).block);
    if (early_bytes_ + bytes > kEarlyBytes) return;
    early_bytes_ += bytes;
    early_.emplace(place, message);
}

void Pbft::take_proposal(const Signed& said, const BlockRef& block) {
    const Statement& what = said.statement;
    Slot& slot = at(what.slot);
    if (slot.accepted_in(view_)) {
        if (slot.accepted->digest != what.digest) {
            convict(statement(Kind::propose, view_, what.slot, slot.accepted->digest, what.signer),
                    slot.accepted->signature, what, said.signature);
        } else if (!slot.content(what.digest)) {
            keep_content(what.slot, slot, block); // proposed again by a new view, and here it is in full
            advance(what.slot, slot);
            decide_any(what.slot, slot);
        }
        return;
    }
    // What the new view settled, it settled; and what is decided is not voted against.
    if (what.slot <= settled_ || slot.contradicts(what.digest)) return;
    if (const auto acceptable = options_.acceptable(**block, now_); !acceptable) {
        ++fx_.invalid;
        return;
    }
    accept(what.slot, slot, {view_, what.digest, said.signature}, block);
    advance(what.slot, slot);
    decide_any(what.slot, slot);
}

void Pbft::accept(Height number, Slot& slot, Proposal proposal, const BlockRef& block) {
    if (!has_bug(SeededBug::skipped_persist))
        persist(proposal_key(number), proposal_record(committee(), number, proposal));
    slot.accepted = std::move(proposal);
    slot.sent = now_.time;
    keep_content(number, slot, block);
}

void Pbft::keep_content(Height number, Slot& slot, const BlockRef& block) {
    if (slot.missing == block->digest()) {
        slot.missing.reset();
        slot.asked.reset();
    }
    if (slot.content(block->digest())) return;
    const auto needed = [&slot](const BlockRef& kept) {
        const Hash256& digest = kept->digest();
        return (slot.accepted && slot.accepted->digest == digest) ||
               (slot.prepared && slot.prepared->digest == digest) || slot.decided == digest;
    };
    if (slot.contents.size() >= kContentsPerSlot) {
        const auto oldest = std::find_if_not(slot.contents.begin(), slot.contents.end(), needed);
        erase(block_key(number, (*oldest)->digest())); // three are needed at most, so there is one
        slot.contents.erase(oldest);
    }
    slot.contents.push_back(block);
    persist(block_key(number, block->digest()), wire::encode(**block));
}

void Pbft::on_vote(const Signed& said) {
    const Statement& what = said.statement;
    const bool leader_prepares = what.kind == Kind::prepare && what.signer == committee().leader(what.view);
    if (!std::holds_alternative<VoteFor>(said.body) || leader_prepares) {
        ++fx_.invalid;
        return;
    }
    if (!in_window(what.slot)) return;
    Slot& slot = at(what.slot);
    auto& seen = (what.kind == Kind::prepare ? slot.prepares : slot.commits)[what.signer];
    if (seen && seen->view > what.view) return;
    if (seen && seen->view == what.view) {
        if (seen->digest != what.digest)
            convict(statement(what.kind, what.view, what.slot, seen->digest, what.signer), seen->signature,
                    what, said.signature);
        return;
    }
    seen = SeenVote{what.view, what.digest, said.signature};
    if (what.kind == Kind::prepare) certify(what.slot, slot);
    if (what.kind == Kind::commit) decide(what.slot, slot, what.view, what.digest);
}

void Pbft::vote(Kind kind, Height number, Slot& slot, const Hash256& digest) {
    Signed said = sign(kind, view_, number, digest);
    auto& own = (kind == Kind::prepare ? slot.prepares : slot.commits)[options_.self];
    own = SeenVote{view_, digest, said.signature};
    slot.sent = now_.time;
    broadcast(message(std::move(said)));
}

/// Whatever this replica may say of the slot in this view, it says.
void Pbft::advance(Height number, Slot& slot) {
    prepare(number, slot);
    certify(number, slot);
}

void Pbft::prepare(Height number, Slot& slot) {
    if (!active_ || leads() || !slot.accepted_in(view_)) return;
    const auto& own = slot.prepares[options_.self];
    if (own && own->view == view_) return;
    if (slot.contradicts(slot.accepted->digest)) return;
    if (number > decided_ && !obtain(number, slot, slot.accepted->digest)) return;
    vote(Kind::prepare, number, slot, slot.accepted->digest);
}

/// Prepared: the leader's proposal and prepares of quorum - 1 others. It is on record before the commit.
void Pbft::certify(Height number, Slot& slot) {
    if (!active_ || !slot.accepted_in(view_) || slot.contradicts(slot.accepted->digest)) return;
    const auto& own = slot.commits[options_.self];
    if (own && own->view == view_) return;
    const Proposal& proposal = *slot.accepted;
    if (!slot.prepared_in(view_)) {
        const std::size_t needed = committee().quorum() - 1;
        auto votes = votes_for(slot.prepares, view_, proposal.digest, needed, committee().leader(view_));
        if (votes.size() < needed) return;
        if (number > decided_ && !obtain(number, slot, proposal.digest)) return;
        Certificate certificate;
        certificate.kind = Kind::prepare;
        certificate.engine = committee().engine;
        certificate.epoch = committee().epoch;
        certificate.view = view_;
        certificate.slot = number;
        certificate.digest = proposal.digest;
        certificate.leader_signature = proposal.signature;
        certificate.votes = std::move(votes);
        if (!has_bug(SeededBug::skipped_persist)) persist(prepared_key(number), wire::encode(certificate));
        slot.prepared = std::move(certificate);
    }
    if (!may_commit(number)) return;
    vote(Kind::commit, number, slot, proposal.digest);
    decide(number, slot, view_, proposal.digest);
    certify_above(number);
}

/// Whether the slot counts whatever happens below it. Above the end of an epoch everything is void, and no
/// certificate of a commit may say otherwise to those who see it alone: so everything below must be prepared
/// in this view, which keeps it in all later ones, and must not end the epoch.
bool Pbft::may_commit(Height number) {
    if (end_ && number > *end_) return false;
    for (Height below = decided_ + 1; below < number; ++below) {
        const auto at = slots_.find(below);
        if (at == slots_.end()) return false;
        Slot& slot = at->second;
        if (!slot.decided && !slot.prepared_in(view_)) return false;
        const BlockRef block = slot.content(slot.decided ? *slot.decided : slot.prepared->digest);
        if (!block || slot.ends_epoch(committee(), block)) return false;
    }
    return true;
}

/// What is above may have waited for this slot.
void Pbft::certify_above(Height number) {
    const auto next = slots_.find(number + 1);
    if (next != slots_.end()) certify(next->first, next->second);
}

/// A quorum's commits decide, in whatever view they were given and whether it was prepared here or not.
void Pbft::decide(Height number, Slot& slot, View view, const Hash256& digest) {
    if (slot.decided || number <= decided_) return;
    auto votes = votes_for(slot.commits, view, digest, committee().quorum());
    if (votes.size() < committee().quorum()) return;
    const BlockRef block = obtain(number, slot, digest);
    if (!block) return;
    Certificate proof;
    proof.kind = Kind::commit;
    proof.engine = committee().engine;
    proof.epoch = committee().epoch;
    proof.view = view;
    proof.slot = number;
    proof.digest = digest;
    proof.votes = std::move(votes);
    slot.decided = digest;
    slot.decided_at = now_.time;
    if (slot.ends_epoch(committee(), block)) end_ = std::min(end_.value_or(number), number);
    fx_.decided.push_back({number, block, std::move(proof)});
    went_on(decided_);
    certify_above(number);
}

/// Where it is not known which votes might be enough now.
void Pbft::decide_any(Height number, Slot& slot) {
    for (std::size_t id = 0; id < slot.commits.size() && !slot.decided; ++id) {
        if (const auto vote = slot.commits[id]) decide(number, slot, vote->view, vote->digest);
    }
}

void Pbft::advance_all() {
    for (auto& [number, slot] : slots_) {
        advance(number, slot);
        decide_any(number, slot);
    }
}

/// Up to where everything is decided, and whether that is further than before.
void Pbft::went_on(Height before) {
    for (auto next = slots_.find(decided_ + 1);
         next != slots_.end() && next->first == decided_ + 1 && next->second.decided; ++next)
        ++decided_;
    if (decided_ == before) return;
    excuses_ = 0;
    pacemaker_.progress(now_.time);
}

BlockRef Pbft::obtain(Height number, Slot& slot, const Hash256& digest) {
    if (BlockRef here = slot.content(digest)) return here;
    if (auto empty = std::make_shared<const SealedBlock>(Block::empty(committee().epoch, number));
        empty->digest() == digest) {
        keep_content(number, slot, empty);
        return empty;
    }
    if (slot.missing != digest) {
        slot.missing = digest;
        slot.asked.reset();
        ask(number, slot);
    }
    return nullptr;
}

/// Nothing up to `upto` is needed any more.
void Pbft::collect(Height upto) {
    while (!slots_.empty() && slots_.begin()->first <= upto) {
        const auto& [number, slot] = *slots_.begin();
        if (slot.accepted) erase(proposal_key(number));
        if (slot.prepared) erase(prepared_key(number));
        for (const auto& block : slot.contents)
            erase(block_key(number, block->digest()));
        slots_.erase(slots_.begin());
    }
    for (auto at = early_.begin(); at != early_.end();) {
        if (at->first.second > upto) {
            ++at;
            continue;
        }
        early_bytes_ -= bytes_of(**std::get<Propose>(std::get<Signed>(at->second->body).body).block);
        at = early_.erase(at);
    }
}

} // namespace dwcp::pbft
