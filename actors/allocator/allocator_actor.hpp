// Places replicas: keeps what each node has free, asked once a second over the control links, and applies the
// placement rules. Lives at "allocator/0"; a restart asks everybody again.
#pragma once

#include "protocols/wire/manifest.hpp"
#include "runtime/caf/actor.hpp"
#include "runtime/links/control/control_links.hpp"

#include <functional>

namespace dwcp::allocator {

/// The control service that answers with an encoded wire::NodeSpace.
inline constexpr const char* kSpaceService = "node/space";

struct AllocatorOptions {
    NodeName self;
    std::string site;
    std::function<wire::NodeSpace()> own_space;
};

caf::actor spawn_allocator(caf::actor_system& system, actor::ActorContext context, AllocatorOptions options,
                           links::ControlLinks& links);

} // namespace dwcp::allocator
