// What crosses a control link between two nodes, as plain structs, and its Cap'n Proto encoding.
//
// A link begins with three greeting messages (Hello, HelloAck, Confirm); afterwards every message is Sealed:
// an Envelope with a MAC under the session's keys. Any of them may be answered by a Refusal instead. Who says
// what when: runtime/links/control.
//
// encode() cannot fail. decode() checks everything a peer could get wrong, never throws, allocates no more
// than a small multiple of what it was given, and returns what owns its memory.
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"
#include "protocols/crypto/ed25519.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <variant>

namespace dwcp::wire::control {

/// A whole encoded message. CAF buffers without limit, so what it carries is kept small; bulk data has its
/// own links.
inline constexpr std::size_t kFrameBytesMax = 64U << 10;
/// What is left for a request's or a response's body after the longest names and the MAC.
inline constexpr std::size_t kBodyBytesMax = kFrameBytesMax - 1024;
inline constexpr std::size_t kServiceBytesMax = 64;
/// Longer deadlines are cut to this: a control request that takes minutes is lost, not slow.
inline constexpr std::uint32_t kDeadlineMsMax = 10 * 60 * 1000;

using Nonce = std::array<Byte, 32>;

/// Who one side is, what it expects of the other, and its part of the session key.
struct Offer {
    std::uint32_t wire_version = 0;
    std::string cluster_id;
    NodeName name;
    std::string site;
    NodeName peer; ///< Whom this side means to talk to.
    Incarnation incarnation = 0;
    std::uint32_t heartbeat_interval_ms = 0;
    std::uint32_t heartbeat_timeout_ms = 0;
    PublicKey public_key;
    std::array<Byte, 32> session_key{};
    Nonce nonce{};

    bool operator==(const Offer&) const = default;
};

struct Hello {
    Offer offer;
    bool operator==(const Hello&) const = default;
};

struct HelloAck {
    Offer offer;
    crypto::Signature signature{};
    bool operator==(const HelloAck&) const = default;
};

struct Confirm {
    Nonce session{}; ///< The acceptor's nonce: says which greeting this ends.
    crypto::Signature signature{};
    bool operator==(const Confirm&) const = default;
};

/// Not authenticated: it is shown and counted, and ends nothing that is up.
struct Refusal {
    NodeName from;
    Error error;
};

struct Sealed {
    NodeName from;
    Incarnation incarnation = 0;
    crypto::Mac mac{};
    Bytes envelope;
    bool operator==(const Sealed&) const = default;
};

using Message = std::variant<Hello, HelloAck, Confirm, Refusal, Sealed>;

Bytes encode(const Message& message);
Result<Message> decode(ByteView frame);

struct Request {
    std::string service; ///< Empty: a ping.
    std::uint32_t deadline_ms = 0;
    Bytes body;
    bool operator==(const Request&) const = default;
};

/// An answer carries the sequence number of its request; its content is the response's body or the error.
struct Envelope {
    std::uint64_t sequence = 0;
    WorkloadId trace;
    std::variant<Request, Bytes, Error> content;
};

Bytes encode_envelope(const Envelope& envelope);
Result<Envelope> decode_envelope(ByteView bytes);

/// What both sides sign: both offers, with a domain and the signer's role, so that a signature made here
/// means nothing anywhere else and one side's cannot be played back as the other's.
enum class Role : std::uint8_t { dialler = 1, acceptor = 2 };
Bytes transcript(Role signer, const Offer& dialler, const Offer& acceptor);

} // namespace dwcp::wire::control
