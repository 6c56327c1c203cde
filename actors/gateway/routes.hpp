// The HTTP API of a node: its objects, transactions, workloads, operator verbs and health. ops/api.md is
// written from the routes themselves.
//
// Free of CAF: everything about the node is asked through Backend, so tests run it against a fake one.
#pragma once

#include "actors/gateway/backend.hpp"
#include "runtime/http/http_server.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace dwcp::gateway {

class EventFeed;
class LoadGovernor;

struct RouteOptions {
    /// Refused with too_large before it is read, or as soon as it is over.
    std::uint64_t object_bytes_max = 64ULL << 30;
    /// How long a multi-part upload may stay open.
    Duration upload_expiry = std::chrono::hours(24);
    /// Blocks of one upload or download that are under way at once. Four hide the latency of hashing,
    /// encoding and storing one behind the others; each costs its request 1 MiB.
    std::size_t window_blocks = 4;
    /// Threads that wait for block requests, shared by all requests of the node.
    std::size_t block_threads = 16;
    /// Where an operator finds the token; said in the refusal of a request without it.
    std::string operator_token_file;
    /// What a client on this machine may do without a token, unless the server speaks TLS.
    std::function<identity::Role()> local_role = [] { return identity::Role::writer; };
    /// What uploads may hold at once, all clients together; each gets its share (upload_places.hpp).
    std::function<std::uint32_t()> upload_places = [] { return 256U; };
    /// Counts what becomes of requests and refuses some when that is bad; null: none is refused.
    LoadGovernor* governor = nullptr;
    /// Follows this node's events; null: it offers no stream.
    EventFeed* events = nullptr;
    NodeName node;    ///< Whose requests these are, in traces.
    bool tls = false; ///< Whether it does: a client is then its certificate's role, or none.
};

/// Before the server starts. `backend` must outlive `server`.
void register_routes(http::HttpServer& server, Backend& backend, const RouteOptions& options);

} // namespace dwcp::gateway
