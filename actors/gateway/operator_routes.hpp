// The routes that operators and their tools use.
#pragma once

#include "actors/gateway/routes.hpp"

namespace dwcp::gateway {

/// A route for each of operator_verbs(): Backend::admin with the query's or the body's members as arguments.
void register_operator_routes(http::HttpServer& server, Backend& backend);
/// /metrics, /health, /ready.
void register_probe_routes(http::HttpServer& server, Backend& backend);

} // namespace dwcp::gateway
