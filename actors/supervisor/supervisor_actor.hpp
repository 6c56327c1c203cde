// The node's root supervisor: starts the children in order, publishes each life in the resolver, and brings
// back what ends by the child's restart policy (protocols/supervision decides, this actor performs). Lives at
// "supervisor".
//
// Life cycle: one a node. An orderly exit (user_shutdown) ends the children one by one in reverse order, each
// after the one before has ended, and then the supervisor itself: whoever waits for it knows that nothing
// below runs any more. Its own unexpected end is the end of the node: `on_lost` is called so that the process
// stops and its service manager starts it afresh.
#pragma once

#include "actors/supervisor/board.hpp"
#include "protocols/supervision/restart_policy.hpp"
#include "runtime/base/events.hpp"
#include "runtime/caf/actor.hpp"

#include <functional>
#include <vector>

namespace dwcp::supervisor {

struct Child {
    supervision::ChildSpec spec; ///< spec.id is the path.
    /// Spawns the actor. An exception or an empty handle counts as a child that ended at once.
    std::function<caf::actor(actor::ActorContext)> start;
};

struct SupervisorOptions {
    std::vector<Child> children; ///< In start order.
    std::function<void()> on_lost;
};

caf::actor spawn_supervisor(caf::actor_system& system, actor::ActorContext context, SupervisorOptions options,
                            Board& board, EventRing& events);

} // namespace dwcp::supervisor
