#include "actors/gateway/operator_routes.hpp"

#include "actors/gateway/guards.hpp"
#include "actors/gateway/views.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/metrics/metrics.hpp"

#include <fmt/format.h>

#include <charconv>

namespace dwcp::gateway {
namespace {

/// A path, a node's name and who asks.
constexpr std::size_t kCommandBytesMax = 4096;
constexpr std::size_t kWhoBytesMax = 128;
constexpr std::uint64_t kEventsDefault = 100;
constexpr std::uint64_t kEventsMax = 1000;

http::Response answer(Backend& backend, const std::string& verb, const nlohmann::json& args) {
    const auto result = backend.admin(verb, args);
    return result ? json_response(*result) : http::error_response(result.error());
}

Result<std::uint64_t> number_param(const http::Request& request, const std::string& name,
                                   std::uint64_t absent, std::uint64_t max) {
    const auto text = request.param(name);
    if (!text) return absent;
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc() || end != text->data() + text->size() || value > max)
        return fail(Errc::invalid_argument, fmt::format("{}='{}' is not a number up to {}", name, *text, max),
                    "");
    return value;
}

nlohmann::json node_args(const http::Request& request) {
    nlohmann::json args = nlohmann::json::object();
    if (const auto node = request.param("node")) args["node"] = *node;
    return args;
}

http::Response events(const http::Request& request, Backend& backend) {
    auto args = node_args(request);
    const auto after = number_param(request, "after", 0, std::numeric_limits<std::int64_t>::max());
    const auto limit = number_param(request, "limit", kEventsDefault, kEventsMax);
    if (!after) return http::error_response(after.error());
    if (!limit) return http::error_response(limit.error());
    if (request.param("after")) args["after"] = *after; // without: the latest
    args["limit"] = *limit;
    return answer(backend, "events", args);
}

/// {"path": "manager/0", "node": "site-b", "who": "ann@host"}, the last two optional.
Result<nlohmann::json> read_command(const http::Request& request) {
    const auto text = http::read_text(request, kCommandBytesMax);
    if (!text) return std::unexpected(text.error());
    const auto body = nlohmann::json::parse(*text, nullptr, false);
    const auto malformed = [] {
        return fail(Errc::invalid_argument, "the body is not a command",
                    R"(send {"path": "manager/0"}, with "node" and "who" if needed, all of them texts)");
    };
    if (!body.is_object() || !body.contains("path")) return malformed();
    nlohmann::json args = nlohmann::json::object();
    for (const char* name : {"path", "node", "who"}) {
        if (!body.contains(name)) continue;
        if (!body[name].is_string()) return malformed();
        args[name] = body[name];
    }
    if (args.value("who", "").size() > kWhoBytesMax) return malformed();
    if (!args.contains("who")) args["who"] = request.peer;
    return args;
}

} // namespace

void register_operator_routes(http::HttpServer& server, Backend& backend, const RouteOptions& options) {
    const auto guarded = [&server](const char* method, const char* pattern, http::Handler handler) {
        server.route(method, pattern, [handler = std::move(handler)](http::Request& request) {
            if (auto allowed = check_same_machine(request); !allowed)
                return http::error_response(allowed.error());
            return handler(request);
        });
    };
    for (const std::string verb : {"status", "nodes", "tree"})
        guarded("GET", ("/v1/" + verb).c_str(), [&backend, verb](http::Request& request) {
            return answer(backend, verb, node_args(request));
        });
    guarded("GET", "/v1/events", [&backend](http::Request& request) { return events(request, backend); });
    guarded("GET", "/v1/actors/*", [&backend](http::Request& request) {
        auto args = node_args(request);
        args["path"] = request.rest;
        return answer(backend, "actor.show", args);
    });
    for (const std::string verb : {"kill", "restart"}) {
        guarded("POST", ("/v1/actors/" + verb).c_str(),
                [&backend, verb, token_file = options.operator_token_file](http::Request& request) {
                    if (auto allowed = check_operator(request, backend, token_file); !allowed)
                        return http::error_response(allowed.error());
                    const auto args = read_command(request);
                    return args ? answer(backend, "actor." + verb, *args)
                                : http::error_response(args.error());
                });
    }
}

void register_probe_routes(http::HttpServer& server, Backend& backend) {
    server.route("GET", "/metrics", [](http::Request&) {
        http::Response response;
        response.content_type = "text/plain; version=0.0.4; charset=utf-8";
        response.body = metrics::expose();
        return response;
    });
    server.route("GET", "/health", [&backend](http::Request&) {
        const auto health = backend.health();
        const std::string status = health.is_object() ? health.value("status", "") : "";
        return json_response(health, status == "healthy" || status == "degraded" ? 200 : 503);
    });
    server.route("GET", "/ready", [&backend](http::Request&) {
        const auto ready = backend.ready();
        return ready ? json_response({{"ready", true}}) : http::error_response(ready.error(), 503);
    });
}

} // namespace dwcp::gateway
