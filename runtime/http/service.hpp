// What all connections of one server share. Used by the loop's thread only, except where said.
#pragma once

#include "protocols/base/clock.hpp"
#include "runtime/http/mailbox.hpp"
#include "runtime/http/memory_budget.hpp"
#include "runtime/http/options.hpp"
#include "runtime/http/router.hpp"
#include "runtime/metrics/metrics.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::http {

class Connection;

/// Why a client did not get what it came for; the label of dwcp_http_refused_total.
enum class Refusal : std::uint8_t {
    connections,  ///< All connections are in use.
    source,       ///< All that one address may have are in use.
    workers,      ///< All threads are busy and the queue is full.
    memory,       ///< Too much is held for other clients.
    live,         ///< Too many responses without an end.
    head_timeout, ///< The head, or the handshake, did not come in time.
    silent,       ///< A client that should send or take said nothing for too long.
    slow,         ///< It sent or took too little.
    handshake     ///< TLS could not be agreed on.
};
inline constexpr std::size_t kRefusals = 9;

/// How many bytes are received at a time: a quarter of a block keeps system calls rare beside copying.
inline constexpr std::size_t kReceiveBytes = 256U << 10;

struct ServerProbe {
    ServerProbe();
    metrics::Gauge connections = metrics::gauge("dwcp_http_connections", "Open client connections.");
    metrics::Gauge live = metrics::gauge("dwcp_http_live_responses", "Responses without an end under way.");
    metrics::Gauge held =
        metrics::gauge("dwcp_http_held_bytes", "Bytes of bodies and responses held for clients.");
    metrics::Gauge in_flight = metrics::gauge("dwcp_http_requests_in_flight", "Requests being served.");
    metrics::Counter received = metrics::counter("dwcp_http_received_bytes_total", "Bytes of requests.");
    metrics::Counter sent = metrics::counter("dwcp_http_sent_bytes_total", "Bytes of responses.");
    void refuse(Refusal why) const { refused[static_cast<std::size_t>(why)].add(); }

    std::vector<metrics::Counter> refused;
};

/// What a connection asks of its loop.
class Loop {
  public:
    virtual ~Loop() = default;
    /// Has a worker run the connection's step. False: there is no room; with `must` it is run later instead.
    virtual bool submit(Connection& connection, bool probe, bool must) = 0;
    virtual void handshake_failed(const std::string& host, const Error& error, TimePoint now) = 0;
    virtual void request_began() = 0;
    virtual void request_ended() = 0;
};

struct Service {
    Service(const Options& o, const Router& r, const Guard& g, Follower* f, RouteProbe& u, Loop& l)
        : options(o), router(r), guard(g), follower(f), unmatched(u), loop(l), memory(o.memory_bytes_max),
          scratch(kReceiveBytes) {}

    const Options options;
    const Router& router;
    const Guard& guard;
    Follower* const follower; ///< Null: nobody wants to know.
    RouteProbe& unmatched;
    Loop& loop;
    const ServerProbe probe;
    const std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
    MemoryBudget memory;
    std::size_t live = 0;
    bool draining = false;
    std::vector<char> scratch; ///< What was just received.
    std::string date;          ///< The time, as answers say it.
};

} // namespace dwcp::http
