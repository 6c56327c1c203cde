// Keys of a simulated committee. The cheap kind signs with a keyed hash (SipHash-2-4, Aumasson and Bernstein
// 2012) whose secrets only this object has: who holds no Signer cannot sign, and an adversary is given only
// its own. A signature or proof is checked by making it again, so there is exactly one for each key and
// message, and every other bit string fails. The real kind is Ed25519 and ECVRF.
//
// Life cycle: one for a world, which outlives its signers. One thread.
#pragma once

#include "protocols/consensus/verifier.hpp"

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>

namespace dwcp::sim {

/// SipHash-2-4 of `data` under the key (k0, k1).
std::uint64_t sip_hash(std::uint64_t k0, std::uint64_t k1, ByteView data);

class Keys {
  public:
    virtual ~Keys() = default;
    /// A new key; the same name gives the same one.
    virtual PublicKey make(std::string_view name) = 0;
    /// Of a key that was made here. Lives as long as this object.
    virtual const consensus::Signer& signer(const PublicKey& key) = 0;
    virtual consensus::Checker& checker() = 0;
};

std::unique_ptr<Keys> cheap_keys(std::uint64_t seed);
std::unique_ptr<Keys> real_keys(std::uint64_t seed);

} // namespace dwcp::sim
