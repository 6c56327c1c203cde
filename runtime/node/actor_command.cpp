#include "runtime/node/actor_command.hpp"

#include "runtime/caf/call.hpp"

namespace dwcp::node {

Result<std::string> command_owner_of(caf::actor_system& system, const actor::Resolver& resolver,
                                     const supervisor::Board& board, const supervisor::ActorCommand& command,
                                     TimePoint deadline) {
    const auto child = board.find(command.path);
    if (!child)
        return fail(Errc::not_found, "no actor at '" + command.path + "' on this node",
                    "`dwcp-shell -c tree` lists them");
    const auto& owner = child->parent.empty() ? child->path : child->parent; // the root answers for itself
    const auto done = actor::call(system, resolver, owner, command, deadline);
    if (!done) return std::unexpected(done.error());
    return (*done)->outcome;
}

} // namespace dwcp::node
