#include "actors/gateway/operator_routes.hpp"

#include "actors/gateway/event_feed.hpp"
#include "actors/gateway/operator_verbs.hpp"
#include "actors/gateway/tar.hpp"
#include "actors/gateway/views.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/metrics/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <string>

namespace dwcp::gateway {
namespace {

constexpr std::size_t kWhoBytesMax = 128;
/// Before a lane's name, in the name of a check.
constexpr std::string_view kLane = "lane ";
constexpr std::string_view kLaneActor = "actor consensus/";

http::Response answer(Backend& backend, const std::string& verb, nlohmann::json args,
                      const http::Request& request) {
    const auto result = backend.admin({verb, std::move(args), request.client, request.peer});
    return result ? json_response(*result) : http::error_response(result.error());
}

const http::Parameter* find_parameter(const OperatorVerb& verb, std::string_view name) {
    const auto found = std::ranges::find(verb.route.parameters, name, &http::Parameter::name);
    return found == verb.route.parameters.end() ? nullptr : &*found;
}

/// A query's text as what the parameter is.
Result<nlohmann::json> parse_value(const http::Parameter& parameter, const std::string& text) {
    using Type = http::Parameter::Type;
    if (parameter.type == Type::text) return text;
    if (parameter.type == Type::flag && (text == "true" || text == "false")) return text == "true";
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = error == std::errc() && end == text.data() + text.size() && number >= 0;
    if (parameter.type == Type::number && whole) return static_cast<std::uint64_t>(number);
    return fail(Errc::invalid_argument,
                fmt::format("{}='{}' is not {}", parameter.name, text,
                            parameter.type == Type::flag ? "true or false" : "a whole number"),
                parameter.sentence);
}

/// What a GET verb takes, from the query.
Result<nlohmann::json> read_query(const http::Request& request, const OperatorVerb& verb) {
    nlohmann::json args = nlohmann::json::object();
    for (const auto& [name, text] : request.params) {
        const auto* parameter = find_parameter(verb, name);
        if (parameter == nullptr || parameter->in != "query")
            return fail(Errc::invalid_argument, fmt::format("'{}' takes no parameter '{}'", verb.name, name),
                        "ops/api.md lists what there is");
        auto value = parse_value(*parameter, text);
        if (!value) return std::unexpected(value.error());
        args[name] = std::move(*value);
    }
    for (const auto& parameter : verb.route.parameters) {
        if (parameter.in == "path") args[parameter.name] = request.rest;
        if (parameter.required && !args.contains(parameter.name))
            return fail(Errc::invalid_argument, fmt::format("'{}' needs '{}'", verb.name, parameter.name),
                        parameter.sentence);
    }
    return args;
}

bool has_type(const nlohmann::json& value, http::Parameter::Type type) {
    using Type = http::Parameter::Type;
    return type == Type::text     ? value.is_string()
           : type == Type::number ? value.is_number_unsigned()
           : type == Type::list   ? value.is_array()
                                  : value.is_boolean();
}

/// {"path": "manager/0", "node": "site-b", "who": "ann@host"}
Result<nlohmann::json> read_command(const http::Request& request, const OperatorVerb& verb) {
    const auto text = http::read_text(request, verb.body_bytes_max);
    if (!text) return std::unexpected(text.error());
    auto args = text->empty() ? nlohmann::json::object() : nlohmann::json::parse(*text, nullptr, false);
    const auto malformed = [&](const std::string& what) {
        return fail(Errc::invalid_argument, fmt::format("the body of '{}' {}", verb.name, what),
                    R"(send a JSON object such as {"path": "manager/0"}; ops/api.md lists its members)");
    };
    static const http::Parameter kWho{"who", "body", "Who asks, for the audit log."};
    if (!args.is_object()) return malformed("is not a JSON object");
    for (const auto& [name, value] : args.items()) {
        const auto* parameter = name == kWho.name ? &kWho : find_parameter(verb, name);
        if (parameter == nullptr) return malformed(fmt::format("has an unknown member '{}'", name));
        if (!has_type(value, parameter->type))
            return malformed(fmt::format("has a '{}' of the wrong type: {}", name, parameter->sentence));
    }
    for (const auto& parameter : verb.route.parameters)
        if (parameter.required && !args.contains(parameter.name))
            return malformed(fmt::format("lacks '{}': {}", parameter.name, parameter.sentence));
    if (args.value("who", "").size() > kWhoBytesMax)
        return malformed(fmt::format("has a 'who' of more than {} bytes", kWhoBytesMax));
    if (!args.contains("who")) args["who"] = request.peer;
    return args;
}

/// The files of a bundle as one archive: a few MiB, as everything in it is bounded.
http::Response archive(Backend& backend, const http::Request& request) {
    const auto bundle = backend.admin({"bundle", nlohmann::json::object(), request.client, request.peer});
    if (!bundle) return http::error_response(bundle.error());
    http::Response response;
    response.content_type = "application/x-tar";
    response.headers.emplace_back("Content-Disposition", "attachment; filename=dwcp-bundle.tar");
    response.body = make_tar(bundle->at("files").get<std::map<std::string, std::string>>(),
                             bundle->at("time_ms").get<UnixMillis>());
    return response;
}

bool wants_stream(const http::Request& request) {
    return request.header("Accept").value_or("").find("text/event-stream") != std::string::npos;
}

http::Response follow(EventFeed& events, const http::Request& request) {
    if (request.param("node"))
        return http::error_response(
            {Errc::invalid_argument, "a stream is of the node that is asked", "ask the other node itself"});
    auto stream = events.open(request);
    return stream ? std::move(*stream) : http::error_response(stream.error());
}

/// A lane that is quarantined, given up or paused says nothing of itself: its actor's check is all there is.
bool is_silent_lane(const nlohmann::json& check, const std::set<std::string>& heard) {
    const auto name = check.value("name", "");
    return name.starts_with(kLaneActor) && !check.value("ok", false) &&
           !heard.contains(name.substr(kLaneActor.size()));
}

/// Reads go on without a lane that can commit, so this is said and does not make the node unready: were it
/// so, every node would leave its balancer at once when a quorum is lost.
nlohmann::json readiness(const nlohmann::json& health) {
    auto lanes = nlohmann::json::array();
    std::set<std::string> heard;
    bool can_commit = true;
    const auto add = [&](const std::string& lane, const nlohmann::json& check) {
        const bool ok = check.value("ok", false);
        can_commit = can_commit && ok;
        heard.insert(lane);
        lanes.push_back({{"lane", lane}, {"can_commit", ok}, {"note", check.value("detail", "")}});
    };
    const auto checks =
        health.is_object() ? health.value("checks", nlohmann::json::array()) : nlohmann::json::array();
    for (const auto& check : checks) {
        const auto name = check.value("name", "");
        if (name.starts_with(kLane)) add(name.substr(kLane.size()), check);
    }
    for (const auto& check : checks)
        if (is_silent_lane(check, heard)) add(check.value("name", "").substr(kLaneActor.size()), check);
    return {{"ready", true}, {"can_commit", can_commit}, {"lanes", std::move(lanes)}};
}

} // namespace

void register_operator_routes(http::HttpServer& server, Backend& backend, EventFeed* events) {
    for (const OperatorVerb& verb : operator_verbs()) {
        const bool may_stream = verb.name == "events" && events != nullptr;
        server.route(verb.route, http::Handler([=, &backend, &verb](http::Request& request) {
                         if (verb.name == "bundle") return archive(backend, request);
                         if (may_stream && wants_stream(request)) return follow(*events, request);
                         const auto args = verb.route.method == "GET" ? read_query(request, verb)
                                                                      : read_command(request, verb);
                         return args ? answer(backend, verb.name, *args, request)
                                     : http::error_response(args.error());
                     }));
    }
}

void register_event_stream(http::HttpServer& server, EventFeed& events) {
    http::RouteSpec spec;
    spec.method = "GET";
    spec.pattern = "/v1/events/stream";
    spec.group = "Operation";
    spec.sentence = "This node's events as they happen (server-sent events).";
    spec.role = identity::Role::viewer;
    spec.parameters = {
        {"Last-Event-ID", "header", "The last id that was seen: goes on after it."},
        {"after", "query", "The same where no header can be sent; without both, from now on."}};
    spec.answer =
        "Of each event `id: INCARNATION-ID`, `event: NAME` and `data:`, the event as in /v1/events. "
        "Where some are missing an event `gap` comes first: `missed` (unknown after a restart), "
        "`next`, `reason`. A comment every 15 s keeps the connection alive.";
    spec.example = "curl -N http://127.0.0.1:8101/v1/events/stream";
    server.route(std::move(spec),
                 http::Handler([&events](http::Request& request) { return follow(events, request); }));
}

void register_probe_routes(http::HttpServer& server, Backend& backend) {
    using http::RouteSpec;
    const auto probe = [](std::string path, identity::Role role, std::string sentence, std::string answer) {
        std::string example = "curl http://127.0.0.1:8101" + path;
        return RouteSpec{.method = "GET",
                         .pattern = std::move(path),
                         .group = "Probes",
                         .sentence = std::move(sentence),
                         .role = role,
                         .answer = std::move(answer),
                         .example = std::move(example),
                         .probe = true};
    };
    server.route(probe("/metrics", identity::Role::viewer, "All metrics, for Prometheus.",
                       "Prometheus' text format, version 0.0.4."),
                 http::Handler([](http::Request&) {
                     http::Response response;
                     response.content_type = "text/plain; version=0.0.4; charset=utf-8";
                     response.body = metrics::expose();
                     return response;
                 }));
    server.route(probe("/health", identity::Role::none, "Whether the parts of this node work; 503 if not.",
                       "`status` (`healthy`, `degraded` or `unhealthy`) and `checks`."),
                 http::Handler([&backend](http::Request&) {
                     const auto health = backend.health();
                     const std::string status = health.is_object() ? health.value("status", "") : "";
                     return json_response(health, status == "healthy" || status == "degraded" ? 200 : 503);
                 }));
    server.route(
        probe("/ready", identity::Role::none, "Whether this node takes requests; 503 if not.",
              "`ready`: true; `can_commit`, and `lanes`: which of them can commit now. Reads go on without."),
        http::Handler([&backend](http::Request&) {
            const auto ready = backend.ready();
            return ready ? json_response(readiness(backend.health()))
                         : http::error_response(ready.error(), 503);
        }));
}

} // namespace dwcp::gateway
