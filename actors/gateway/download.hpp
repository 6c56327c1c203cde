// GET and HEAD /v1/objects/KEY: blocks become a body, a few of them read ahead.
#pragma once

#include "actors/gateway/backend.hpp"
#include "actors/gateway/routes.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/http/message.hpp"

namespace dwcp::gateway {

/// Reads request.rest as the key. Takes Range (one range; of several the whole is served), If-Range, If-Match
/// and If-None-Match.
http::Response get_object(http::Request& request, Backend& backend, WorkerPool& pool,
                          const RouteOptions& options);

} // namespace dwcp::gateway
