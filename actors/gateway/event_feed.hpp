// Events as server-sent events: `GET /v1/events/stream`.
//
// Each event is `id: INCARNATION-ID`, `event: NAME`, `data: {...}` as in GET /v1/events. A client that comes
// back sends the last id it has seen as Last-Event-ID and goes on after it. What it cannot get any more - the
// ring has moved on, or the node was restarted, so that its ids began anew - is told by an event `gap`
// instead of being left out silently. Without an id it gets what happens from now on. A comment every
// kHeartbeat keeps the connection known as alive.
//
// Life cycle: one a node, before the HTTP server and after the ring; streams may outlive it, and are silent
// then. Thread-safe.
#pragma once

#include "runtime/base/deadlines.hpp"
#include "runtime/base/events.hpp"
#include "runtime/http/message.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <string>

namespace dwcp::gateway {

/// Proxies close what is silent for 30 s to 60 s.
inline constexpr Duration kHeartbeat = std::chrono::seconds(15);
/// People and programs that follow one node; each costs a connection and little else.
inline constexpr std::size_t kStreamsMax = 256;
/// Of one piece; more follows when the client has taken it.
inline constexpr std::size_t kEventsAPiece = 64;

class EventFeed {
  public:
    /// `incarnation`: of the node's process, whose ids the events have.
    EventFeed(EventRing& ring, std::string incarnation, Duration heartbeat = kHeartbeat);
    ~EventFeed();

    /// A stream after the event that Last-Event-ID or the parameter `after` names, or from now on. Errors:
    /// invalid_argument, resource_exhausted.
    Result<http::Response> open(const http::Request& request);
    const std::string& incarnation() const { return incarnation_; }

  private:
    class Stream;
    struct Streams;
    void beat();

    EventRing& ring_;
    const std::string incarnation_;
    const Duration heartbeat_;
    const std::shared_ptr<Streams> streams_;
    std::uint64_t subscription_ = 0;
    Deadlines timer_; ///< Ends first: it wakes streams.
};

/// The event as GET /v1/events shows it.
nlohmann::json event_json(const Event& event);

} // namespace dwcp::gateway
