// Names of things. Strings are used where people type them (node, key), fixed bytes where programs compare
// them.
#pragma once

#include "protocols/base/bytes.hpp"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace dwcp {

/// SHA-256 of a block's raw (uncompressed) content: a block's address everywhere.
struct Hash256 {
    std::array<Byte, 32> bytes{};

    auto operator<=>(const Hash256&) const = default;
    ByteView view() const { return bytes; }
    std::string hex() const { return to_hex(bytes); }
    bool is_zero() const { return *this == Hash256{}; }
};

/// Ed25519 public key: a node's identity.
struct PublicKey {
    std::array<Byte, 32> bytes{};

    auto operator<=>(const PublicKey&) const = default;
    ByteView view() const { return bytes; }
    std::string hex() const { return to_hex(bytes); }
};

/// Random 64-bit number drawn at each start of a node: tells the lives of one node apart.
using Incarnation = std::uint64_t;

/// A node's configured name, unique in its cluster, e.g. "site-a". At most 63 of [a-z0-9-].
using NodeName = std::string;

/// 128 random bits as 32 hex digits: names a workload, and is its trace id across nodes.
using WorkloadId = std::string;

} // namespace dwcp

template<>
struct std::hash<dwcp::Hash256> {
    std::size_t operator()(const dwcp::Hash256& hash) const noexcept {
        std::size_t value;
        std::memcpy(&value, hash.bytes.data(), sizeof value);
        return value;
    }
};

template<>
struct std::hash<dwcp::PublicKey> {
    std::size_t operator()(const dwcp::PublicKey& key) const noexcept {
        std::size_t value;
        std::memcpy(&value, key.bytes.data(), sizeof value);
        return value;
    }
};
