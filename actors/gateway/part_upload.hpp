// PUT /v1/uploads/ID/NUMBER: a part of a multi-part upload, from its body to its record on disk.
#pragma once

#include "actors/gateway/shared.hpp"

#include <memory>
#include <variant>

namespace dwcp::gateway {

/// Reads request.rest as "ID/NUMBER". What was acknowledged outlives a crash of the node.
std::variant<http::Response, std::unique_ptr<http::Upload>> begin_put_part(http::Request& request,
                                                                           Shared& shared);

} // namespace dwcp::gateway
