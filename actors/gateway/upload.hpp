// How uploads begin, and PUT /v1/objects/KEY: a body of any length becomes blocks, with a few of them under
// way at once.
#pragma once

#include "actors/gateway/backend.hpp"
#include "actors/gateway/shared.hpp"
#include "runtime/http/route.hpp"

#include <memory>
#include <string>
#include <variant>

namespace dwcp::gateway {

/// Begins a workload at its manager; where the answer may have been lost on its way, what it began is
/// aborted.
Result<void> begin_or_abort(const std::string& manager, const manager::BeginPut& begin, Backend& backend);

/// Reads request.rest as the key. Nothing is committed unless the whole body came and, if the client
/// announced its SHA-256, matched it. `shared` must outlive the upload.
std::variant<http::Response, std::unique_ptr<http::Upload>> begin_put_object(http::Request& request,
                                                                             Shared& shared);

} // namespace dwcp::gateway
