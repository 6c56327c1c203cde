// A lane's decisions made without a lane: real keys, certificates signed by them, for tests of proofs.
#pragma once

#include "protocols/consensus/proof.hpp"
#include "protocols/crypto/memo.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace dwcp::test {

class ProofRig {
  public:
    ProofRig(consensus::EngineKind engine, std::size_t n, std::string lane = "control") {
        crypto::initialise();
        committee_.engine = engine;
        committee_.members = members(n);
        genesis_ = committee_;
        domain_ = {"lab", std::move(lane), genesis_.digest()};
    }

    /// Decides a block with the transactions, by the committee as it is now, and follows what it changes.
    consensus::DecidedBlock decide(std::vector<consensus::Transaction> transactions) {
        consensus::Block block;
        block.height = ++height_;
        block.epoch = committee_.epoch;
        block.time_ms = 1'790'000'000'000 + 1000 * height_;
        block.proposer = "site-a";
        block.transactions = std::move(transactions);
        auto sealed = std::make_shared<const consensus::SealedBlock>(std::move(block));
        consensus::DecidedBlock decided{sealed, certify(sealed->digest())};
        if (auto next = consensus::next_committee(committee_, **sealed)) {
            committee_ = *std::move(next);
            epochs_.push_back(decided);
        }
        return decided;
    }
    consensus::DecidedBlock decide(const std::string& prefix, std::size_t count) {
        std::vector<consensus::Transaction> transactions;
        for (std::size_t i = 0; i < count; ++i)
            transactions.push_back(transaction(prefix + std::to_string(i), "pay " + std::to_string(i)));
        return decide(std::move(transactions));
    }
    /// Ends the epoch: n replicas with this engine from the next height on.
    void reconfigure(consensus::EngineKind engine, std::size_t n) {
        auto transactions = std::vector{transaction("before", "x")};
        transactions.push_back(
            {consensus::command_of({committee_.epoch, engine, {}, members(n)}), "site-b", {}});
        decide(std::move(transactions));
    }

    consensus::Proof prove(const consensus::DecidedBlock& decided, std::uint32_t index) const {
        return *consensus::make_proof(domain_, genesis_, epochs_, decided, index);
    }

    static consensus::Transaction transaction(const std::string& id, const std::string& payload) {
        consensus::Transaction made{{id, to_bytes(payload), 1}, "site-b", {}};
        made.signature[3] = 7; // whatever the submitter's is, a proof does not carry it
        return made;
    }

    const consensus::Committee& committee() const { return committee_; }
    const consensus::Domain& domain() const { return domain_; }
    consensus::Checker& checker() { return *checker_; }
    /// Votes that a certificate gets; 0: the committee's quorum.
    std::size_t votes = 0;

  private:
    std::shared_ptr<crypto::SigningKey> key(std::size_t replica) {
        while (keys_.size() <= replica)
            keys_.push_back(std::make_shared<crypto::SigningKey>(
                crypto::SigningKey::from_seed(crypto::Seed{static_cast<Byte>(keys_.size() + 1)})));
        return keys_[replica];
    }
    std::vector<consensus::Member> members(std::size_t n) {
        std::vector<consensus::Member> made;
        for (std::size_t i = 0; i < n; ++i)
            made.push_back(
                {consensus::replica_name("site-a", static_cast<unsigned>(i)), key(i)->public_key()});
        return made;
    }
    crypto::Signature sign(std::size_t replica, const consensus::Statement& statement) {
        return key(replica)->sign(consensus::signing_bytes(domain_, statement));
    }

    consensus::Certificate certify(const Hash256& digest) {
        consensus::Certificate made{.kind = consensus::Kind::commit,
                                    .engine = committee_.engine,
                                    .epoch = committee_.epoch,
                                    .view = 1,
                                    .slot = height_,
                                    .digest = digest,
                                    .recipient = {},
                                    .leader_signature = {},
                                    .votes = {}};
        if (committee_.engine == consensus::EngineKind::probft) return certify_sampled(std::move(made));
        const auto count = votes == 0 ? committee_.quorum() : votes;
        for (std::size_t i = 0; i < count; ++i)
            add(made, i, {});
        return made;
    }
    /// With few members every sample is the whole committee, so whoever is the recipient is in each.
    consensus::Certificate certify_sampled(consensus::Certificate made) {
        made.recipient = 0;
        const auto count = votes == 0 ? consensus::sample_sizes(committee_).quorum : votes;
        for (std::size_t i = 0; i < count; ++i) {
            const auto statement =
                consensus::statement_of(made, {static_cast<consensus::ReplicaId>(i), {}, {}});
            add(made, i, consensus::make_signer(key(i))->vrf_prove(vrf_alpha(domain_, statement)).proof);
        }
        const auto leader = committee_.leader(made.view);
        made.leader_signature =
            sign(leader, consensus::proposal_of(consensus::statement_of(made, made.votes.front()), leader));
        return made;
    }
    void add(consensus::Certificate& certificate, std::size_t replica,
             const std::optional<crypto::VrfProof>& proof) {
        consensus::Vote vote{static_cast<consensus::ReplicaId>(replica), {}, proof};
        vote.signature = sign(replica, consensus::statement_of(certificate, vote));
        certificate.votes.push_back(vote);
    }

    std::vector<std::shared_ptr<crypto::SigningKey>> keys_;
    crypto::SignatureMemo memo_;
    std::unique_ptr<consensus::Checker> checker_ = consensus::make_checker(memo_);
    consensus::Committee committee_;
    consensus::Committee genesis_;
    consensus::Domain domain_;
    consensus::Height height_ = 0;
    std::vector<consensus::DecidedBlock> epochs_;
};

} // namespace dwcp::test
