#include "actors/gateway/routes.hpp"

#include "actors/gateway/api_description.hpp"
#include "actors/gateway/guards.hpp"
#include "actors/gateway/load_governor.hpp"
#include "actors/gateway/multipart_routes.hpp"
#include "actors/gateway/object_routes.hpp"
#include "actors/gateway/operator_routes.hpp"
#include "actors/gateway/planning_routes.hpp"
#include "actors/gateway/request_trace.hpp"
#include "actors/gateway/shared.hpp"
#include "actors/gateway/transaction_routes.hpp"

#include <memory>

namespace dwcp::gateway {

void register_routes(http::HttpServer& server, Backend& backend, const RouteOptions& options) {
    server.set_guard(make_guard(
        backend, {options.local_role, options.operator_token_file, options.tls, options.governor}));
    auto followers = std::make_shared<http::Followers>();
    followers->add(std::make_shared<RequestTrace>(options.node));
    if (options.governor != nullptr) followers->add(std::make_shared<GovernorFollower>(*options.governor));
    server.set_follower(std::move(followers));
    DataRoutes routes(server, std::make_shared<Shared>(backend, options));
    register_object_routes(routes);
    register_multipart_routes(routes);
    register_transaction_routes(routes);
    register_workload_routes(routes);
    register_compression_routes(routes);
    register_allocation_routes(routes);
    register_operator_routes(server, backend, options.events);
    if (options.events != nullptr) register_event_stream(server, *options.events);
    register_probe_routes(server, backend);
    register_api_route(server);
}

} // namespace dwcp::gateway
