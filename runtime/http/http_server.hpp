// An HTTP/1.1 server, over TLS if asked: one thread waits for all clients, a pool runs the handlers.
//
// Life cycle: route() for every route, start(), then drain() and stop() (the destructor stops too). Handlers
// run on worker threads and must outlive the server's run. Made by the gateway of a node, and by tests. All
// functions but route() are thread-safe.
//
// What it promises: no exception leaves it; every answer, errors of the protocol included, carries
// X-DWCP-Request-Id and, if it is an error, JSON with code, message and remedy; a client that is slow or
// silent, whether with its head, its body or its answer, holds no thread, bounded memory, and goes after its
// time; when all threads are busy and the queue is full, a request is answered 503 with Retry-After at once,
// while probes are still answered; a request that could be read in two ways, or whose body was cut short, is
// answered 400 and never taken for whole.
//
// It never looks at Accept-Encoding or Content-Encoding: bodies are what they are. It sets SIGPIPE to
// ignored.
//
// Metrics: dwcp_http_requests_total{route,method,status}, dwcp_http_request_duration_seconds{route,method},
// dwcp_http_requests_in_flight, dwcp_http_connections, dwcp_http_live_responses, dwcp_http_held_bytes,
// dwcp_http_refused_total{reason}, dwcp_http_tls_handshake_failures_total{reason},
// dwcp_http_received_bytes_total, dwcp_http_sent_bytes_total.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/http/message.hpp"
#include "runtime/http/options.hpp"
#include "runtime/http/route.hpp"

#include <memory>
#include <string>
#include <vector>

namespace dwcp::http {

class HttpServer {
  public:
    HttpServer();
    ~HttpServer();

    /// Before start(). A GET route serves HEAD as well.
    void route(RouteSpec spec, Handler handler);
    void route(RouteSpec spec, UploadHandler handler);
    /// The same for a route of which nothing is to be said.
    void route(std::string method, std::string pattern, Handler handler);
    /// Before start(). Without a guard everybody may do everything.
    void set_guard(Guard guard);
    /// Before start().
    void set_follower(std::shared_ptr<Follower> follower);
    /// What was routed so far, in that order.
    std::vector<RouteSpec> routes() const;

    /// Errors: as listen_on(), e.g. already_exists when the port is in use. May be called again after stop().
    Result<void> start(const Options& options);
    /// Where it listens; 0 before start().
    std::uint16_t port() const;

    /// Stops accepting and waits for the requests under way. False: some were still under way at the
    /// deadline.
    bool drain(Duration deadline);
    /// Cuts whatever is under way. Waits for handlers that block elsewhere.
    void stop();

  private:
    class Engine;
    std::unique_ptr<Engine> engine_;
};

} // namespace dwcp::http
