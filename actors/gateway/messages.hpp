// What the gateway actor is asked by HTTP workers. It lives at "gateway/0".
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/health/urgency.hpp"

#include <string>

namespace dwcp::gateway {

struct RouteDecision {
    std::string manager; ///< Path of the manager that serves this key.
    WorkloadId id;       ///< Fresh id of this request: workload id and trace.
};

/// Admits a request for a key and says who serves it. Errors: unavailable while draining.
struct RouteRequest {
    using Reply = RouteDecision;
    std::string operation; ///< "put", "get", "delete", "transaction"
    std::string key;
    TimePoint deadline = health::kNoDeadline; ///< Of the client.
};

} // namespace dwcp::gateway
