// Proof that a lane decided a transaction, for whoever was not there and trusts no node: nothing is needed
// but the proof, and to be sure about the lane's first committee, that committee's digest from elsewhere.
//
// It holds if from the first committee on each epoch's last block is certified by the epoch's committee and
// names the next one, the block is certified by the committee that this leads to, and a Merkle path (RFC 6962
// section 2.1.1) leads from the transaction to the block. The epochs' last blocks are whole, since of several
// membership changes in a block the first counts. Nothing in a proof is without effect: any change of it
// makes it fail. (Submitters' signatures are no part of it; they say nothing about the decision.)
//
// What it cannot show: that no later epoch had ended the committee's term elsewhere, if more than f of an old
// committee's keys fell into one hand; and with f = 0 the word of every single signer is needed to be true.
//
// Plain values and pure functions. As JSON: actors/gateway/proof_json.hpp.
#pragma once

#include "protocols/consensus/block.hpp"
#include "protocols/consensus/message.hpp"
#include "protocols/consensus/verifier.hpp"

#include <string>
#include <vector>

namespace dwcp::consensus {

/// Epochs that a proof may lead through; a lane that changed more often starts proofs at a later trusted
/// committee, which no lane has needed yet.
inline constexpr std::size_t kProofEpochsMax = 256;

struct Proof {
    std::string cluster;
    std::string lane;
    Committee genesis; ///< The lane's first committee.
    /// The last block of every epoch before the one that decided, ascending.
    std::vector<DecidedBlock> epochs;
    BlockHeader header;
    std::uint32_t index = 0;   ///< Of the transaction in its block.
    std::vector<Hash256> path; ///< From its leaf up.
    Transaction transaction;   ///< Signature zero.
    Certificate commit;

    Domain domain() const;
};

/// What is proven.
struct Verdict {
    Domain domain;
    Committee committee; ///< That decided it.
    Height height = 0;
    std::uint32_t index = 0;
    std::uint64_t time_ms = 0; ///< By the clock of `proposer`.
    NodeName proposer;
    std::vector<ReplicaName> signers;
    std::size_t votes_needed = 0; ///< By the rules of the committee's engine.
    bool genesis_known =
        false; ///< The first committee is the one the caller trusts, not only the proof's own.
};

/// Errc::invalid_argument if there is no such transaction in the block.
Result<Proof> make_proof(const Domain& domain, const Committee& genesis, std::vector<DecidedBlock> epochs,
                         const DecidedBlock& decided, std::uint32_t index);

/// Checks everything from scratch. `trusted_genesis`: digest of the lane's first committee from elsewhere;
/// null: that of the proof is believed. Errc::invalid_argument: what is there is malformed;
/// Errc::unauthenticated: it does not hold, and where.
Result<Verdict> verify(const Proof& proof, Checker& checker, const Hash256* trusted_genesis);

} // namespace dwcp::consensus
