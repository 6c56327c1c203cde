// How a Byzantine host departs from the protocol. It stands between its puppet, an honest replica, and the
// links: it may change, drop, delay and add messages, with its own keys alone. All Byzantine hosts of a run
// plot together: they share one Plot.
//
// Life cycle: made by the world from the plan's faults, one a host; one thread.
#pragma once

#include "protocols/base/random.hpp"
#include "protocols/consensus/message.hpp"
#include "protocols/consensus/replica.hpp"
#include "tests/sim/consensus/plan.hpp"

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace dwcp::sim {

class World;
class Host;

/// What the Byzantine hosts of a run know in common.
struct Plot {
    /// Two values that a leader of ours proposed for (epoch, view, slot).
    struct Split {
        Hash256 first;
        consensus::BlockRef second;
        crypto::Signature second_signature{};
        HostSet second_half = 0;
    };
    std::map<std::tuple<consensus::Epoch, consensus::View, consensus::Height>, Split> splits;
    /// Signed messages seen on the links, for those who replay; a ring.
    std::vector<consensus::MessageRef> seen;
    std::size_t next_seen = 0;
};

class Behaviour {
  public:
    virtual ~Behaviour() = default;
    /// Instead of sending. The default is honest.
    virtual void outgoing(World& world, Host& host, const consensus::Send& send);
    /// False: the puppet does not hear it.
    virtual bool incoming(World& /*world*/, Host& /*host*/, const consensus::MessageRef& /*message*/) {
        return true;
    }
    /// Every few milliseconds.
    virtual void idle(World& /*world*/, Host& /*host*/) {}
};

std::unique_ptr<Behaviour> make_behaviour(Acts acts, std::shared_ptr<Plot> plot, std::uint64_t seed);
/// The part of it for those that say more than their puppet (loud_behaviour.cpp).
std::unique_ptr<Behaviour> make_loud_behaviour(Acts acts, std::shared_ptr<Plot> plot, std::uint64_t seed);

} // namespace dwcp::sim
