// Draws the members of a sample from the output of the verifiable random function, so that everybody who
// checked the proof comes to the same sample (ProBFT, arXiv 2405.04606, leaves the expansion open; this is
// ours, with vectors in its test). Pure and stateless.
//
// The stream is SHA-512(seed || counter) for counter = 0, 1, .. as 64 bits big-endian, read as 16-bit
// big-endian numbers. Step i of a partial Fisher-Yates shuffle of 0 .. n-1 takes the first number of the
// stream below the largest multiple of n - i, which leaves no bias; the s drawn are handed out in ascending
// order.
#pragma once

#include "protocols/base/bytes.hpp"

#include <cstdint>
#include <vector>

namespace dwcp::crypto {

/// What 16-bit members and draws can tell apart.
inline constexpr std::size_t kSampledFromMax = 65536;

/// `s` distinct numbers below `n`, ascending; all of them if s >= n. Empty if n is over kSampledFromMax: an
/// empty sample makes no quorum. `seed` is the output of a verified proof and as random as the sample shall
/// be.
std::vector<std::uint16_t> expand_sample(ByteView seed, std::size_t n, std::size_t s);

} // namespace dwcp::crypto
