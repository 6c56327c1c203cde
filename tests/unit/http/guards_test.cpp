// Who may do what, by certificate, token and place; without a server.
#include "actors/gateway/guards.hpp"
#include "runtime/base/events.hpp"
#include "tests/unit/http/fake_backend.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using dwcp::test::FakeBackend;
using identity::Role;

namespace {

struct Asked {
    std::optional<http::Response> refusal;
    identity::Principal client;
    health::Urgency urgency{};
    std::string text() const { return refusal ? refusal->body : ""; }
    int status() const { return refusal ? refusal->status : 200; }
};

struct Door {
    FakeBackend backend;
    std::int64_t certificate_left_ms = 3'600'000;
    gateway::GuardOptions options{[] { return Role::writer; }, "/data/operator.token", true};

    Asked ask(Role needed, const std::string& uri, http::Headers headers = {}) {
        http::Request request;
        request.headers = std::move(headers);
        if (!request.headers.contains("Host")) request.headers.emplace("Host", "10.0.0.1:8101");
        if (!uri.empty())
            request.certificate =
                tls::Certificate{*tls::parse_subject(uri), "01", 0, unix_now_ms() + certificate_left_ms};
        http::RouteSpec route;
        route.method = "POST";
        route.pattern = "/v1/thing";
        route.role = needed;
        auto refusal = gateway::make_guard(backend, options)(request, route);
        return {std::move(refusal), request.client, request.urgency};
    }
};

} // namespace

TEST_CASE("with TLS a client is its certificate's role, and no more") {
    Door door;
    CHECK(door.ask(Role::viewer, "dwcp://demo/viewer/ann").status() == 200);
    CHECK(door.ask(Role::operator_, "dwcp://demo/admin/ann").status() == 200);
    CHECK(door.ask(Role::operator_, "dwcp://demo/operator/ann").client.name == "ann");
    const Asked refused = door.ask(Role::operator_, "dwcp://demo/viewer/ann");
    CHECK(refused.status() == 403);
    INFO(refused.text());
    CHECK(refused.text().find("'POST /v1/thing' needs the role operator; the certificate of viewer ann gives "
                              "viewer") != std::string::npos);
    CHECK(refused.text().find("ops/certs client NAME --role ROLE") != std::string::npos);
}

TEST_CASE("a certificate that expires ends its role on connections that are open, too") {
    Door door;
    door.certificate_left_ms = -1;
    const Asked refused = door.ask(Role::viewer, "dwcp://demo/admin/ann");
    CHECK(refused.status() == 401);
    CHECK(refused.text().find("the certificate of ann has expired") != std::string::npos);
}

TEST_CASE("a node's certificate gives no role to an HTTP client") {
    Door door;
    const Asked refused = door.ask(Role::viewer, "dwcp://demo/node/site-b");
    CHECK(refused.status() == 403);
    CHECK(refused.text().find("the certificate of node site-b gives none") != std::string::npos);
    CHECK(door.ask(Role::none, "dwcp://demo/node/site-b").status() == 200); // /health
}

TEST_CASE("with TLS a client without a certificate has no role, on this machine neither") {
    Door door;
    const Asked refused = door.ask(Role::viewer, "");
    CHECK(refused.status() == 401);
    CHECK(refused.text().find("ops/certs client") != std::string::npos);
    CHECK(refused.text().find("/data/operator.token") != std::string::npos);
    CHECK(door.ask(Role::none, "").status() == 200);
    const Asked token = door.ask(Role::admin, "", {{"Authorization", "Bearer secret"}});
    CHECK(token.status() == 200);
    CHECK(token.client.how == "token");
    door.options.tls = false;
    const http::Headers here = {{"Host", "localhost"}};
    CHECK(door.ask(Role::writer, "", here).client.how == "loopback");
    CHECK(door.ask(Role::operator_, "", here).text().find("ops/certs") == std::string::npos);
}

TEST_CASE("with TLS any address of the node is good, but a page from elsewhere is not") {
    Door door;
    const std::string ann = "dwcp://demo/writer/ann";
    CHECK(door.ask(Role::writer, ann, {{"Host", "site-a.example:8101"}}).status() == 200);
    const auto from = [&](const std::string& origin) {
        return door.ask(Role::writer, ann, {{"Host", "site-a.example:8101"}, {"Origin", origin}}).status();
    };
    CHECK(from("https://Site-A.example:8101") == 200);
    CHECK(from("https://site-a.example") == 403);
    CHECK(from("https://evil.example:8101") == 403);
    CHECK(from("null") == 403);
    door.options.tls = false;
    CHECK(door.ask(Role::writer, "", {{"Host", "site-a.example:8101"}}).status() == 403);
}

TEST_CASE("a request says how much it matters and how long its client waits") {
    Door door;
    const auto asked = [&](http::Headers headers) {
        return door.ask(Role::viewer, "dwcp://demo/viewer/ann", std::move(headers));
    };
    CHECK(asked({}).urgency.priority == health::Priority::normal);
    CHECK(asked({}).urgency.deadline == health::kNoDeadline);
    CHECK(asked({{"X-DWCP-Priority", "low"}}).urgency.priority == health::Priority::low);
    const auto before = std::chrono::steady_clock::now();
    const auto deadline = asked({{"x-dwcp-deadline-ms", "60000"}}).urgency.deadline;
    CHECK(deadline >= before + std::chrono::seconds(60));
    CHECK(deadline <= std::chrono::steady_clock::now() + std::chrono::seconds(60));
    CHECK(asked({{"X-DWCP-Priority", "urgent"}}).status() == 400);
    CHECK(asked({{"X-DWCP-Deadline-Ms", "soon"}}).text().find("X-DWCP-Deadline-Ms: 'soon'") !=
          std::string::npos);
    CHECK(asked({{"X-DWCP-Priority", "low"}, {"X-DWCP-Priority", "high"}}).status() == 400);
}
