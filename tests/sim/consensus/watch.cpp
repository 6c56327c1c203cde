#include "tests/sim/consensus/watch.hpp"

#include "protocols/crypto/hash.hpp"
#include "protocols/crypto/sampling.hpp"
#include "tests/sim/consensus/keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace dwcp::sim {
namespace {

using namespace dwcp::consensus;

std::uint64_t mark(const Hash256& hash) {
    std::uint64_t value;
    std::memcpy(&value, hash.bytes.data(), sizeof value);
    return value;
}

std::uint64_t mix(std::initializer_list<std::uint64_t> parts) {
    std::uint64_t value = 0x9e3779b97f4a7c15;
    for (const auto part : parts) {
        value = (value ^ part) * 0xff51afd7ed558ccd;
        value ^= value >> 32;
    }
    return value;
}

std::uint64_t place_of(std::size_t host, const Statement& s) {
    return mix({host, static_cast<std::uint64_t>(s.kind), static_cast<std::uint64_t>(s.engine), s.epoch,
                s.view, s.slot});
}

std::string key_of(const Command& command) {
    return fmt::format("{}/{}/{}", command.id, command.sequence, as_text(command.payload));
}

/// Largest integer whose square is at most `value`.
std::uint64_t root_of(std::uint64_t value) {
    std::uint64_t root = 0;
    while ((root + 1) * (root + 1) <= value)
        ++root;
    return root;
}

struct Counts {
    std::size_t quorum = 0;
    std::size_t sample = 0;
};

/// The rules once more, from the papers: n - f; q = min(ceil(l sqrt n), ceil((n + f + 1) / 2)).
Counts counts_of(const Committee& committee) {
    const std::size_t n = committee.members.size(), f = (n - 1) / 3;
    if (committee.engine != EngineKind::probft) return {n - f, 0};
    // ceil(l sqrt n) with l = k / 1000 is the least q with 1000 q >= k sqrt n, (1000 q)^2 >= k^2 n.
    const std::uint64_t square =
        std::uint64_t{committee.samples.l_permille} * committee.samples.l_permille * n;
    std::uint64_t scaled = root_of(square);
    if (scaled * scaled < square) ++scaled;
    const std::size_t drawn = (scaled + 999) / 1000;
    const std::size_t q = std::min(drawn, (n + f + 2) / 2);
    const std::size_t s = std::min<std::size_t>((committee.samples.o_permille * q + 999) / 1000, n);
    return {q, s};
}

} // namespace

Watch::Watch(const Plan& plan, Domain domain, Committee genesis, Checker& checker)
    : plan_(plan), domain_(std::move(domain)), checker_(checker), correct_(plan.hosts, true) {
    committees_.emplace(genesis.epoch, std::move(genesis));
}

void Watch::violated(std::string what) {
    if (violation_.empty()) violation_ = std::move(what);
}

void Watch::submitted(const Command& command) { submitted_.emplace(key_of(command), 0); }

void Watch::made(std::size_t host, const Signed& message) {
    const auto& s = message.statement;
    made_.insert(mix({place_of(host, s), mark(s.digest)}));
}

void Watch::said(std::size_t host, const Signed& message) {
    const auto& s = message.statement;
    const std::uint64_t what = mix({mark(s.digest), mark(s.annex)});
    const auto [at, fresh] = said_.emplace(place_of(host, s), what);
    if (at->second != what)
        violated(fmt::format("I3: r{} said two things of kind {} in epoch {} view {} slot {}", host,
                             static_cast<int>(s.kind), s.epoch, s.view, s.slot));
    if (!fresh) return;
    auto& left = left_[mix({host, s.epoch})];
    if (s.kind == Kind::view_change) left = std::max(left, s.view);
    const bool votes = s.kind == Kind::propose || s.kind == Kind::prepare || s.kind == Kind::commit;
    if (votes && s.view < left)
        violated(fmt::format("I3: r{} voted anew (kind {}) in view {} slot {} after it had left for view {}",
                             host, static_cast<int>(s.kind), s.view, s.slot, left));
}

void Watch::let_in(const ReplicaName& me, const Signed& message) {
    const auto* vote = std::get_if<VoteFor>(&message.body);
    if (vote == nullptr || message.statement.engine != EngineKind::probft) return;
    const auto found = committees_.find(message.statement.epoch);
    if (found == committees_.end()) return;
    const auto& committee = found->second;
    const auto id = committee.find(me);
    if (!id || !vote->proof || !committee.contains(message.statement.signer))
        return violated("I6: a vote without proof, or for a stranger, was let in at " + me);
    const auto output = checker_.verify_vrf(committee.member(message.statement.signer).key,
                                            vrf_alpha(domain_, message.statement), *vote->proof);
    if (!output) return violated("I6: a vote with a proof that does not hold was let in at " + me);
    const auto counts = counts_of(committee);
    const auto sample = crypto::expand_sample(*output, committee.members.size(), counts.sample);
    if (sample.size() != counts.sample || std::ranges::adjacent_find(sample) != sample.end() ||
        !std::ranges::binary_search(sample, *id))
        violated("I6: a vote that was not drawn for it was let in at " + me);
}

const Committee* Watch::committee_at(Height height) const {
    const Committee* found = nullptr;
    for (const auto& [epoch, committee] : committees_)
        if (committee.first <= height) found = &committee;
    return found;
}

void Watch::decided(std::size_t host, const Commit& commit) {
    const auto height = (*commit.decided.block)->height;
    auto& last = last_decided_[host];
    if (height != last + 1)
        return violated(fmt::format("I1: r{} decided height {} after {}", host, height, last));
    last = height;
    if (height > log_.size() + 1)
        return violated(
            fmt::format("I1: r{} decided height {}, but nobody decided {}", host, height, log_.size() + 1));
    if (height == log_.size() + 1) {
        first_decision(commit);
        check_certificate(host, commit);
    } else if (log_[height - 1]->digest() != commit.decided.block->digest()) {
        return violated(fmt::format("I1: r{} decided another block at height {}: {} instead of {}", host,
                                    height, commit.decided.block->digest().hex().substr(0, 12),
                                    log_[height - 1]->digest().hex().substr(0, 12)));
    } else if (plan_.certificates_one_in <= 1 || mix({host, height}) % plan_.certificates_one_in == 0) {
        check_certificate(host, commit);
    }
    if (chain_[height - 1] != commit.chain)
        violated(fmt::format("I1: r{} has another chain at height {}", host, height));
}

void Watch::first_decision(const Commit& commit) {
    const auto& block = commit.decided.block;
    for (const auto& transaction : (*block)->transactions) {
        if (!submitted_.contains(key_of(transaction.command)))
            violated(fmt::format("I2: nobody submitted command {} {} of height {}", transaction.command.id,
                                 transaction.command.sequence, (*block)->height));
    }
    chain_.push_back(next_chain(chain_.empty() ? Hash256{} : chain_.back(), block->digest()));
    if ((*block)->digest() != block->digest()) violated("I1: a block is not what its digest says");
    commands_ += state_.apply(**block);
    log_.push_back(block);
    roots_.push_back(state_.root());
    if (commit.next) {
        if (commit.next->first != log_.size() + 1)
            violated(
                fmt::format("I1: the epoch after height {} begins at {}", log_.size(), commit.next->first));
        committees_.emplace(commit.next->epoch, *commit.next);
    }
}

void Watch::applied(std::size_t host, Height height, const Hash256& root) {
    if (height == 0 || height > roots_.size())
        return violated(fmt::format("I1: r{} is at height {} of {}", host, height, roots_.size()));
    if (roots_[height - 1] != root)
        violated(fmt::format("I2: r{} has another state after height {}", host, height));
}

void Watch::answered(const Command& command, const Answer::Place& place) {
    const auto stands = [&] {
        if (place.height == 0 || place.height > log_.size()) return false;
        const auto& transactions = (*log_[place.height - 1])->transactions;
        return place.position < transactions.size() && transactions[place.position].command == command;
    };
    if (!stands())
        violated(fmt::format("I2: {} {} was answered with height {} position {}, where it does not stand",
                             command.id, command.sequence, place.height, place.position));
}

void Watch::evidence(std::size_t host, const Evidence& evidence) {
    const auto& first = evidence.first;
    const auto found = committees_.find(first.epoch);
    if (found == committees_.end() || !found->second.contains(first.signer)) return;
    const auto accused = host_of(found->second, first.signer);
    if (accused < correct_.size() && correct_[accused])
        violated(fmt::format("I3: r{} has evidence against r{}, which is correct", host, accused));
    convicted_.insert(found->second.member(first.signer).name);
}

void Watch::bounded(std::size_t host, std::size_t value, std::size_t limit, const char* what) {
    if (value > limit) violated(fmt::format("I8: r{} has {} {}, more than {}", host, value, what, limit));
}

std::size_t Watch::host_of(const Committee& committee, ReplicaId id) const {
    const auto& name = committee.member(id).name;
    return std::stoul(name.substr(1));
}

void Watch::check_certificate(std::size_t host, const Commit& commit) {
    ++certificates_;
    const auto& block = commit.decided.block;
    const auto flaw = flaw_of(commit.decided.proof, block->digest(), (*block)->height);
    if (!flaw.empty())
        violated(fmt::format("I4: the certificate with which r{} decided height {} {}", host,
                             (*block)->height, flaw));
}

std::string Watch::flaw_of(const Certificate& certificate, const Hash256& digest, Height height) {
    const Committee* committee = committee_at(height);
    if (committee == nullptr || certificate.epoch != committee->epoch)
        return fmt::format("is of epoch {}", certificate.epoch);
    if (certificate.engine != committee->engine) return "is of another engine";
    if (certificate.kind != Kind::commit) return "is not of kind commit";
    if (certificate.slot != height || certificate.digest != digest) return "is for something else";
    const auto counts = counts_of(*committee);
    if (certificate.votes.size() < counts.quorum)
        return fmt::format("has {} votes, {} are needed", certificate.votes.size(), counts.quorum);
    for (std::size_t i = 0; i < certificate.votes.size(); ++i) {
        if (i > 0 && certificate.votes[i].replica <= certificate.votes[i - 1].replica)
            return "has votes that are not distinct or not in order";
        if (auto flaw = flaw_of_vote(certificate, certificate.votes[i], *committee); !flaw.empty())
            return flaw;
    }
    return {};
}

std::string Watch::flaw_of_vote(const Certificate& certificate, const Vote& vote,
                                const Committee& committee) {
    if (!committee.contains(vote.replica)) return "has a vote of a stranger";
    const auto statement = statement_of(certificate, vote);
    const auto& member = committee.member(vote.replica);
    if (!checker_.verify(member.key, signing_bytes(domain_, statement), vote.signature))
        return fmt::format("has a vote of {} that was not signed", member.name);
    const auto voter = host_of(committee, vote.replica);
    if (correct_[voter] && !made_.contains(mix({place_of(voter, statement), mark(statement.digest)})))
        return fmt::format("has a vote of {} that it never cast", member.name);
    if (certificate.engine != EngineKind::probft) return {};
    if (!vote.proof || !certificate.recipient) return "lacks a proof";
    const auto output = checker_.verify_vrf(member.key, vrf_alpha(domain_, statement), *vote.proof);
    if (!output) return fmt::format("has a proof of {} that does not hold", member.name);
    const auto sample = crypto::expand_sample(*output, committee.members.size(), counts_of(committee).sample);
    if (!std::ranges::binary_search(sample, *certificate.recipient))
        return fmt::format("has a vote of {} that was drawn for others", member.name);
    return {};
}

} // namespace dwcp::sim
