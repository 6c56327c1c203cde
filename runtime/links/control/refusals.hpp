// Connections at the control port that were not accepted or not kept, and messages that were not let through:
// counted by reason, and told as events that no stranger can flood.
//
// One a node, shared by the control port and the connections. Thread-safe.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/base/events.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace dwcp::links {

/// Why a connection was refused or ended. The names are label values of
/// dwcp_control_refused_connections_total.
enum class Refused : std::uint8_t {
    rate_limited,        ///< More connections a second from one address than anybody needs.
    too_many,            ///< The oldest of too many that have not greeted yet.
    no_descriptors,      ///< This process cannot open any more.
    no_handshake,        ///< TLS did not complete in time.
    not_tls,             ///< Something else than TLS at a port that wants TLS.
    bad_certificate,     ///< None, or one that is not accepted.
    not_a_peer,          ///< A good certificate of a node that is no peer.
    certificate_expired, ///< It was good when the connection was made.
    not_basp,            ///< Something else than CAF's protocol.
    oversized,           ///< A message is announced that is longer than any of ours.
    malformed,           ///< CAF's protocol, but not as a node speaks it.
    node_in_use,         ///< Claims to be a CAF node that another certificate's connection is.
    no_greeting,         ///< Not authenticated in time.
    stalled              ///< Does not read what is sent to it.
};
std::string_view to_string(Refused reason);

/// Why a message was taken from a connection and thrown away. Label values of
/// dwcp_control_dropped_messages_total.
enum class Dropped : std::uint8_t {
    lookup,      ///< To an actor by its name: CAF's registry, its configuration and its spawn server.
    other_actor, ///< To another actor than the gateway, or about one.
    content,     ///< Something else than a control frame or an error.
    second_claim ///< A handshake of a node that has a live connection already.
};
std::string_view to_string(Dropped reason);

class Refusals {
  public:
    /// Who knocks can do so as often as he likes; the event ring must not be his.
    static constexpr milliseconds kEventEvery{1000};

    /// Called with each event, on any thread; must not block.
    using Watcher = std::function<void(const std::string& from, const Error& error)>;

    explicit Refusals(EventRing& events);
    void watch(Watcher watcher);
    /// From here on refusals are only counted: connections may outlive the links by a moment, and with them
    /// the events.
    void end();

    /// Counts, and records an event unless one of this reason was recorded a moment ago.
    /// `from`: an address, or a node's name once it is proven.
    void note(Refused reason, const std::string& from, const Error& error, TimePoint now);
    void note(Dropped reason);

  private:
    struct Told {
        TimePoint next_at{};
        std::uint64_t untold = 0;
    };

    std::mutex mutex_;
    EventRing* events_; ///< Null after end().
    Watcher watcher_;
    std::map<Refused, Told> told_;
};

} // namespace dwcp::links
