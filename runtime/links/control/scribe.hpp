// A control connection inside CAF: CAF's I/O thread reads and writes it through TLS, and every message of
// CAF's protocol passes the filter (basp_filter.hpp) before the broker sees it.
//
// CAF's own OpenSSL module does the same with a scribe of its own, but cannot tell who the peer is or why it
// was refused, and bounds nothing. A scribe is made by whoever has a ready channel, handed to the BASP
// broker, and lives until the connection ends; then it forgets itself in Connections.
#pragma once

#include "protocols/base/bytes.hpp"
#include "runtime/links/control/basp_filter.hpp"
#include "runtime/links/control/connections.hpp"
#include "runtime/links/control/dial.hpp"

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include <memory>

namespace dwcp::links {

/// A stalled peer's share of memory: what requests may be under way to it, and as much again of answers. CAF
/// itself would buffer without end.
inline constexpr std::size_t kQueuedBytesMax = 32U << 20;

/// Before a greeting is complete: a handshake, two messages, and heartbeats until the deadline. Each greeting
/// costs this node a signature, so a stranger does not get to begin any number of them.
inline constexpr std::size_t kMessagesBeforeGreetingMax = 128;

/// `id` as it stands in BASP's handshakes.
Bytes serialise(caf::actor_system& system, const caf::node_id& id);

/// What the filters need to know of this node and its gateway.
std::shared_ptr<const BaspNode> describe(caf::actor_system& system, const caf::actor& gateway);

struct ScribeSetup {
    Channel channel;
    Connections::Id id = 0;
    BaspFilter::Side side = BaspFilter::Side::acceptor;
    std::shared_ptr<const BaspNode> self;
    std::shared_ptr<Connections> connections;
    std::shared_ptr<Refusals> refusals;
};

caf::io::scribe_ptr make_scribe(caf::actor_system& system, ScribeSetup setup);

} // namespace dwcp::links
