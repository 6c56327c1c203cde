#include "actors/gateway/shared.hpp"

#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::gateway {

Result<void> check_query(const http::Request& request, const http::RouteSpec& route) {
    for (const auto& [name, value] : request.params) {
        const bool known = std::ranges::any_of(route.parameters, [&](const auto& parameter) {
            return parameter.in == "query" && parameter.name == name;
        });
        if (!known)
            return fail(Errc::invalid_argument,
                        fmt::format("{} {} takes no parameter '{}'", request.method, route.pattern, name),
                        "ops/api.md and GET /v1/api list what there is");
    }
    return {};
}

void DataRoutes::add(http::RouteSpec spec, Handler handler) {
    auto checked = [shared = shared_, handler = std::move(handler), spec](http::Request& request) {
        if (auto query = check_query(request, spec); !query) return http::error_response(query.error());
        return handler(request, *shared);
    };
    server_.route(std::move(spec), http::Handler(std::move(checked)));
}

void DataRoutes::add_upload(http::RouteSpec spec, UploadHandler handler) {
    auto checked =
        [shared = shared_, handler = std::move(handler),
         spec](http::Request& request) -> std::variant<http::Response, std::unique_ptr<http::Upload>> {
        if (auto query = check_query(request, spec); !query) return http::error_response(query.error());
        return handler(request, *shared);
    };
    server_.route(std::move(spec), http::UploadHandler(std::move(checked)));
}

} // namespace dwcp::gateway
