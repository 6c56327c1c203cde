// PUT /v1/objects/KEY: a body of any length becomes blocks, with a few of them under way at once.
#pragma once

#include "actors/gateway/backend.hpp"
#include "actors/gateway/routes.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/http/message.hpp"

namespace dwcp::gateway {

/// Reads request.rest as the key. Nothing is committed unless the whole body came and, if the client
/// announced its SHA-256, matched it.
http::Response put_object(http::Request& request, Backend& backend, WorkerPool& pool,
                          const RouteOptions& options);

} // namespace dwcp::gateway
