// What the API is, from the server's own table of routes: ops/api.md for people, GET /v1/api for programs and
// for the shell's completion.
//
// Pure. A test writes ops/api.md and fails when the committed file differs.
#pragma once

#include "runtime/http/http_server.hpp"
#include "runtime/http/route.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace dwcp::gateway {

/// The whole of ops/api.md. Groups stand in the order of their first route.
std::string describe_as_markdown(const std::vector<http::RouteSpec>& routes);

/// {"routes": [{method, path, group, role, sentence, parameters: [{name, in, type, required, sentence}],
/// answer, example}]}
nlohmann::json describe_as_json(const std::vector<http::RouteSpec>& routes);

/// GET /v1/api. `server` must have all other routes by the time it is asked.
void register_api_route(http::HttpServer& server);

} // namespace dwcp::gateway
