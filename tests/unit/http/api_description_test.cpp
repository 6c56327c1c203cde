// The description of the API is complete, and ops/api.md is it.
#include "actors/gateway/api_description.hpp"
#include "actors/gateway/routes.hpp"
#include "tests/unit/http/fake_backend.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

using namespace dwcp;

namespace {

struct AllRoutes {
    test::FakeBackend backend;
    http::HttpServer server;
    AllRoutes() { gateway::register_routes(server, backend, {}); }
};

} // namespace

TEST_CASE_METHOD(AllRoutes, "ops/api.md is what the routes say") {
    const std::string path = DWCP_SOURCE_DIR "/ops/api.md";
    const std::string text = gateway::describe_as_markdown(server.routes());
    if (std::getenv("DWCP_REGENERATE") != nullptr) std::ofstream(path, std::ios::binary) << text;
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    INFO("after a change of a route, write it anew: DWCP_REGENERATE=1 "
         "build/release/tests/gateway_routes_test, "
         "and commit it");
    CHECK(content.str() == text);
}

TEST_CASE_METHOD(AllRoutes, "every route says what it is for, what it takes and what it answers") {
    std::set<std::string> seen;
    for (const auto& route : server.routes()) {
        CAPTURE(route.method, route.pattern);
        CHECK(seen.insert(route.method + route.pattern).second);
        CHECK_FALSE(route.group.empty());
        CHECK(route.sentence.ends_with('.'));
        CHECK(route.answer.ends_with('.'));
        CHECK(route.example.find("http://127.0.0.1:8101/") != std::string::npos);
        std::size_t in_path = 0;
        for (const auto& parameter : route.parameters) {
            CAPTURE(parameter.name);
            CHECK_FALSE(parameter.sentence.empty());
            CHECK(std::set<std::string>{"path", "query", "header", "body"}.contains(parameter.in));
            in_path += parameter.in == "path" ? 1 : 0;
        }
        CHECK(in_path == (route.pattern.ends_with('*') ? 1 : 0));
    }
}

TEST_CASE_METHOD(AllRoutes,
                 "an example works in a shell as it stands, with the token where loopback is not enough") {
    for (const auto& route : server.routes()) {
        CAPTURE(route.example);
        bool quoted = false;
        for (const char c : route.example) {
            if (c == '\'' || c == '"')
                quoted = !quoted;
            else
                CHECK((quoted || std::string_view("?&*;<>|").find(c) == std::string_view::npos));
        }
        const bool has_token = route.example.find("Bearer $TOKEN") != std::string::npos;
        CHECK((has_token || route.role <= identity::Role::writer));
    }
}

TEST_CASE_METHOD(AllRoutes, "programs get the same description as people") {
    const auto described = gateway::describe_as_json(server.routes()).at("routes");
    const std::string text = gateway::describe_as_markdown(server.routes());
    CHECK(described.size() == server.routes().size());
    for (const auto& route : described) {
        const std::string heading = "\n### " + route.at("method").get<std::string>() + " " +
                                    route.at("path").get<std::string>() + "\n";
        CAPTURE(heading);
        CHECK(text.find(heading) != std::string::npos);
    }
}
