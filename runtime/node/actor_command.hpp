// Has an actor's owner, the supervisor that started it, kill, restart, quarantine or resume it.
//
// For whoever is no actor: operators' verbs, the ramp's exercises, the node's deep look at itself.
// Thread-safe.
#pragma once

#include "actors/supervisor/board.hpp"
#include "actors/supervisor/messages.hpp"
#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/caf/resolver.hpp"

#include <caf/fwd.hpp>

#include <string>

namespace dwcp::node {

/// The outcome in a sentence. Errc::not_found: the tree has no such actor.
Result<std::string> command_owner_of(caf::actor_system& system, const actor::Resolver& resolver,
                                     const supervisor::Board& board, const supervisor::ActorCommand& command,
                                     TimePoint deadline);

} // namespace dwcp::node
