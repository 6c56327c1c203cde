#include "actors/gateway/routes.hpp"

#include "actors/gateway/conditions.hpp"
#include "actors/gateway/download.hpp"
#include "actors/gateway/guards.hpp"
#include "actors/gateway/operator_routes.hpp"
#include "actors/gateway/request_trace.hpp"
#include "actors/gateway/upload.hpp"
#include "actors/gateway/views.hpp"
#include "protocols/consensus/lane.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace dwcp::gateway {
namespace {

constexpr std::size_t kListDefault = 100;
constexpr std::size_t kListMax = 1000;
constexpr std::size_t kTransactionIdBytesMax = 64;
/// Block requests that may wait for a thread; one more runs on its own request's thread.
constexpr std::size_t kBlockQueueMax = 256;

/// What the handlers share; they own it together.
struct Shared {
    Shared(Backend& b, const RouteOptions& o)
        : backend(b), options(o), pool("blocks", o.block_threads, kBlockQueueMax) {}

    Backend& backend;
    const RouteOptions options;
    WorkerPool pool;
};

http::Response erase_object(http::Request& request, Backend& backend) {
    if (auto key = wire::check_key(request.rest); !key) return http::error_response(key.error());
    const auto condition = parse_condition(request);
    if (!condition) return http::error_response(condition.error());
    const auto decision = backend.route({"delete", request.rest});
    if (!decision) return http::error_response(decision.error());
    request.id = request.workload = decision->id;
    const auto deleted = backend.erase(decision->manager, {decision->id, request.rest, *condition});
    if (!deleted) return error_response_for(deleted.error(), backend, request.rest);
    if (!deleted->existed)
        return http::error_response(
            {Errc::not_found, fmt::format("there is no object '{}'", request.rest), ""});
    return json_response({{"existed", true}, {"index", deleted->index}});
}

http::Response list_objects(const http::Request& request, Backend& backend) {
    std::size_t limit = kListDefault;
    if (const auto text = request.param("limit")) {
        const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
        if (error != std::errc() || end != text->data() + text->size() || limit < 1 || limit > kListMax)
            return http::error_response({Errc::invalid_argument,
                                         fmt::format("limit='{}' is not a page size", *text),
                                         fmt::format("give 1 to {}", kListMax)});
    }
    const auto page =
        backend.list(request.param("prefix").value_or(""), request.param("cursor").value_or(""), limit);
    if (!page) return http::error_response(page.error());
    auto objects = nlohmann::json::array();
    for (const auto& manifest : page->objects)
        objects.push_back(object_json(manifest));
    return json_response({{"objects", std::move(objects)}, {"next_cursor", page->next_cursor}});
}

Result<void> check_transaction_id(const std::string& id) {
    const bool plain = std::ranges::all_of(
        id, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
    if (!plain || id.empty() || id.size() > kTransactionIdBytesMax)
        return fail(Errc::invalid_argument, fmt::format("'{}' is not a transaction id", id),
                    fmt::format("use 1 to {} letters, digits, '-', '_' or '.'", kTransactionIdBytesMax));
    return {};
}

http::Response submit_transaction(http::Request& request, Backend& backend) {
    std::string id = request.header("X-DWCP-Transaction-Id").value_or("");
    if (!id.empty())
        if (auto good = check_transaction_id(id); !good) return http::error_response(good.error());
    const auto payload = http::read_text(request, consensus::kCommandBytes);
    if (!payload) return http::error_response(payload.error());
    if (payload->empty())
        return http::error_response(
            {Errc::invalid_argument, "a transaction needs a body", "send its payload"});
    const auto decision = backend.route({"transaction", id});
    if (!decision) return http::error_response(decision.error());
    request.id = decision->id;
    if (id.empty()) id = decision->id;
    request.workload = id;
    const auto committed = backend.submit_transaction(id, to_bytes(*payload));
    if (!committed) return http::error_response(committed.error());
    return json_response({{"id", id},
                          {"lane", "bulk"},
                          {"index", committed->index},
                          {"time_ms", committed->time_ms},
                          {"duplicate", committed->duplicate}},
                         201);
}

http::Response find_transaction(const http::Request& request, Backend& backend) {
    if (auto good = check_transaction_id(request.rest); !good) return http::error_response(good.error());
    const auto record = backend.find_transaction(request.rest);
    if (!record) return http::error_response(record.error());
    if (!*record)
        return http::error_response({Errc::not_found,
                                     fmt::format("no transaction '{}' is committed here", request.rest),
                                     "if it was just submitted, ask again"});
    return json_response(transaction_json(request.rest, **record));
}

http::Response list_workloads(Backend& backend) {
    const auto reports = backend.workloads("");
    if (!reports) return http::error_response(reports.error());
    auto list = nlohmann::json::array();
    for (const auto& report : reports->list)
        list.push_back(workload_json(report));
    return json_response({{"workloads", std::move(list)}});
}

http::Response find_workload(const http::Request& request, Backend& backend) {
    const auto reports = backend.workloads(request.rest);
    if (!reports) return http::error_response(reports.error());
    if (reports->list.empty())
        return http::error_response({Errc::not_found,
                                     fmt::format("this node knows no workload '{}'", request.rest),
                                     "ask the node that took it in"});
    return json_response(workload_json(reports->list.front()));
}

} // namespace

void register_routes(http::HttpServer& server, Backend& backend, const RouteOptions& options) {
    server.set_guard(make_guard(backend, {options.local_role, options.operator_token_file, options.tls}));
    server.set_follower(std::make_shared<RequestTrace>(options.node));
    const auto shared = std::make_shared<Shared>(backend, options);
    const auto add = [&](http::RouteSpec spec, auto handler) {
        server.route(std::move(spec), http::Handler([shared, handler](http::Request& request) {
                         return handler(request, *shared);
                     }));
    };
    using http::Request;
    using identity::Role;
    const std::string objects = "Objects";
    server.route({"PUT", "/v1/objects/*", objects, "Creates or replaces an object.", Role::writer},
                 http::UploadHandler([shared](Request& request) {
                     return begin_put_object(request, shared->backend, shared->pool, shared->options);
                 }));
    add({"GET", "/v1/objects/*", objects, "An object's content, or a range of it.", Role::viewer},
        [](Request& r, Shared& s) { return get_object(r, s.backend, s.pool, s.options); });
    add({"DELETE", "/v1/objects/*", objects, "Deletes an object.", Role::writer},
        [](Request& r, Shared& s) { return erase_object(r, s.backend); });
    add({"GET", "/v1/objects", objects, "A page of the list of objects, in key order.", Role::viewer},
        [](Request& r, Shared& s) { return list_objects(r, s.backend); });
    const std::string transactions = "Transactions";
    add({"POST", "/v1/transactions", transactions, "Commits a transaction exactly once by its id.",
         Role::writer},
        [](Request& r, Shared& s) { return submit_transaction(r, s.backend); });
    add({"GET", "/v1/transactions/*", transactions, "A committed transaction.", Role::viewer},
        [](Request& r, Shared& s) { return find_transaction(r, s.backend); });
    const std::string workloads = "Workloads";
    add({"GET", "/v1/workloads", workloads, "What is under way, done, failed and why.", Role::viewer},
        [](Request&, Shared& s) { return list_workloads(s.backend); });
    add({"GET", "/v1/workloads/*", workloads, "One workload.", Role::viewer},
        [](Request& r, Shared& s) { return find_workload(r, s.backend); });
    register_operator_routes(server, backend);
    register_probe_routes(server, backend);
}

} // namespace dwcp::gateway
