#include "protocols/consensus/checkpoints.hpp"

#include <algorithm>
#include <iterator>

namespace dwcp::consensus {

std::optional<Certificate> Checkpoints::add(const Committee& committee, const Statement& vote,
                                            const crypto::Signature& signature) {
    if (vote.slot <= stable_) return std::nullopt;
    auto& heights = heights_[{vote.epoch, vote.signer}];
    if (!heights.insert(vote.slot).second) return std::nullopt;
    if (heights.size() > kPerMember) {
        const auto lowest = *heights.begin();
        heights.erase(heights.begin());
        if (const auto at = votes_.find({lowest, vote.epoch}); at != votes_.end())
            if (at->second.erase(vote.signer); at->second.empty()) votes_.erase(at);
        if (lowest == vote.slot) return std::nullopt;
    }
    auto& ballots = votes_[{vote.slot, vote.epoch}];
    ballots[vote.signer] = {vote.digest, signature};
    std::size_t equal = 0;
    for (const auto& [replica, ballot] : ballots)
        equal += ballot.digest == vote.digest ? 1 : 0;
    if (equal < committee.quorum()) return std::nullopt;
    Certificate proof{.kind = Kind::checkpoint,
                      .engine = vote.engine,
                      .epoch = vote.epoch,
                      .view = 0,
                      .slot = vote.slot,
                      .digest = vote.digest,
                      .recipient = {},
                      .leader_signature = {},
                      .votes = {}};
    for (const auto& [replica, ballot] : ballots)
        if (ballot.digest == vote.digest)
            proof.votes.push_back({.replica = replica, .signature = ballot.signature, .proof = {}});
    return proof;
}

void Checkpoints::keep_own(Signed vote) {
    const auto height = vote.statement.slot;
    own_.insert_or_assign(height, std::move(vote));
    if (own_.size() > kKept) own_.erase(own_.begin());
}

std::vector<Signed> Checkpoints::own_above(Height height) const {
    std::vector<Signed> votes;
    for (auto at = own_.upper_bound(height); at != own_.end(); ++at)
        votes.push_back(at->second);
    return votes;
}

void Checkpoints::collect(Height stable) {
    stable_ = std::max(stable_, stable);
    while (!votes_.empty() && votes_.begin()->first.first <= stable_)
        votes_.erase(votes_.begin());
    for (auto at = heights_.begin(); at != heights_.end();) {
        auto& heights = at->second;
        heights.erase(heights.begin(), heights.upper_bound(stable_));
        at = heights.empty() ? heights_.erase(at) : std::next(at);
    }
}

} // namespace dwcp::consensus
