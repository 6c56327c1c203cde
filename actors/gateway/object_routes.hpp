// The routes of objects: put, get, delete, list.
#pragma once

#include "actors/gateway/shared.hpp"

namespace dwcp::gateway {

void register_object_routes(DataRoutes& routes);

} // namespace dwcp::gateway
