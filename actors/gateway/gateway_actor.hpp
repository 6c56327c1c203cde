// Admits client requests and says which manager serves a key. Lives at "gateway/0"; the HTTP server itself
// belongs to the node and survives it: requests wait for the next life within their deadline.
#pragma once

#include "runtime/caf/actor.hpp"

#include <atomic>
#include <memory>

namespace dwcp::gateway {

struct GatewayOptions {
    std::uint32_t manager_instances = 1;
    std::shared_ptr<const std::atomic<bool>> draining;
};

caf::actor spawn_gateway(caf::actor_system& system, actor::ActorContext context, GatewayOptions options);

} // namespace dwcp::gateway
