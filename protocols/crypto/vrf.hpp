// A verifiable random function: ECVRF-EDWARDS25519-SHA512-TAI of RFC 9381 (suite 0x03) with the Ed25519 keys
// that nodes have anyway. The holder of a key turns an input alpha into 64 bytes that look random and that
// nobody, the holder included, can choose; the proof shows everybody else that they are the right ones.
//
// Stateless and deterministic: the same key and alpha always give the same proof. Consensus cores call it to
// draw samples (sampling.hpp) and to check those of others, the latter mostly through SignatureMemo
// (memo.hpp). Alpha must bind everything that the draw is for (chain, epoch, slot, view, phase), or a draw
// repeats and can be foreseen. `initialise()` of ed25519.hpp must have been called.
//
// Stricter than the RFC, alike on every node: the key and Gamma must be canonical points of the prime-order
// subgroup, and neither c nor s may be zero. The RFC lets points with a torsion part pass when c happens to
// be a multiple of eight; no honest prover makes one, and an honest proof has c or s zero with a chance
// below 2^-127.
//
// Alpha is public: the number of attempts to hash it to the curve shows in the time that proving takes. The
// key is not: everything that depends on it runs in constant time.
#pragma once

#include "protocols/crypto/ed25519.hpp"

#include <array>
#include <optional>

namespace dwcp::crypto {

/// Gamma (32 bytes), c (16), s (32): RFC 9381 section 5.5, ptLen = 32, cLen = 16, qLen = 32.
using VrfProof = std::array<Byte, 80>;
/// Called beta in the RFC.
using VrfOutput = std::array<Byte, 64>;

struct VrfResult {
    VrfProof proof{};
    VrfOutput output{};
};

/// Section 5.1. Ends the process if alpha cannot be hashed to the curve in 256 attempts, which nobody can
/// bring about (a chance of 2^-256).
VrfResult vrf_prove(const SigningKey& key, ByteView alpha);

/// Section 5.3: the output if the proof is the one of this key for this alpha, else nothing. Takes any bytes.
std::optional<VrfOutput> vrf_verify(const PublicKey& key, ByteView alpha, const VrfProof& proof);

/// Section 5.2, for a proof that vrf_verify accepted before, e.g. one of the own journal. Of unverified bytes
/// the answer means nothing; if they hold no curve point the process ends, for then somebody forgot to
/// verify.
VrfOutput vrf_output(const VrfProof& proof);

} // namespace dwcp::crypto
