// The routes of transactions and of workloads: what was submitted, and what became of it.
#pragma once

#include "actors/gateway/shared.hpp"

namespace dwcp::gateway {

void register_transaction_routes(DataRoutes& routes);
void register_workload_routes(DataRoutes& routes);

} // namespace dwcp::gateway
