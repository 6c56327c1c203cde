// The limits of an HTTP server.
#pragma once

#include "protocols/base/clock.hpp"

#include <cstdint>
#include <string>

namespace dwcp::http {

struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;   ///< 0: any free one; see HttpServer::port().
    std::size_t threads = 32; ///< Requests served at once.
    /// Requests that wait for a thread; beyond, a request is answered 503 at once.
    std::size_t queue_max = 256;
    /// Open connections, idle ones included; beyond, a new one is answered 503 and closed. 1024 descriptors
    /// leave the node's own sockets and files room under the usual limit of 4096 and more.
    std::size_t connections_max = 1024;
    /// A connection without a request is closed after this.
    milliseconds idle_timeout{5'000};
    /// A request's head must be complete this long after its first byte.
    milliseconds head_timeout{10'000};
    /// While a request is under way: the longest silence of a client that should send, or take, the next
    /// byte.
    milliseconds io_timeout{30'000};
};

/// Request line and headers together. The longest legal key, wholly percent-encoded, takes 3 KiB.
inline constexpr std::size_t kHeadBytesMax = 32U << 10;

} // namespace dwcp::http
