// The limits of an HTTP server.
#pragma once

#include "protocols/base/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace dwcp {
class EventRing;
}
namespace dwcp::tls {
class Context;
}

namespace dwcp::http {

struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;   ///< 0: any free one; see HttpServer::port().
    std::size_t threads = 32; ///< Requests served at once.
    /// Requests that wait for a thread; beyond, a request is answered 503 at once.
    std::size_t queue_max = 256;
    /// Open connections, idle ones included. Beyond, the one that has been idle longest goes; if all have a
    /// request under way, a new one may still ask for probes and is answered 503 for anything else. 1024
    /// descriptors leave the node's own sockets and files room under the usual limit of 4096 and more.
    std::size_t connections_max = 1024;
    /// Of those, from one address off this machine. An eighth, so that it takes several to crowd out the
    /// rest.
    std::size_t connections_per_source_max = 128;
    /// A connection without a request is closed after this.
    milliseconds idle_timeout{5'000};
    /// A request's head, and a TLS handshake, must be complete this long after its first byte.
    milliseconds head_timeout{10'000};
    /// While a request is under way: the longest silence of a client that should send, or take, the next
    /// byte.
    milliseconds io_timeout{30'000};
    /// What a client must send of a body, or take of a response, on average over the time that the server
    /// waited for it. 1 KiB a second is less than any link that people still use gives; it keeps a client
    /// which sends a byte before every io_timeout from staying for ever. 0: no such demand.
    std::uint64_t min_rate_bytes_per_s = 1024;
    /// So long it may be slower.
    milliseconds rate_grace{10'000};
    /// Bytes of bodies and responses that are held for clients, all connections together.
    std::size_t memory_bytes_max = 256U << 20;
    /// Responses without an end (server-sent events) at once. Each costs a connection, so only a part may.
    std::size_t live_max = 64;

    /// Speak TLS only; client certificates are asked for and optional.
    std::shared_ptr<tls::Context> tls{};
    /// Where failed handshakes are told; may be null; must outlive the server.
    EventRing* events = nullptr;
};

} // namespace dwcp::http
