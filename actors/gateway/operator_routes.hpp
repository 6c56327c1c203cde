// The routes that operators and their tools use.
#pragma once

#include "actors/gateway/routes.hpp"

namespace dwcp::gateway {

/// /v1/status, /v1/nodes, /v1/tree, /v1/events, /v1/actors/...: Backend::admin with the query parameters as
/// arguments.
void register_operator_routes(http::HttpServer& server, Backend& backend, const RouteOptions& options);
/// /metrics, /health, /ready.
void register_probe_routes(http::HttpServer& server, Backend& backend);

} // namespace dwcp::gateway
