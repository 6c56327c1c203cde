// The routes of multi-part uploads: open, send parts, look, complete, abort.
#pragma once

#include "actors/gateway/shared.hpp"

namespace dwcp::gateway {

void register_multipart_routes(DataRoutes& routes);

} // namespace dwcp::gateway
