// Control links: small authenticated requests between nodes over CAF/BASP, at most 64 KiB each.
//
// Life cycle: start() once, after the actor system and before the actors that use it; stop() before the actor
// system ends. All functions are thread-safe; callbacks run on actor threads, exactly once each, and must not
// block.
//
// How a link comes up: the node whose name sorts first dials (so two nodes never race to connect). It
// connects with a deadline (dial.hpp), since CAF's connect blocks its one I/O actor; the other end accepts
// within limits (control_port.hpp). With TLS both certificates must be those of the two nodes. CAF then gets
// the connection (scribe.hpp), of which only what two gateways say to each other passes (basp_filter.hpp),
// and they exchange signed hellos: cluster id, wire version, heartbeat settings, incarnation, Ed25519 key,
// X25519 session key. Either end refuses what does not match, and both ends log and show why. Every later
// frame carries a MAC under the session key and a sequence number; what fails is counted by peer and reason
// and dropped. Reconnecting backs off with jitter.
//
// Certificates: a new connection uses what the context has loaded last. A connection whose peer's certificate
// expires is ended, and comes back at once if the peer has a new one: a certificate's time bounds the trust
// in it, for connections that last as well.
//
// Breakers: what counts against a peer's service is a request that was sent and got no answer, or one of a
// service that is broken. A peer that is known to be down fails at once anyway, and one that answers
// "restarting, try again" keeps nobody waiting: these count as nothing. A link that comes up lets open
// breakers of its peer try at once.
//
// Peers going up and down are events ("peer_up", "peer_down", "peer_refused") and reach subscribers in order.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/base/events.hpp"
#include "runtime/chaos/link_faults.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/resilience/breakers.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace dwcp::tls {
class Context;
} // namespace dwcp::tls

namespace dwcp::actor {
class System;
class Resolver;
} // namespace dwcp::actor

namespace dwcp::links {

/// Raised on any change that an older node could misread; a node refuses peers with an older one.
inline constexpr std::uint32_t kWireVersion = 1;

struct PeerResponse {
    Bytes body;
};

/// A peer's request as the serving actor sees it. The link has authenticated `from`.
struct PeerRequest {
    using Reply = PeerResponse;
    NodeName from;
    Incarnation from_incarnation = 0;
    std::string service;
    WorkloadId trace;
    Bytes body;
};

struct ControlPeer {
    NodeName name;
    std::string site;
    std::string host;
    std::uint16_t port = 0;
};

struct ControlOptions {
    chaos::LinkFaults* faults = nullptr;      ///< Injected ones; null: there can be none.
    resilience::Breakers* breakers = nullptr; ///< Of the services of each peer; null: there are none.
    std::string listen_host = "127.0.0.1";
    std::uint16_t listen_port = 0; ///< 0: any; see port().
    std::uint32_t heartbeat_interval_ms = 500;
    std::uint32_t heartbeat_timeout_ms = 2000;
    std::uint32_t connect_timeout_ms = 1000;
    std::uint32_t reconnect_min_ms = 50;
    std::uint32_t reconnect_max_ms = 2000;
    /// Mutual TLS on every control link; null: plain TCP, on loopback addresses only.
    std::shared_ptr<tls::Context> tls = nullptr;
    /// A connection that has not completed TLS, and then the greeting, within this is ended.
    std::uint32_t greeting_timeout_ms = 5000;
};

struct PeerState {
    NodeName name;
    std::string site;
    std::string address;
    bool up = false;
    Incarnation incarnation = 0; ///< Of the current or last life; 0: never seen.
    double rtt_ms = 0;           ///< Of the last request or hello.
    UnixMillis since_ms = 0;     ///< When it last went up or down.
    std::string problem;         ///< Why it is down or was refused; empty while up.
    std::uint64_t bad_frames = 0;
};

class ControlLinks {
  public:
    using Done = std::function<void(Result<Bytes>)>;
    using Watcher = std::function<void(const PeerState&)>;
    using Server = std::function<Result<Bytes>(const PeerRequest&)>;

    static Result<std::unique_ptr<ControlLinks>> start(const ControlOptions& options,
                                                       const std::vector<ControlPeer>& peers,
                                                       actor::System& system, actor::Resolver& resolver,
                                                       const identity::Identity& self,
                                                       identity::TrustStore& trust, EventRing& events);
    /// Ends the gateway and the links; what is under way fails with Errc::cancelled.
    virtual ~ControlLinks() = default;

    virtual std::uint16_t port() const = 0;

    /// Requests for `service` go to the actor at `actor_path`, looked up anew each time.
    virtual void serve(const std::string& service, const std::string& actor_path) = 0;
    /// The same for a function; it runs on a worker thread and may block up to the request's deadline.
    virtual void serve_function(const std::string& service, Server server) = 0;

    /// Sends `body` to `service` on `peer`. A peer that is down, and a service whose breaker is open, fail at
    /// once with Errc::unavailable; an Error that the serving side answers arrives as that error.
    virtual void request(const NodeName& peer, const std::string& service, Bytes body, Duration deadline,
                         const WorkloadId& trace, Done done) = 0;

    virtual std::vector<PeerState> peers() const = 0;
    /// Called once for every peer that is up now and then at every change.
    virtual void watch(Watcher watcher) = 0;
};

} // namespace dwcp::links
