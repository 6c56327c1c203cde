#include "protocols/consensus/verifier.hpp"

#include "protocols/consensus/verifier_parts.hpp"
#include "protocols/crypto/sampling.hpp"

#include <algorithm>

namespace dwcp::consensus {
namespace verifier_parts {

std::unexpected<Error> untrue(std::string what) {
    return fail(
        Errc::unauthenticated, "consensus: " + std::move(what),
        "a replica sends what does not hold: see which, and whether its clock, key and version are right");
}

Result<const Committee*> committee_of(const LaneView& view, Epoch epoch) {
    if (has_bug(SeededBug::cross_epoch_quorum) && !view.committees.empty())
        return &view.committees.rbegin()->second;
    const auto found = view.committees.find(epoch);
    if (found != view.committees.end()) return &found->second;
    return fail(Errc::precondition_failed, "consensus: epoch " + std::to_string(epoch) + " is not known here",
                "the member that knows it sends the blocks that led there");
}

bool draws_samples(const Committee& committee, Kind kind) {
    return committee.engine == EngineKind::probft && (kind == Kind::prepare || kind == Kind::commit);
}

bool in_sample(const LaneView& view, Checker& checker, const Committee& committee, const Statement& vote,
               const crypto::VrfProof& proof, ReplicaId recipient) {
    if (vote.annex != proof_digest(proof) || !committee.contains(vote.signer)) return false;
    const auto& key = committee.member(vote.signer).key;
    const auto output = checker.verify_vrf(key, vrf_alpha(view.domain, vote), proof);
    if (!output) return false;
    const auto sample = crypto::expand_sample(*output, committee.n(), sample_sizes(committee).sample);
    return std::binary_search(sample.begin(), sample.end(), recipient);
}

} // namespace verifier_parts

using namespace verifier_parts;

namespace {

/// Some signed statements can never be right: a field that the kind leaves zero, a slot of an earlier epoch.
bool is_possible(const Statement& statement, const Committee& committee) {
    switch (statement.kind) {
    case Kind::propose:
        return statement.slot >= committee.first && statement.annex.is_zero();
    case Kind::prepare:
    case Kind::commit:
        return statement.slot >= committee.first &&
               statement.annex.is_zero() != draws_samples(committee, statement.kind);
    case Kind::checkpoint:
        return statement.view == 0 && statement.annex.is_zero();
    case Kind::view_change:
    case Kind::new_view:
    case Kind::wish:
        return statement.slot == 0 && statement.annex.is_zero();
    case Kind::command:
        return false; // not a replica's to say
    }
    return false;
}

std::string name_of(const Certificate& certificate) {
    const char* kind = certificate.kind == Kind::prepare  ? "prepare"
                       : certificate.kind == Kind::commit ? "commit"
                                                          : "checkpoint";
    return std::string(kind) + " certificate of slot " + std::to_string(certificate.slot) + ", view " +
           std::to_string(certificate.view);
}

/// What can be said without looking at a signature.
Result<void> check_form(const Certificate& certificate, const Committee& committee) {
    const auto& votes = certificate.votes;
    if (certificate.kind != Kind::prepare && certificate.kind != Kind::commit &&
        certificate.kind != Kind::checkpoint)
        return untrue("a certificate is of no kind that is certified");
    if (certificate.engine != committee.engine)
        return untrue(name_of(certificate) + " is of another engine than its epoch's");
    const auto not_ascending = [](const Vote& a, const Vote& b) { return a.replica >= b.replica; };
    if (std::adjacent_find(votes.begin(), votes.end(), not_ascending) != votes.end())
        return untrue(name_of(certificate) + " has votes out of order or a replica twice");
    if (!votes.empty() && !committee.contains(votes.back().replica))
        return untrue(name_of(certificate) + " has a vote of no member");
    const bool samples = draws_samples(committee, certificate.kind);
    if (certificate.recipient.has_value() != samples)
        return untrue(name_of(certificate) + (samples ? " lacks its recipient" : " names a recipient"));
    if (samples && !committee.contains(*certificate.recipient))
        return untrue(name_of(certificate) + " has a recipient that is no member");
    if (samples && !certificate.leader_signature)
        return untrue(name_of(certificate) + " lacks the leader's signature");
    for (const auto& vote : votes) {
        if (vote.proof.has_value() != samples)
            return untrue(name_of(certificate) + (samples ? " lacks a VRF proof" : " has a VRF proof"));
    }
    return {};
}

} // namespace

Verifier::Verifier(std::shared_ptr<const LaneView> view, Checker& checker)
    : view_(std::move(view)), checker_(checker) {}

bool Verifier::holds(const Statement& statement, const crypto::Signature& signature) const {
    const auto committee = committee_of(*view_, statement.epoch);
    if (!committee) return false;
    const auto& epoch = **committee;
    if (statement.engine != epoch.engine || !epoch.contains(statement.signer)) return false;
    if (!is_possible(statement, epoch)) return false;
    return checker_.verify(epoch.member(statement.signer).key, signing_bytes(view_->domain, statement),
                           signature);
}

Result<void> Verifier::holds(const Certificate& certificate) const {
    const auto found = committee_of(*view_, certificate.epoch);
    if (!found) return std::unexpected(found.error());
    const auto& committee = **found;
    if (const auto formed = check_form(certificate, committee); !formed) return formed;
    if (certificate.leader_signature) {
        const auto leader = committee.leader(certificate.view);
        // The proposal is the leader's prepare; a second one would count it twice.
        const auto is_leader = [leader](const Vote& vote) { return vote.replica == leader; };
        if (certificate.kind == Kind::prepare && committee.engine != EngineKind::probft &&
            std::any_of(certificate.votes.begin(), certificate.votes.end(), is_leader))
            return untrue(name_of(certificate) + " counts its leader twice");
        const auto proposal = proposal_of(statement_of(certificate, {}), leader);
        if (!holds(proposal, *certificate.leader_signature))
            return untrue(name_of(certificate) + ": the leader's signature does not hold");
    }
    for (const auto& vote : certificate.votes) {
        const auto statement = statement_of(certificate, vote);
        const auto who = committee.member(vote.replica).name;
        if (!holds(statement, vote.signature))
            return untrue(name_of(certificate) + ": the vote of " + who + " does not hold");
        if (vote.proof &&
            !in_sample(*view_, checker_, committee, statement, *vote.proof, *certificate.recipient))
            return untrue(name_of(certificate) + ": " + who + " did not draw the recipient");
    }
    return {};
}

Result<void> Verifier::proves(const Certificate& commit, const Hash256& block, Height height) const {
    if (commit.kind != Kind::commit || commit.slot != height || commit.digest != block)
        return untrue("the proof of block " + std::to_string(height) + " is of something else");
    const auto found = committee_of(*view_, commit.epoch);
    if (!found) return std::unexpected(found.error());
    const auto& committee = **found;
    if (committee.engine == EngineKind::bullshark)
        return fail(Errc::unimplemented,
                    "consensus: decisions of bullshark are proven by its own certificates");
    const auto next = view_->committees.upper_bound(committee.epoch);
    if (height < committee.first || (next != view_->committees.end() && height >= next->second.first))
        return untrue("block " + std::to_string(height) + " is not of epoch " +
                      std::to_string(committee.epoch));
    const auto needed =
        committee.engine == EngineKind::probft ? sample_sizes(committee).quorum : committee.quorum();
    if (commit.votes.size() < needed)
        return untrue(name_of(commit) + " has " + std::to_string(commit.votes.size()) + " votes of " +
                      std::to_string(needed));
    return holds(commit);
}

Result<void> Verifier::proves_checkpoint(const Certificate& certificate) const {
    if (certificate.kind != Kind::checkpoint) return untrue("the proof of a checkpoint is of something else");
    const auto found = committee_of(*view_, certificate.epoch);
    if (!found) return std::unexpected(found.error());
    const auto needed = (*found)->quorum();
    if (certificate.votes.size() < needed)
        return untrue(name_of(certificate) + " has " + std::to_string(certificate.votes.size()) +
                      " votes of " + std::to_string(needed));
    return holds(certificate);
}

Result<void> Verifier::holds(const Evidence& evidence) const {
    const auto& [first, first_signature, second, second_signature] = evidence;
    const auto found = committee_of(*view_, first.epoch);
    if (!found) return std::unexpected(found.error());
    const bool same_question = first.kind == second.kind && first.engine == second.engine &&
                               first.epoch == second.epoch && first.view == second.view &&
                               first.slot == second.slot && first.signer == second.signer;
    if (!same_question || first.digest == second.digest) return untrue("what is shown convicts nobody");
    if (!holds(first, first_signature) || !holds(second, second_signature))
        return untrue("what is shown was not signed by whom it accuses");
    return {};
}

Result<void> Verifier::holds(const Transaction& transaction) const {
    if (!view_->signed_transactions && !transaction.command.id.starts_with(kReconfigureId)) return {};
    const auto key = view_->key_of_node ? view_->key_of_node(transaction.submitter) : std::nullopt;
    if (!key) return untrue("a command was taken in by '" + transaction.submitter + "', unknown here");
    const auto bytes = signing_bytes(view_->domain, submission_of(transaction));
    if (!checker_.verify(*key, bytes, transaction.signature))
        return untrue("the signature of " + transaction.submitter + " under a command does not hold");
    return {};
}

} // namespace dwcp::consensus
