#include "actors/gateway/shared.hpp"

#include "protocols/wire/limits.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace dwcp::gateway {

namespace {

/// It may have waited for a thread longer than its client does for the answer.
Result<void> check_wanted(const http::Request& request) {
    return health::still_wanted(request.urgency.deadline, std::chrono::steady_clock::now(),
                                "the request was begun");
}

void set_work(http::RouteSpec& spec) {
    if (spec.work != health::Work::none) return;
    spec.work = spec.method == "GET" ? health::Work::read : health::Work::write;
}

} // namespace

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

Result<manager::UploadReport> find_upload(const WorkloadId& id, Backend& backend) {
    if (id.empty() || id.size() > wire::kWorkloadIdBytesMax)
        return fail(Errc::invalid_argument, "this is not the id of an upload",
                    "POST /v1/uploads gives one as 'upload'");
    auto found = backend.uploads({id});
    if (!found) return std::unexpected(found.error());
    if (found->list.empty())
        return fail(Errc::not_found, fmt::format("this node knows no upload '{}'", id),
                    "ask the node that opened it; GET /v1/uploads lists the open ones");
    return std::move(found->list.front());
}

void DataRoutes::add(http::RouteSpec spec, Handler handler) {
    set_work(spec);
    auto checked = [shared = shared_, handler = std::move(handler), spec](http::Request& request) {
        if (auto query = check_query(request, spec); !query) return http::error_response(query.error());
        if (auto wanted = check_wanted(request); !wanted) return http::error_response(wanted.error());
        return handler(request, *shared);
    };
    server_.route(std::move(spec), http::Handler(std::move(checked)));
}

void DataRoutes::add_upload(http::RouteSpec spec, UploadHandler handler) {
    set_work(spec);
    auto checked =
        [shared = shared_, handler = std::move(handler),
         spec](http::Request& request) -> std::variant<http::Response, std::unique_ptr<http::Upload>> {
        if (auto query = check_query(request, spec); !query) return http::error_response(query.error());
        if (auto wanted = check_wanted(request); !wanted) return http::error_response(wanted.error());
        return handler(request, *shared);
    };
    server_.route(std::move(spec), http::UploadHandler(std::move(checked)));
}

} // namespace dwcp::gateway
