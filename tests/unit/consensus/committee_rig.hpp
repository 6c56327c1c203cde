// A committee with real keys, and everything its members may sign.
#pragma once

#include "protocols/consensus/verifier.hpp"
#include "protocols/crypto/hash.hpp"
#include "protocols/crypto/memo.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace dwcp::test {

inline Hash256 hash_of(std::string_view text) { return crypto::sha256(as_bytes(text)); }

/// The same for the same number.
inline std::shared_ptr<const crypto::SigningKey> key_number(unsigned number) {
    crypto::initialise();
    crypto::Seed seed{};
    seed[0] = static_cast<Byte>(number);
    seed[1] = static_cast<Byte>(number >> 8);
    seed[2] = 1;
    return std::make_shared<crypto::SigningKey>(crypto::SigningKey::from_seed(seed));
}

inline std::string host_number(unsigned number) { return "site-" + std::to_string(number); }

/// Members first .. first + n - 1, each on a host of its own with key_number(i).
inline consensus::Committee committee_of(std::size_t n, consensus::EngineKind engine, unsigned first = 0) {
    consensus::Committee committee;
    committee.engine = engine;
    for (unsigned i = first; i < first + n; ++i)
        committee.members.push_back(
            {consensus::replica_name(host_number(i), 1), key_number(i)->public_key()});
    return committee;
}

/// The keys of the members in key_number()'s order.
class CommitteeRig {
  public:
    explicit CommitteeRig(std::size_t n, consensus::EngineKind engine = consensus::EngineKind::pbft,
                          std::string cluster = "test", std::string lane = "control")
        : committee(test::committee_of(n, engine)) {
        domain = {std::move(cluster), std::move(lane), committee.digest()};
        for (unsigned i = 0; i < n; ++i)
            signers.push_back(consensus::make_signer(key_number(i)));
        view = std::make_shared<consensus::LaneView>();
        view->domain = domain;
        view->committees.emplace(1, committee);
    }

    consensus::Verifier verifier() const { return {view, *checker}; }
    const consensus::ReplicaName& name(consensus::ReplicaId id) const { return committee.member(id).name; }

    consensus::Statement statement(consensus::Kind kind, consensus::ReplicaId signer, Hash256 digest,
                                   consensus::Height slot = 1, consensus::View in_view = 0) const {
        return {.kind = kind,
                .engine = committee.engine,
                .epoch = committee.epoch,
                .view = in_view,
                .slot = slot,
                .signer = signer,
                .digest = digest,
                .annex = {}};
    }
    crypto::Signature sign(const consensus::Statement& statement) const {
        return signers[statement.signer]->sign(signing_bytes(domain, statement));
    }

    bool samples(consensus::Kind kind) const {
        using consensus::Kind;
        return committee.engine == consensus::EngineKind::probft &&
               (kind == Kind::prepare || kind == Kind::commit);
    }
    crypto::VrfProof prove(const consensus::Statement& vote) const {
        return signers[vote.signer]->vrf_prove(vrf_alpha(domain, vote)).proof;
    }

    /// Of `voters`; with all that the committee's engine wants in it.
    consensus::Certificate certificate(consensus::Kind kind, Hash256 digest, consensus::Height slot,
                                       consensus::View in_view, std::vector<consensus::ReplicaId> voters,
                                       consensus::ReplicaId recipient = 0) const {
        auto certificate = without_votes(kind, digest, slot, in_view, recipient);
        for (const auto id : voters) {
            consensus::Vote vote{.replica = id, .signature = {}, .proof = {}};
            if (samples(kind)) vote.proof = prove(statement_of(certificate, vote));
            vote.signature = sign(statement_of(certificate, vote));
            certificate.votes.push_back(vote);
        }
        return certificate;
    }
    /// The first `count` members.
    static std::vector<consensus::ReplicaId> first(std::size_t count) {
        std::vector<consensus::ReplicaId> ids(count);
        std::iota(ids.begin(), ids.end(), consensus::ReplicaId{0});
        return ids;
    }

    consensus::Message message(consensus::Statement statement, decltype(consensus::Signed::body) body) const {
        const auto signature = sign(statement);
        return {name(statement.signer), consensus::Signed{statement, signature, std::move(body)}};
    }
    /// A prepare or commit as its replica sends it.
    consensus::Message vote(consensus::Statement statement) const {
        consensus::VoteFor body;
        if (samples(statement.kind)) {
            body.leader_signature = sign(proposal_of(statement, committee.leader(statement.view)));
            body.proof = prove(statement);
            statement.annex = consensus::proof_digest(*body.proof);
        }
        return message(statement, body);
    }

    consensus::Committee committee;
    consensus::Domain domain;
    std::vector<std::unique_ptr<consensus::Signer>> signers;
    std::shared_ptr<consensus::LaneView> view;
    std::unique_ptr<crypto::SignatureMemo> memo = std::make_unique<crypto::SignatureMemo>();
    std::unique_ptr<consensus::Checker> checker = consensus::make_checker(*memo);

  private:
    consensus::Certificate without_votes(consensus::Kind kind, Hash256 digest, consensus::Height slot,
                                         consensus::View in_view, consensus::ReplicaId recipient) const {
        consensus::Certificate certificate;
        certificate.kind = kind;
        certificate.engine = committee.engine;
        certificate.epoch = committee.epoch;
        certificate.view = in_view;
        certificate.slot = slot;
        certificate.digest = digest;
        if (!samples(kind)) return certificate;
        certificate.recipient = recipient;
        const auto leader = committee.leader(in_view);
        certificate.leader_signature =
            sign(statement(consensus::Kind::propose, leader, digest, slot, in_view));
        return certificate;
    }
};

inline consensus::Transaction transaction_number(unsigned number) {
    consensus::Transaction transaction;
    transaction.command = {"client-" + std::to_string(number), to_bytes("set x " + std::to_string(number)),
                           number};
    transaction.submitter = host_number(number % 4);
    return transaction;
}

inline consensus::BlockRef block_of(const consensus::Committee& committee, consensus::Height height,
                                    std::vector<consensus::Transaction> transactions = {}) {
    consensus::Block block;
    block.height = height;
    block.epoch = committee.epoch;
    block.time_ms = 1'700'000'000'000 + height;
    block.proposer = consensus::host_of(committee.member(0).name);
    block.transactions = std::move(transactions);
    return std::make_shared<const consensus::SealedBlock>(std::move(block));
}

} // namespace dwcp::test
