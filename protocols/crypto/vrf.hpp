// Verifiable random function ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381, suite 0x03) through libsodium.
#pragma once

#include "protocols/crypto/ed25519.hpp"

#include <array>
#include <optional>

namespace dwcp::crypto {

using VrfProof = std::array<Byte, 80>;
using VrfOutput = std::array<Byte, 64>;

struct VrfResult {
    VrfProof proof{};
    VrfOutput output{};
};

/// RFC 9381 section 5.1. The same key and alpha give the same proof.
VrfResult vrf_prove(const SigningKey& key, ByteView alpha);

/// Section 5.3; nullopt: the proof is not that of `key` for `alpha`. Stricter than the RFC: points outside
/// the prime-order subgroup are refused.
std::optional<VrfOutput> vrf_verify(const PublicKey& key, ByteView alpha, const VrfProof& proof);

} // namespace dwcp::crypto
