// A slot from proposal to decision.

#include "protocols/crypto/sampling.hpp"
#include "protocols/probft/core.hpp"

#include <algorithm>

namespace dwcp::probft {

void Core::on(const ProposeBlock& propose) {
    const auto& block = propose.block;
    if (!wants_proposal() || !block || (*block)->height != next_slot_) return;
    const auto said = statement(Kind::propose, view_, next_slot_, block->digest());
    const auto message = sign(said, Propose{block});
    const Value value{block->digest(), std::get<Signed>(message->body).signature};
    ++next_slot_;
    if (!note(said.slot, value)) return;
    auto& slot = slots_[said.slot];
    note_content(said.slot, block);
    slot.proposal = message;
    persist_content(said.slot, slot, block);
    persist_proposal(said.slot, value.digest);
    effects_.broadcasts.push_back(message);
    try_vote(said.slot);
}

void Core::receive(const Signed& message, const Propose& propose) {
    const auto& said = message.statement;
    const auto& block = propose.block;
    if (said.signer != leader() || !block || block->digest() != said.digest ||
        (*block)->height != said.slot || (*block)->epoch != options_.committee.epoch) {
        ++effects_.invalid;
        return;
    }
    if (!note(said.slot, {said.digest, message.signature})) return;
    note_content(said.slot, block);
    try_vote(said.slot);
}

void Core::receive(const Signed& message, const VoteFor& vote) {
    const auto& said = message.statement;
    if ((said.kind != Kind::prepare && said.kind != Kind::commit) || !vote.proof || !vote.leader_signature) {
        ++effects_.invalid;
        return;
    }
    if (!note(said.slot, {said.digest, *vote.leader_signature})) return;
    auto& slot = slots_[said.slot];
    const auto& votes = said.kind == Kind::prepare ? slot.prepares : slot.commits;
    if (const auto held = votes.find(said.signer);
        held != votes.end() && held->second.digest != said.digest) {
        auto earlier = said;
        earlier.digest = held->second.digest;
        earlier.annex = proof_digest(*held->second.vote.proof);
        if (liars_.insert(said.signer).second)
            effects_.evidence.push_back({earlier, held->second.vote.signature, said, message.signature});
        return;
    }
    count(said.kind, said.slot, {said.signer, message.signature, vote.proof}, said.digest);
    advance(said.slot);
}

bool Core::note(Height height, const Value& value) {
    if (!in_window(height)) return false;
    auto& slot = slots_[height];
    if (!slot.value) {
        slot.value = value;
        slot.sent = now_.time;
        return true;
    }
    if (slot.value->digest == value.digest) return true;
    auto first = statement(Kind::propose, view_, height, slot.value->digest);
    first.signer = leader();
    auto second = first;
    second.digest = value.digest;
    block_view(view_, {first, slot.value->signature, second, value.signature});
    return has_bug(SeededBug::no_view_block);
}

void Core::block_view(View view, const Evidence& evidence) {
    if (view < view_ || view > view_ + kConvictedAhead || !convicted_.insert(view).second) return;
    effects_.evidence.push_back(evidence);
    effects_.broadcasts.push_back(std::make_shared<const Message>(
        Message{.from = options_.committee.member(options_.self).name, .body = Accuse{evidence}}));
    if (view != view_ || has_bug(SeededBug::no_view_block)) return;
    blocked_ = true;
    suspect_ = true;
    persist_view();
}

void Core::note_content(Height height, const BlockRef& block) {
    const auto at = slots_.find(height);
    if (at == slots_.end()) return;
    auto& slot = at->second;
    const auto& digest = block->digest();
    if ((slot.value && slot.value->digest == digest) || (slot.prepared && slot.prepared->digest == digest))
        slot.contents.emplace(digest, block);
}

bool Core::is_safe(Height height, const Hash256& digest) const {
    if (height > reproposed_upto_) return true;
    const auto again = reproposed_.find(height);
    return again != reproposed_.end() && again->second.digest == digest;
}

bool Core::is_decided(Height height) const {
    if (height <= decided_) return true;
    const auto slot = slots_.find(height);
    return slot != slots_.end() && slot->second.decided;
}

/// A vote says that the content is here, so that what was prepared can be had from most. Where the slot is
/// decided, it is in the logs.
bool Core::acceptable(Height height, Slot& slot) {
    const auto& digest = slot.value->digest;
    if (!is_safe(height, digest) || (slot.decided && *slot.decided != digest)) return false;
    const auto content = slot.contents.find(digest);
    if (content == slot.contents.end()) return height <= decided_;
    // What was prepared before was accepted by those who did.
    return height <= reproposed_upto_ || !options_.acceptable || options_.acceptable(**content->second, now_);
}

void Core::try_vote(Height height) {
    const auto at = slots_.find(height);
    if (at == slots_.end() || !may_vote() || !in_window(height)) return;
    auto& slot = at->second;
    if (slot.value && !slot.prepare && acceptable(height, slot)) cast(Kind::prepare, height, slot);
    advance(height);
}

Core::OwnVote Core::make_vote(Kind kind, Height height, const Value& value) const {
    auto said = statement(kind, view_, height, value.digest);
    const auto drawn = options_.signer->vrf_prove(vrf_alpha(options_.domain, said));
    said.annex = proof_digest(drawn.proof);
    return {sign(said, VoteFor{value.signature, drawn.proof}),
            crypto::expand_sample(drawn.output, options_.committee.n(), sizes_.sample)};
}

void Core::hold_own(Kind kind, Height height, Slot& slot) {
    auto& own = kind == Kind::prepare ? slot.prepare : slot.commit;
    own = make_vote(kind, height, *slot.value);
    if (!std::binary_search(own->sample.begin(), own->sample.end(), options_.self)) return;
    const auto& message = std::get<Signed>(own->message->body);
    count(kind, height, {options_.self, message.signature, std::get<VoteFor>(message.body).proof},
          slot.value->digest);
}

void Core::cast(Kind kind, Height height, Slot& slot) {
    hold_own(kind, height, slot);
    slot.sent = now_.time;
    if (const auto content = slot.contents.find(slot.value->digest); content != slot.contents.end())
        persist_content(height, slot, content->second);
    persist_vote(height, slot);
    const auto& own = kind == Kind::prepare ? slot.prepare : slot.commit;
    for (const auto to : own->sample)
        if (to != options_.self) effects_.sends.push_back({to, own->message});
}

/// Votes that can change nothing any more are not kept.
void Core::count(Kind kind, Height height, const Vote& vote, const Hash256& digest) {
    auto& slot = slots_[height];
    if (kind == Kind::prepare ? slot.commit.has_value() : slot.decided == digest) return;
    (kind == Kind::prepare ? slot.prepares : slot.commits).emplace(vote.replica, HeldVote{digest, vote});
}

std::optional<Certificate> Core::quorum_of(const Votes& votes, Kind kind, Height height,
                                           const Value& value) const {
    if (votes.size() < sizes_.quorum) return std::nullopt;
    Certificate certificate{.kind = kind,
                            .engine = EngineKind::probft,
                            .epoch = options_.committee.epoch,
                            .view = view_,
                            .slot = height,
                            .digest = value.digest,
                            .recipient = options_.self,
                            .leader_signature = value.signature,
                            .votes = {}};
    for (const auto& [replica, held] : votes)
        if (held.digest == value.digest) certificate.votes.push_back(held.vote);
    if (certificate.votes.size() < sizes_.quorum) return std::nullopt;
    return certificate;
}

bool Core::ends_epoch(Slot& slot, const Hash256& digest) const {
    if (!slot.end || slot.end->first != digest)
        slot.end = {digest, next_committee(options_.committee, **slot.contents.at(digest)).has_value()};
    return slot.end->second;
}

/// Whether the slot counts whatever happens below it. Above the end of an epoch everything is void, and no
/// certificate of a commit may say otherwise to those who see it alone: so everything below must be prepared
/// in this view, which keeps it in all later ones, and must not end the epoch.
bool Core::may_commit(Height height) {
    if (end_ && height > *end_) return false;
    for (Height below = decided_ + 1; below < height; ++below) {
        const auto at = slots_.find(below);
        if (at == slots_.end()) return false;
        auto& slot = at->second;
        if (!slot.decided && (!slot.prepared || slot.prepared->view != view_)) return false;
        const auto& digest = slot.decided ? *slot.decided : slot.prepared->digest;
        if (!slot.contents.contains(digest) || ends_epoch(slot, digest)) return false;
    }
    return true;
}

/// What is above may have waited for this slot.
void Core::advance_above(Height height) {
    if (slots_.contains(height + 1)) advance(height + 1);
}

void Core::advance(Height height) {
    auto& slot = slots_[height];
    if (!may_vote() || !slot.value || !slot.prepare) return;
    if (!slot.commit) {
        if (!slot.prepared || slot.prepared->view != view_) {
            if (auto prepared = quorum_of(slot.prepares, Kind::prepare, height, *slot.value)) {
                slot.prepared = std::move(prepared);
                persist_prepared(height, slot);
            }
        }
        if (slot.prepared && slot.prepared->view == view_ && may_commit(height)) {
            cast(Kind::commit, height, slot);
            slot.prepares.clear();
            advance_above(height);
        }
    }
    if (slot.decided == slot.value->digest || (height <= decided_ && !slot.decided) ||
        !slot.contents.contains(slot.value->digest))
        return;
    if (auto proof = quorum_of(slot.commits, Kind::commit, height, *slot.value))
        decide(height, slot, *std::move(proof));
}

void Core::decide(Height height, Slot& slot, Certificate proof) {
    if (slot.decided) {
        alarm_ = "slot " + std::to_string(height) + " was decided twice, with different blocks: more than " +
                 std::to_string(options_.committee.f()) + " replicas lie, or the draws were unlucky";
        return;
    }
    slot.decided = proof.digest;
    slot.commits.clear();
    if (ends_epoch(slot, proof.digest)) end_ = std::min(end_.value_or(height), height);
    effects_.decided.push_back({height, slot.contents.at(proof.digest), std::move(proof)});
    decided_up_to(decided_);
    pacemaker_.progress(now_.time);
    advance_above(height);
}

void Core::decided_up_to(Height height) {
    decided_ = std::max(decided_, height);
    for (auto it = slots_.find(decided_ + 1); it != slots_.end() && it->second.decided;
         it = slots_.find(decided_ + 1))
        ++decided_;
    next_slot_ = std::max(next_slot_, decided_ + 1);
}

} // namespace dwcp::probft
