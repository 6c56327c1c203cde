// What the files of the verifier share. For them alone.
#pragma once

#include "protocols/consensus/verifier.hpp"

namespace dwcp::consensus::verifier_parts {

/// Errc::unauthenticated.
std::unexpected<Error> untrue(std::string what);
/// Errc::precondition_failed: not known here.
Result<const Committee*> committee_of(const LaneView& view, Epoch epoch);
/// Whether votes of this kind go to a sample of the committee, and carry the proof of it.
bool draws_samples(const Committee& committee, Kind kind);
/// Whether `recipient` is in the sample that the vote's signer drew.
bool in_sample(const LaneView& view, Checker& checker, const Committee& committee, const Statement& vote,
               const crypto::VrfProof& proof, ReplicaId recipient);

} // namespace dwcp::consensus::verifier_parts
