// Bytes of test vectors, which are written in hexadecimal.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <string_view>

namespace dwcp::test {

template<std::size_t N>
std::array<Byte, N> fixed(std::string_view hex) {
    std::array<Byte, N> bytes{};
    REQUIRE(from_hex(hex, bytes));
    return bytes;
}

inline Bytes bytes_of(std::string_view hex) {
    Bytes bytes(hex.size() / 2);
    REQUIRE(from_hex(hex, bytes));
    return bytes;
}

inline PublicKey public_key(std::string_view hex) { return PublicKey{fixed<32>(hex)}; }
inline Hash256 hash256(std::string_view hex) { return Hash256{fixed<32>(hex)}; }

} // namespace dwcp::test
