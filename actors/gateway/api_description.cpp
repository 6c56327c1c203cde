#include "actors/gateway/api_description.hpp"

#include "actors/gateway/views.hpp"
#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace dwcp::gateway {
namespace {

constexpr std::string_view kOpening = R"(# The HTTP API of a node

This file is written by the gateway's own table of routes; `GET /v1/api` gives the same as JSON. After a
change: `DWCP_REGENERATE=1 build/release/tests/gateway_routes_test`.

## Base URL
Every node of a cluster serves the whole API at its `listen.http`, on a developer's machine
`http://127.0.0.1:8101` (site-a), `8102`, `8103`. An object can be read at any node as soon as its PUT was
acknowledged at one. HTTP/1.1; with `[tls]` configured, TLS 1.3 only. Paths and queries are
percent-encoded UTF-8.

## Who may do what
Roles, each with the rights of those before it: `viewer` reads; `writer` puts and deletes objects and
submits transactions; `operator` runs the cluster; `admin` may lose data or defeat a protection. A route
names the least role that it needs. Where a client's role comes from, the first that applies:

1. Its certificate (TLS): the SAN `dwcp://CLUSTER/ROLE/NAME`. `ops/certs` makes certificates.
2. `Authorization: Bearer TOKEN` with the node's operator token, from the file `operator.token` in its data
   directory (mode 0600): `admin`.
3. On loopback, without either: `http.local_role`, by default `writer`.

The examples below that need more than `writer` take the token from the shell; of a node that
`node_configs/site-a.toml` describes:

```sh
TOKEN=$(cat run/site-a/operator.token)
```

A wrong token is 401, too low a role 401 or 403; both say what is needed. Without TLS a request must name
the node as a loopback address in `Host`, and in `Origin` if it has one: a web page from elsewhere gets
nothing.

## Errors
Every error, of whatever route, is JSON, and says what was wrong and what to do:

```json
{"error": {"code": "not_found", "message": "there is no object 'a'", "remedy": "list what there is with ..."}}
```
)";

constexpr std::string_view kClosing = R"(
Every answer carries `X-DWCP-Request-Id`; of a request that changes something it is the workload's id,
which names it in logs, events, `GET /v1/workloads/ID` and traces. An error inside a body that has begun
cuts the connection: a short body is never a whole object.

## Limits
| what | limit | beyond |
|---|---|---|
| request line and headers | 32 KiB | 431 |
| object | `manager.object_bytes_max` (64 GiB) | 413, at once if the length was announced |
| key | 1024 bytes of UTF-8, no control characters, no empty, `.` or `..` segment | 400 |
| content type | 255 ASCII characters | 400 |
| transaction | 32 KiB | 413 |
| JSON body | as its route says; 16 levels of nesting | 413, 400 |
| connections, requests under way, requests waiting | `http.threads` and open files | 503 |
| idle connection | `http.idle_timeout_ms` (5 s) | closed |

A query parameter or a member of a JSON body that a route does not have is 400: a misspelt one is never
ignored.

## Back-pressure
429: this client or all of them are over a limit (`manager.requests_per_s`,
`manager.workloads_in_flight_max` and what slow commits leave of it, a full queue). 503: the node, a peer or
the lane is away, or the node is draining. Both carry `Retry-After` in seconds and are safe to repeat. 504
means that it may still have happened: ask `GET /v1/workloads/ID` before repeating.

## What matters, and how long you wait
Any request may carry two headers; what is malformed is 400.

`X-DWCP-Priority: low|normal|high|critical`, without it `normal`. Under pressure the least goes first: low
priority gets three quarters of `manager.workloads_in_flight_max` and of the burst. When clients are served
badly (`degradation` in `GET /v1/status` and `/health`) requests are refused with 503, `Retry-After: 5` and
the reason:

| level | when, by default over 60 s | refused |
|---|---|---|
| `normal` | | nothing |
| `degraded` | 1 % fail, or 10 % are slow | low |
| `severely_degraded` | 10 % fail, or half are slow | low, and every second new write of normal priority |
| `emergency` | half fail | all but critical |

Operator verbs and probes are never refused for that. One client (its certificate's name, else its address)
may hold half of the places for uploads while it is alone, and an equal share less one when others come; more
is 429.

`X-DWCP-Deadline-Ms: N` (1 to 3,600,000): you wait N milliseconds, from when your headers have arrived until
the answer begins. It goes along with the work through the node and to its peers. What has not been begun by
then is not begun, and answered 504 with `it was not begun`: nothing has happened. Any other 504 means that
the answer did not come in time: the write may still come about, and an object that was wholly received (its
workload is `sealed`) is committed whatever the deadline, never dropped because of it. Ask `GET
/v1/workloads/ID`, or repeat the write: equal content is the same object. Without the header the limits of
each step hold alone: 15 s for a block, 60 s for a commit.

## Versions of an object: ETags
An object's ETag is the SHA-256 of its content in quotes, also if it was uploaded in parts; GET and HEAD
send it with `X-DWCP-SHA256`. Equal content has equal ETags.

| request | header | means |
|---|---|---|
| PUT, complete | `If-None-Match: *` | only create |
| PUT, complete, DELETE | `If-Match: "ETAG"` | only that version; up to 16, or `*` for any |
| GET, HEAD | `If-None-Match: "ETAG"` | 304 if it is still that version |
| GET, HEAD | `If-Match: "ETAG"` | 412 if it is another version |
| GET | `Range` with `If-Range: "ETAG"` | the range if it is still that version, else the whole |

A write's condition is decided where the write is ordered, not when it arrives: of two clients that race,
at whichever nodes, exactly one succeeds. The other gets 412 with the current `ETag`; nothing of its
content is kept. Strong ETags only: `W/"..."` never satisfies If-Match.

## Large objects in parts
`POST /v1/uploads`, then each part by `PUT /v1/uploads/ID/NUMBER` in any order, in parallel if you like,
then `POST /v1/uploads/ID/complete` with the list of parts. An acknowledged part survives a crash of the
node; repeat one that was not acknowledged, the last of a number counts. A part has 1 MiB at least (but
the last one) and 19 GiB at most, there are at most 10,000. Parts live at the node that opened the upload,
so go on there. Completing reads all parts again, to check them and to know the SHA-256 of the whole: it
takes about as long as a GET of the object without sending it. An upload that is neither completed nor
deleted within `manager.upload_expiry_s` (24 h) is forgotten with its parts; so is one whose condition
fails at the completion.

## Events
`GET /v1/events` with `after` pages through what happened; `GET /v1/events/stream` (or `Accept:
text/event-stream`) sends it as it happens, as server-sent events whose `id` may be given as
`Last-Event-ID` to go on after a lost connection. The node keeps the latest events only; who asks for
older ones is told that there is a gap.
)";

struct CodeMeaning {
    Errc code;
    std::string_view sentence;
};

constexpr std::array kCodes{
    CodeMeaning{Errc::invalid_argument, "The request is malformed; sending it again will not help."},
    CodeMeaning{Errc::unauthenticated, "The client did not prove who it is."},
    CodeMeaning{Errc::permission_denied, "The client is known but may not do this."},
    CodeMeaning{Errc::not_found, "The named thing does not exist."},
    CodeMeaning{Errc::already_exists, "The named thing exists and a new one was asked for."},
    CodeMeaning{Errc::precondition_failed, "The state does not allow it now."},
    CodeMeaning{Errc::condition_failed, "If-Match or If-None-Match does not hold."},
    CodeMeaning{Errc::too_large, "The body is over its limit."},
    CodeMeaning{Errc::resource_exhausted, "A limit was reached: slow down and try again."},
    CodeMeaning{Errc::internal, "A fault of the node; its log has the request's id."},
    CodeMeaning{Errc::corrupted, "Stored bytes do not match their checksum and no replica has them."},
    CodeMeaning{Errc::io_error, "The node's operating system refused."},
    CodeMeaning{Errc::unimplemented, "Not supported; a method that the path does not take is 405."},
    CodeMeaning{Errc::unavailable, "Something is away; try again later."},
    CodeMeaning{Errc::cancelled, "The work was ended before it was done; send it again."},
    CodeMeaning{Errc::deadline_exceeded, "No answer in time; it may still have happened."},
};
static_assert(kCodes.size() == static_cast<std::size_t>(kErrcLast) + 1);

std::string status_table() {
    std::string table = "\n| status | code | means |\n|---|---|---|\n";
    for (const auto& [code, sentence] : kCodes)
        table += fmt::format("| {} | `{}` | {} |\n", http::status_of(code), to_string(code), sentence);
    return table + "\nBeside these: 304 not modified, 405 with `Allow`, 411 no length and not chunked, 415 a "
                   "Content-Encoding, 416 a range outside the object, 431 headers too large.\n";
}

/// "/v1/objects/*" with a path parameter "key" reads "/v1/objects/{key}".
std::string path_of(const http::RouteSpec& route) {
    if (!route.pattern.ends_with('*')) return route.pattern;
    const auto named = std::ranges::find(route.parameters, "path", &http::Parameter::in);
    const std::string name = named == route.parameters.end() ? "rest" : named->name;
    if (name.starts_with('{')) return route.pattern.substr(0, route.pattern.size() - 1) + name; // several
    return route.pattern.substr(0, route.pattern.size() - 1) + '{' + name + '}';
}

std::string_view type_of(const http::Parameter& parameter) {
    using Type = http::Parameter::Type;
    switch (parameter.type) {
    case Type::text:
        return "text";
    case Type::number:
        return "number";
    case Type::flag:
        return "flag";
    case Type::list:
        return "list";
    }
    return "text";
}

/// In a table's cell a bar would end it.
std::string cell(std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2)
        text.insert(at, 1, '\\');
    return text;
}

std::string describe_route(const http::RouteSpec& route) {
    std::string text = fmt::format("\n### {} {}\n{} Role: `{}`.\n", route.method, path_of(route),
                                   route.sentence, to_string(route.role));
    if (!route.parameters.empty()) text += "\n| parameter | in | type | |\n|---|---|---|---|\n";
    for (const auto& parameter : route.parameters)
        text += fmt::format("| `{}`{} | {} | {} | {} |\n", parameter.name,
                            parameter.required ? " (required)" : "", parameter.in, type_of(parameter),
                            cell(parameter.sentence));
    if (!route.answer.empty()) text += fmt::format("\nAnswer: {}\n", route.answer);
    if (!route.example.empty()) text += fmt::format("\n```sh\n{}\n```\n", route.example);
    return text;
}

} // namespace

std::string describe_as_markdown(const std::vector<http::RouteSpec>& routes) {
    std::vector<std::pair<std::string, std::string>> groups; // heading, text
    for (const auto& route : routes) {
        if (route.sentence.empty()) continue; // of which nothing is to be said
        auto group = std::ranges::find(groups, route.group, &std::pair<std::string, std::string>::first);
        if (group == groups.end()) group = groups.insert(groups.end(), {route.group, {}});
        group->second += describe_route(route);
    }
    std::string text = std::string(kOpening) + status_table() + std::string(kClosing);
    for (const auto& [heading, body] : groups)
        text += fmt::format("\n## {}\n{}", heading, body);
    return text;
}

nlohmann::json describe_as_json(const std::vector<http::RouteSpec>& routes) {
    auto list = nlohmann::json::array();
    for (const auto& route : routes) {
        auto parameters = nlohmann::json::array();
        for (const auto& parameter : route.parameters)
            parameters.push_back({{"name", parameter.name},
                                  {"in", parameter.in},
                                  {"type", type_of(parameter)},
                                  {"required", parameter.required},
                                  {"sentence", parameter.sentence}});
        list.push_back({{"method", route.method},
                        {"path", path_of(route)},
                        {"group", route.group},
                        {"role", to_string(route.role)},
                        {"sentence", route.sentence},
                        {"parameters", std::move(parameters)},
                        {"answer", route.answer},
                        {"example", route.example}});
    }
    return {{"routes", std::move(list)}};
}

void register_api_route(http::HttpServer& server) {
    server.route({.method = "GET",
                  .pattern = "/v1/api",
                  .group = "Probes",
                  .sentence = "This description, for programs.",
                  .role = identity::Role::viewer,
                  .answer =
                      "`routes`: each `method`, `path`, `group`, `role`, `sentence`, `parameters` (each "
                      "`name`, `in`, `type`, `required`, `sentence`), `answer`, `example`.",
                  .example = "curl http://127.0.0.1:8101/v1/api"},
                 http::Handler(
                     [&server](http::Request&) { return json_response(describe_as_json(server.routes())); }));
}

} // namespace dwcp::gateway
