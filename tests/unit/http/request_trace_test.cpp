#include "actors/gateway/request_trace.hpp"
#include "actors/gateway/routes.hpp"
#include "runtime/trace/traceparent.hpp"
#include "tests/unit/http/fake_backend.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <httplib.h>
#include <thread>

using namespace dwcp;
using namespace std::chrono_literals;
using dwcp::test::FakeBackend;

namespace {

constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr const char* kParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

struct TracedServer {
    explicit TracedServer(const NodeName& node_in) : node(node_in) {
        gateway::RouteOptions routes;
        routes.node = node;
        gateway::register_routes(server, backend, routes);
        REQUIRE(server.start(http::Options{}));
        client = std::make_unique<httplib::Client>("127.0.0.1", server.port());
    }
    httplib::Result put(const std::string& key, const httplib::Headers& headers = {}) {
        const std::string body = "content";
        return client->Put("/v1/objects/" + key, headers, body.data(), body.size(), "text/plain");
    }
    /// A request's span is recorded once its answer is out, an instant after the client has it.
    std::vector<trace::Span> spans(const std::string& id, std::size_t count) const {
        const auto give_up = std::chrono::steady_clock::now() + 20s;
        for (;;) {
            auto found = trace::ring().find(id, node);
            if (found.size() >= count || std::chrono::steady_clock::now() > give_up) return found;
            std::this_thread::sleep_for(1ms);
        }
    }

    const NodeName node;
    FakeBackend backend;
    http::HttpServer server;
    std::unique_ptr<httplib::Client> client;
};

} // namespace

TEST_CASE("a caller's trace goes on: the answer names it, and the request hangs under the caller's span") {
    TracedServer at("traced-1");
    const auto answer = at.put("key", {{"traceparent", kParent}});
    REQUIRE(answer);
    REQUIRE(answer->status == 201);
    const auto told = trace::parse_traceparent(answer->get_header_value("traceparent"));
    REQUIRE(told);
    CHECK(told->trace_id == kTrace);
    const auto spans = at.spans(kTrace, 1);
    REQUIRE(spans.size() == 1);
    CHECK(spans[0].name == "request");
    CHECK(spans[0].id == told->parent);
    CHECK(spans[0].parent == 0x00f067aa0ba902b7);
    CHECK(spans[0].workload == answer->get_header_value("X-DWCP-Request-Id"));
    CHECK(spans[0].error.empty());
    CHECK(spans[0].texts ==
          decltype(spans[0].texts){{"method", "PUT"}, {"path", "/v1/objects/key"}, {"status", "201"}});
    CHECK(at.spans(spans[0].workload, 1).size() == 1);
}

TEST_CASE("without a traceparent the request's id is the trace, and a malformed one is ignored") {
    TracedServer at("traced-2");
    for (const char* given : {"", "garbage", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"}) {
        INFO("'" << given << "'");
        httplib::Headers headers;
        if (*given != '\0') headers.emplace("traceparent", given);
        const auto answer = at.put("key", headers);
        REQUIRE(answer);
        CHECK(answer->status == 201);
        const auto told = trace::parse_traceparent(answer->get_header_value("traceparent"));
        REQUIRE(told);
        CHECK(told->trace_id == answer->get_header_value("X-DWCP-Request-Id"));
        const auto spans = at.spans(told->trace_id, 1);
        REQUIRE(spans.size() == 1);
        CHECK(spans[0].parent == 0);
    }
}

TEST_CASE("two traceparents contradict each other, so there is none") {
    TracedServer at("traced-3");
    const auto answer =
        at.put("key", {{"traceparent", kParent},
                       {"traceparent", "00-11111111111111111111111111111111-00f067aa0ba902b7-01"}});
    REQUIRE(answer);
    CHECK(trace::parse_traceparent(answer->get_header_value("traceparent"))->trace_id ==
          answer->get_header_value("X-DWCP-Request-Id"));
}

TEST_CASE("a read whose caller records it is always followed, others up to their share") {
    TracedServer at("traced-4");
    REQUIRE(at.put("key"));
    const auto read = [&](const httplib::Headers& headers) {
        const auto answer = at.client->Get("/v1/objects/key", headers);
        REQUIRE(answer);
        REQUIRE(answer->status == 200);
        return answer->has_header("traceparent");
    };
    int followed = 0;
    constexpr int kReads = 400;
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kReads; ++i)
        followed += read({}) ? 1 : 0;
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
    CHECK(followed > 0);
    CHECK(followed <= static_cast<int>(gateway::kReadsFollowedPerS) * (seconds.count() + 1));
    for (int i = 0; i < 50; ++i)
        CHECK(read({{"traceparent", kParent}}));
    // Each of them has left its "find" and its request.
    CHECK(at.spans(kTrace, 100).size() == 100);
}

TEST_CASE("a request that fails is told of with its status") {
    TracedServer at("traced-5");
    const auto answer = at.client->Delete("/v1/objects/none", {{"traceparent", kParent}});
    REQUIRE(answer);
    CHECK(answer->status == 404);
    const auto spans = at.spans(kTrace, 1);
    REQUIRE(spans.size() == 1);
    CHECK(spans[0].error == "answered 404");
}
