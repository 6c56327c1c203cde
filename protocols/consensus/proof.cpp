#include "protocols/consensus/proof.hpp"

#include "protocols/crypto/merkle.hpp"

#include <algorithm>
#include <utility>

namespace dwcp::consensus {
namespace {

constexpr const char* kDistrust = "do not rely on it; ask another node for the proof";

std::unexpected<Error> unproven(std::string why) {
    return fail(Errc::unauthenticated, "the proof does not hold: " + std::move(why), kDistrust);
}

std::unexpected<Error> malformed(std::string why) {
    return fail(Errc::invalid_argument, "this is no sound proof: " + std::move(why), kDistrust);
}

std::string epoch_text(Epoch epoch) { return "epoch " + std::to_string(epoch); }

/// Exactly one engine's form: what an engine does not use must not be there.
bool has_form_of(const Certificate& certificate, EngineKind engine) {
    const bool sampled = engine == EngineKind::probft;
    const auto has_its_proof = [&](const Vote& vote) { return vote.proof.has_value() == sampled; };
    return certificate.recipient.has_value() == sampled &&
           certificate.leader_signature.has_value() == sampled &&
           std::ranges::all_of(certificate.votes, has_its_proof);
}

/// The committee of `view` decided the block of `digest` at `height`.
Result<void> decided_by(const Domain& domain, const Committee& committee, Checker& checker,
                        const Certificate& commit, const Hash256& digest, Height height) {
    if (commit.epoch != committee.epoch || height < committee.first)
        return unproven("block " + std::to_string(height) + " is not of " + epoch_text(committee.epoch));
    if (!has_form_of(commit, committee.engine))
        return unproven("the certificate of block " + std::to_string(height) + " is not of the engine " +
                        std::string(to_string(committee.engine)));
    auto view = std::make_shared<LaneView>();
    view->domain = domain;
    view->committees.emplace(committee.epoch, committee);
    const auto proven = Verifier(std::move(view), checker).proves(commit, digest, height);
    if (!proven) return unproven(proven.error().message);
    return {};
}

/// Leads from the first committee to the one that follows the proof's epochs.
Result<Committee> last_committee(const Proof& proof, const Domain& domain, Checker& checker) {
    Committee committee = proof.genesis;
    for (const auto& [block, commit] : proof.epochs) {
        if (block == nullptr) return malformed("a block of an epoch's end is missing");
        if ((*block)->epoch != committee.epoch)
            return unproven("the block that ends " + epoch_text(committee.epoch) + " is of " +
                            epoch_text((*block)->epoch));
        if (auto decided = decided_by(domain, committee, checker, commit, block->digest(), (*block)->height);
            !decided)
            return std::unexpected(decided.error());
        auto next = next_committee(committee, **block);
        if (!next)
            return unproven("block " + std::to_string((*block)->height) + " does not end " +
                            epoch_text(committee.epoch));
        committee = *std::move(next);
    }
    return committee;
}

Result<void> check_form(const Proof& proof) {
    if (const auto sound = check(proof.genesis); !sound) return malformed(sound.error().message);
    if (proof.genesis.epoch != 1 || proof.genesis.first != 1)
        return malformed("a lane's first committee is that of epoch 1 from height 1 on");
    if (proof.epochs.size() > kProofEpochsMax)
        return malformed("it leads through more than " + std::to_string(kProofEpochsMax) + " epochs");
    if (proof.transaction.signature != crypto::Signature{})
        return malformed("a submitter's signature is no part of a proof");
    for (const auto& [block, commit] : proof.epochs)
        if (block != nullptr)
            for (const auto& transaction : (*block)->transactions)
                if (transaction.signature != crypto::Signature{})
                    return malformed("a submitter's signature is no part of a proof");
    return {};
}

/// The same block, as a proof carries it.
BlockRef without_signatures(const BlockRef& block) {
    Block copy = **block;
    for (auto& transaction : copy.transactions)
        transaction.signature = {};
    return std::make_shared<const SealedBlock>(std::move(copy));
}

std::vector<ReplicaName> names_of(const Committee& committee, const std::vector<Vote>& votes) {
    std::vector<ReplicaName> names;
    for (const auto& vote : votes)
        names.push_back(committee.member(vote.replica).name);
    return names;
}

} // namespace

Domain Proof::domain() const { return {cluster, lane, genesis.digest()}; }

Result<Proof> make_proof(const Domain& domain, const Committee& genesis, std::vector<DecidedBlock> epochs,
                         const DecidedBlock& decided, std::uint32_t index) {
    const auto& transactions = (*decided.block)->transactions;
    if (index >= transactions.size())
        return fail(Errc::invalid_argument,
                    "block " + std::to_string((*decided.block)->height) + " has " +
                        std::to_string(transactions.size()) + " transactions, none at " +
                        std::to_string(index),
                    "positions count from 0");
    std::vector<Hash256> leaves;
    leaves.reserve(transactions.size());
    for (const auto& transaction : transactions)
        leaves.push_back(crypto::merkle_leaf(transaction.digest().view()));
    for (auto& epoch : epochs)
        epoch.block = without_signatures(epoch.block);
    Proof proof{.cluster = domain.cluster,
                .lane = domain.lane,
                .genesis = genesis,
                .epochs = std::move(epochs),
                .header = header_of(**decided.block),
                .index = index,
                .path = crypto::merkle_path(leaves, index),
                .transaction = transactions[index],
                .commit = decided.proof};
    proof.transaction.signature = {};
    return proof;
}

Result<Verdict> verify(const Proof& proof, Checker& checker, const Hash256* trusted_genesis) {
    if (auto sound = check_form(proof); !sound) return std::unexpected(sound.error());
    const Domain domain = proof.domain();
    if (trusted_genesis != nullptr && *trusted_genesis != domain.genesis)
        return unproven("its first committee is not the one you trust but " + domain.genesis.hex());
    auto committee = last_committee(proof, domain, checker);
    if (!committee) return std::unexpected(committee.error());
    const auto& header = proof.header;
    if (header.epoch != committee->epoch)
        return unproven("block " + std::to_string(header.height) + " is of " + epoch_text(header.epoch) +
                        ", the proof leads to " + epoch_text(committee->epoch));
    if (auto decided = decided_by(domain, *committee, checker, proof.commit, header.digest(), header.height);
        !decided)
        return std::unexpected(decided.error());
    const auto leaf = crypto::merkle_leaf(proof.transaction.digest().view());
    if (!crypto::merkle_verify(leaf, proof.index, header.count, proof.path, header.merkle_root))
        return unproven("the transaction is not number " + std::to_string(proof.index) + " of block " +
                        std::to_string(header.height));
    return Verdict{.domain = domain,
                   .committee = *committee,
                   .height = header.height,
                   .index = proof.index,
                   .time_ms = header.time_ms,
                   .proposer = header.proposer,
                   .signers = names_of(*committee, proof.commit.votes),
                   .votes_needed = committee->engine == EngineKind::probft ? sample_sizes(*committee).quorum
                                                                           : committee->quorum(),
                   .genesis_known = trusted_genesis != nullptr};
}

} // namespace dwcp::consensus
