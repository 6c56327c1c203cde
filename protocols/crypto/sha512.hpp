// SHA-512 (FIPS 180-4) through libsodium, for what is specified with it: ECVRF (RFC 9381) and the expansion
// of its output. Content and statements are addressed by SHA-256 (hash.hpp), which the hardware helps with.
#pragma once

#include "protocols/base/bytes.hpp"

#include <array>
#include <initializer_list>

namespace dwcp::crypto {

using Hash512 = std::array<Byte, 64>;

/// Digest of the concatenation of the parts, without joining them. What it keeps of them is wiped, so the
/// parts may be secret.
Hash512 sha512(std::initializer_list<ByteView> parts);

} // namespace dwcp::crypto
