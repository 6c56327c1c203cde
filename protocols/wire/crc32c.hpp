// CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of frames on the wire and of values in the store.
//
// It finds accidents, not attackers: whoever needs proof of content compares SHA-256.
#pragma once

#include "protocols/base/bytes.hpp"

#include <cstdint>

namespace dwcp::wire {

/// Checksum of `data`. To continue over data in pieces, pass the checksum so far as `seed`:
/// crc32c(b, crc32c(a)) == crc32c(a + b). Uses the processor's CRC instruction where there is one.
std::uint32_t crc32c(ByteView data, std::uint32_t seed = 0);

/// The same without special instructions. Public so that tests can compare the two on every machine.
std::uint32_t crc32c_portable(ByteView data, std::uint32_t seed = 0);

} // namespace dwcp::wire
