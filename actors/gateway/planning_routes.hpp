// The routes for programs that plan: which codec would be chosen, where replicas would go.
#pragma once

#include "actors/gateway/shared.hpp"

namespace dwcp::gateway {

void register_compression_routes(DataRoutes& routes);
void register_allocation_routes(DataRoutes& routes);

} // namespace dwcp::gateway
