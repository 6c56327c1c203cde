// Asks actors whether they still take messages: a question that CAF answers through the actor's mailbox,
// whatever its handlers are. Free functions for the node's looks at its own health; any thread that is not
// an actor.
#pragma once

#include "actors/supervisor/board.hpp"
#include "protocols/base/clock.hpp"
#include "runtime/caf/resolver.hpp"

#include <caf/actor_system.hpp>

#include <string>
#include <vector>

namespace dwcp::node {

struct ActorAnswer {
    std::string path;
    bool alive = false;    ///< There is an actor at the path; else its supervisor is at work, or was told to.
    bool paused = false;   ///< By an injected fault.
    std::string problem{}; ///< Empty: it answered.
    double seconds = 0;
};

/// In which order an actor comes to the question.
enum class Turn {
    own,  ///< After all that waits: says how long clients wait, and that a full mailbox takes nothing more.
    next, ///< After what it is at, also past a full mailbox: says whether it is at work at all.
};

/// All children are asked at once: ten that hang cost one `limit`, not ten.
std::vector<ActorAnswer> probe_actors(caf::actor_system& system, const actor::Resolver& resolver,
                                      const std::vector<supervisor::ChildView>& children, Duration limit,
                                      Turn turn);

} // namespace dwcp::node
