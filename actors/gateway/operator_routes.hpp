// The routes that operators and their tools use.
#pragma once

#include "actors/gateway/routes.hpp"

namespace dwcp::gateway {

/// A route for each of operator_verbs(): Backend::admin with the query's or the body's members as arguments.
/// `events`: null where no stream is offered.
void register_operator_routes(http::HttpServer& server, Backend& backend, EventFeed* events);
/// /v1/events/stream.
void register_event_stream(http::HttpServer& server, EventFeed& events);
/// /metrics, /health, /ready.
void register_probe_routes(http::HttpServer& server, Backend& backend);

} // namespace dwcp::gateway
