// A digest of a set that follows each element added or removed at the same small cost, whatever the size of
// the set and in whatever order: the state root of a replica, kept up to date command by command.
//
// LtHash with 1024 lanes of 16 bits (Bellare and Micciancio 1997, AdHash and LtHash; Lewi, Kim, Maykov and
// Weis, "Securing Update Propagation with Homomorphic Hashing", IACR ePrint 2019/227, whose parameters these
// are). An element becomes 1024 numbers, the ChaCha20 key stream under SHA-256(domain || element); the hash
// of a set is their sum, lane by lane modulo 2^16.
//
// What it rests on: two sets with the same lanes are a short solution of a random lattice problem (SIS),
// which the paper puts at over 200 bits for these parameters, if the expansion is taken for a random oracle.
// Here it is one up to collisions of SHA-256 (128 bits) and with ChaCha20 as an ideal permutation.
//
// What it is not: it counts modulo 2^16, so an element added 65536 times is gone, and removing what was never
// added is not noticed. Callers hold a set: every element once, with what tells it apart (key, version,
// value, each with its length) in its bytes. Only the digest is small: two of them cannot be combined.
//
// A value of 2 KiB. Adding or removing costs one SHA-256 of the element and 2 KiB of ChaCha20: 1.0 us with 64
// bytes, 1.5 us with 1 KiB, on a core with AVX2 and SHA-NI; a digest 1.1 us.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"

#include <array>
#include <cstdint>

namespace dwcp::crypto {

class SetHash {
  public:
    static constexpr std::size_t kLanes = 1024;
    static constexpr std::size_t kEncodedBytes = 2 * kLanes;

    void add(ByteView element);
    void remove(ByteView element);

    /// SHA-256 of encode().
    Hash256 digest() const;

    /// The lanes in order, 16 bits little-endian each: kEncodedBytes.
    Bytes encode() const;
    /// Fails on any other length. Every content of that length is a valid one: trust comes from the digest.
    static Result<SetHash> decode(ByteView bytes);

    bool operator==(const SetHash&) const = default;

  private:
    std::array<std::uint16_t, kLanes> lanes_{}; ///< All zero: the empty set.
};

} // namespace dwcp::crypto
