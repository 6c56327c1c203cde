// The control link between real actor systems over loopback: coming up, requests both ways, refusals at both ends, restarts.
#include "protocols/wire/control.hpp"
#include "tests/actors/nodes.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::test;

namespace {

Result<Bytes> echo(const links::PeerRequest& request) { return request.body; }

/// A peer entry for a node that only ever dials us.
links::ControlPeer dialler(const std::string& name) { return {name, "", "127.0.0.1", 1}; }

/// site-b accepts, site-a dials.
struct Pair {
    TempDir home;
    Node b{home, "site-b", {dialler("site-a")}};
    Node a{home, "site-a", {b.as_peer()}};

    Pair() {
        REQUIRE(a.until_up("site-b"));
        REQUIRE(b.until_up("site-a"));
    }
};

} // namespace

TEST_CASE("a link comes up and carries requests both ways over its one connection") {
    Pair pair;
    pair.a.links().serve_function("echo", echo);
    pair.b.links().serve_function("echo", echo);
    CHECK(pair.a.ask("site-b", "echo", to_bytes("ping")) == to_bytes("ping"));
    CHECK(pair.b.ask("site-a", "echo", to_bytes("pong")) == to_bytes("pong"));
    CHECK(pair.a.peer("site-b").incarnation == pair.b.identity().incarnation);
    CHECK(pair.b.peer("site-a").incarnation == pair.a.identity().incarnation);
    CHECK(pair.a.peer("site-b").rtt_ms > 0);
    CHECK(pair.a.peer("site-b").problem.empty());
    CHECK(pair.a.event("peer_up", "site-b"));
    CHECK(pair.b.event("peer_up", "site-a"));
}

TEST_CASE("a served function learns who asks, and its error arrives as that error") {
    Pair pair;
    pair.b.links().serve_function("who", [](const links::PeerRequest& request) -> Result<Bytes> {
        return fail(Errc::permission_denied, request.from + " asked for " + request.service + " as " + request.trace,
                    "ask nicely");
    });
    const auto answer = pair.a.ask("site-b", "who", {});
    REQUIRE(!answer);
    CHECK(answer.error().code == Errc::permission_denied);
    CHECK(answer.error().message == "site-a asked for who as trace");
    CHECK(answer.error().remedy == "ask nicely");
}
