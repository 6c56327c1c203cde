// The control link between real actor systems over loopback: coming up, requests both ways, refusals at both
// ends, restarts.
#include "protocols/wire/control.hpp"
#include "runtime/caf/actor.hpp"
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
        return fail(Errc::permission_denied,
                    request.from + " asked for " + request.service + " as " + request.trace, "ask nicely");
    });
    const auto answer = pair.a.ask("site-b", "who", {});
    REQUIRE(!answer);
    CHECK(answer.error().code == Errc::permission_denied);
    CHECK(answer.error().message == "site-a asked for who as trace");
    CHECK(answer.error().remedy == "ask nicely");
}

TEST_CASE("requests that cannot succeed fail at once and say why") {
    Pair pair;
    const auto code = [&](const std::string& peer, const std::string& service, Bytes body,
                          Duration deadline = 5s) {
        const auto answer = pair.a.ask(peer, service, std::move(body), deadline);
        REQUIRE(!answer);
        CHECK(!answer.error().message.empty());
        return answer.error().code;
    };
    pair.b.links().serve("nobody", "nobody/0");
    pair.b.links().serve_function(
        "long", [](const links::PeerRequest&) -> Result<Bytes> { return Bytes(100'000, 1); });
    pair.b.links().serve_function(
        "throws", [](const links::PeerRequest&) -> Result<Bytes> { throw std::runtime_error("a bug"); });
    CHECK(code("site-x", "echo", {}) == Errc::not_found);
    CHECK(code("site-b", "", {}) == Errc::invalid_argument);
    CHECK(code("site-b", "unheard-of", {}) == Errc::unimplemented);
    CHECK(code("site-b", "nobody", {}) == Errc::unavailable);
    CHECK(code("site-b", "long", {}) == Errc::too_large);
    CHECK(code("site-b", "throws", {}) == Errc::internal);
    CHECK(code("site-b", "echo", Bytes(wire::control::kBodyBytesMax + 1, 1)) == Errc::too_large);
    CHECK(code("site-b", "echo", {}, 0s) == Errc::deadline_exceeded);
}

TEST_CASE("the largest body passes in both directions") {
    Pair pair;
    pair.b.links().serve_function("echo", echo);
    const Bytes body(wire::control::kBodyBytesMax, 7);
    CHECK(pair.a.ask("site-b", "echo", body) == body);
}

TEST_CASE("a request that is not answered reports its deadline") {
    Pair pair;
    std::promise<void> end;
    const auto ended = end.get_future().share();
    pair.b.links().serve_function("hold", [ended](const links::PeerRequest&) -> Result<Bytes> {
        ended.wait();
        return Bytes{};
    });
    const auto answer = pair.a.ask("site-b", "hold", {}, 50ms);
    end.set_value();
    REQUIRE(!answer);
    CHECK(answer.error().code == Errc::deadline_exceeded);
    CHECK(pair.a.peer("site-b").up);
}

TEST_CASE("requests beyond the limit of one peer are refused instead of queued") {
    Pair pair;
    std::promise<void> end;
    const auto ended = end.get_future().share();
    pair.b.links().serve_function("hold", [ended](const links::PeerRequest&) -> Result<Bytes> {
        ended.wait();
        return Bytes{};
    });
    std::vector<std::future<Result<Bytes>>> answers;
    for (int i = 0; i < 300; ++i)
        answers.push_back(pair.a.begin("site-b", "hold", Bytes(60'000, 1)));
    end.set_value();
    int refused = 0;
    for (auto& answer : answers) {
        REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
        const auto result = answer.get();
        if (!result && result.error().code == Errc::resource_exhausted) ++refused;
    }
    CHECK(refused >= 300 - static_cast<int>((16U << 20) / 60'000) - 1);
    CHECK(pair.a.ask("site-b", "hold", {}).has_value());
}

TEST_CASE("many requests at once are all answered, each with its own answer") {
    Pair pair;
    pair.a.links().serve_function("echo", echo);
    pair.b.links().serve_function("echo", echo);
    std::vector<std::pair<Bytes, std::future<Result<Bytes>>>> asked;
    for (int i = 0; i < 500; ++i) {
        auto& node = i % 2 == 0 ? pair.a : pair.b;
        const Bytes body = to_bytes(std::to_string(i));
        asked.emplace_back(body, node.begin(i % 2 == 0 ? "site-b" : "site-a", "echo", body));
    }
    for (auto& [body, answer] : asked) {
        REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
        const auto result = answer.get();
        if (!result) FAIL(result.error().render());
        REQUIRE(*result == body);
    }
}

TEST_CASE("ending the links cancels what is under way, exactly once each") {
    TempDir home;
    Node b{home, "site-b", {dialler("site-a")}};
    Node a{home, "site-a", {b.as_peer()}};
    REQUIRE(a.until_up("site-b"));
    std::promise<void> end;
    const auto ended = end.get_future().share();
    b.links().serve_function("hold", [ended](const links::PeerRequest&) -> Result<Bytes> {
        ended.wait();
        return Bytes{};
    });
    auto answer = a.begin("site-b", "hold", {});
    a.stop_links();
    REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
    CHECK(answer.get().error().code == Errc::cancelled);
    end.set_value();
    CHECK(b.until_down("site-a"));
}

TEST_CASE("a watcher hears of the peers that are up and then of every change, in order") {
    Pair pair;
    std::mutex mutex;
    std::vector<bool> ups;
    pair.a.links().watch([&](const links::PeerState& state) {
        const std::lock_guard lock(mutex);
        ups.push_back(state.up);
    });
    pair.b.stop_links();
    REQUIRE(pair.a.until_down("site-b"));
    CHECK(pair.a.eventually([&] {
        const std::lock_guard lock(mutex);
        return ups == std::vector{true, false};
    }));
}

// ---- addresses ----

TEST_CASE("a control port in use is reported with its address and what to do") {
    Pair pair;
    actor::System system({.heartbeat_interval_ms = 500, .heartbeat_timeout_ms = 2000, .threads = 2});
    actor::Resolver resolver;
    const auto trust = identity::TrustStore::open(pair.home.sub("site-c"), {}).value();
    EventRing events;
    links::ControlOptions options;
    options.listen_port = pair.b.port();
    const auto started =
        links::ControlLinks::start(options, {}, system, resolver, pair.a.identity(), *trust, events);
    REQUIRE(!started);
    CHECK(started.error().message == "cannot listen for control links on 127.0.0.1:" +
                                         std::to_string(pair.b.port()) + ": Address already in use");
    CHECK(!started.error().remedy.empty());
}

TEST_CASE("control links neither listen nor dial beyond loopback") {
    TempDir home;
    actor::System system({.heartbeat_interval_ms = 500, .heartbeat_timeout_ms = 2000, .threads = 2});
    actor::Resolver resolver;
    const auto self = identity::load_or_create(home.sub("a"), "site-a", "here", "test").value();
    const auto trust = identity::TrustStore::open(home.sub("a"), {}).value();
    EventRing events;
    const auto start = [&](const std::string& listen_host, const std::vector<links::ControlPeer>& peers) {
        links::ControlOptions options;
        options.listen_host = listen_host;
        const auto started =
            links::ControlLinks::start(options, peers, system, resolver, self, *trust, events);
        return started ? std::string() : started.error().message;
    };
    CHECK(start("0.0.0.0", {}) == "the control listen address is 0.0.0.0, which is not a loopback address");
    CHECK(start("127.0.0.1", {{"site-b", "", "10.0.0.1", 7100}}) ==
          "the control address of site-b is 10.0.0.1, which is not a loopback address");
    CHECK(start("127.0.0.1", {dialler("site-a")}) == "the name site-a is used twice, or is this node's own");
}

// ---- refusals ----

namespace {

/// Both ends must show the refusal: as an event and as the peer's problem.
void check_refused(Node& node, const std::string& peer, const std::string& by, const std::string& reason) {
    const auto event = node.until_event("peer_refused", peer);
    INFO(node.identity().name);
    REQUIRE(event);
    CHECK(event->fields.at("by") == by);
    CHECK(event->fields.at("reason") == reason);
    CHECK(!event->fields.at("remedy").empty());
    CHECK(!node.peer(peer).up);
    CHECK(node.eventually(
        [&] { return node.peer(peer).problem.starts_with("refused by " + by + ": " + reason); }));
}

} // namespace

TEST_CASE("a node of another cluster is refused at both ends") {
    TempDir home;
    NodeOptions other;
    other.cluster_id = "other";
    Node b{home, "site-b", {dialler("site-a")}};
    Node a{home, "site-a", {b.as_peer()}, other};
    const std::string reason = "site-b belongs to cluster \"test\", site-a to cluster \"other\"";
    check_refused(a, "site-b", "site-b", reason);
    check_refused(b, "site-a", "site-b", reason);
}

TEST_CASE("different heartbeat settings are refused at both ends") {
    TempDir home;
    NodeOptions slower;
    slower.links.heartbeat_timeout_ms = 3000;
    Node b{home, "site-b", {dialler("site-a")}};
    Node a{home, "site-a", {b.as_peer()}, slower};
    const std::string reason = "heartbeat settings differ: site-b has interval 200 ms and timeout 1000 ms, "
                               "site-a has 200 ms and 3000 ms";
    check_refused(a, "site-b", "site-b", reason);
    check_refused(b, "site-a", "site-b", reason);
}

TEST_CASE("a node that answers at another's address is refused at both ends") {
    TempDir home;
    Node c{home, "site-c", {dialler("site-a")}};
    auto wrong = c.as_peer();
    wrong.name = "site-b";
    Node a{home, "site-a", {wrong}};
    const std::string reason = "site-c answers at the address where site-a expects site-b";
    check_refused(a, "site-b", "site-c", reason);
    check_refused(c, "site-a", "site-c", reason);
}

TEST_CASE("a node that is nobody's peer is refused at both ends") {
    TempDir home;
    Node b{home, "site-b", {}};
    Node a{home, "site-a", {b.as_peer()}};
    check_refused(a, "site-b", "site-b", "site-a is not a peer of site-b");
    REQUIRE(b.until_event("peer_refused", "site-a"));
    CHECK(b.links().peers().empty());
}

TEST_CASE("a changed key is refused at both ends, whoever of the two notices") {
    TempDir home;
    {
        Node b{home, "site-b", {dialler("site-a")}};
        Node a{home, "site-a", {b.as_peer()}};
        REQUIRE(a.until_up("site-b"));
        REQUIRE(b.until_up("site-a"));
    }
    const std::string changed = GENERATE("site-a", "site-b");
    std::filesystem::remove(home.sub(changed) + "/node.key");
    std::filesystem::remove(home.sub(changed) + "/node.id");
    Node b{home, "site-b", {dialler("site-a")}};
    Node a{home, "site-a", {b.as_peer()}};
    const std::string noticing = changed == "site-a" ? "site-b" : "site-a";
    const auto at_a = a.until_event("peer_refused", "site-b");
    const auto at_b = b.until_event("peer_refused", "site-a");
    REQUIRE(at_a);
    REQUIRE(at_b);
    CHECK(at_a->fields.at("by") == noticing);
    CHECK(at_b->fields.at("by") == noticing);
    CHECK(at_a->fields.at("reason").starts_with("node \"" + changed + "\" shows key "));
    CHECK(at_b->fields.at("reason") == at_a->fields.at("reason"));
}

TEST_CASE("a node that dials itself says so") {
    TempDir home;
    NodeOptions fixed;
    {
        // Any free port, which the node then both listens on and has in its peer entry.
        Node probe{home, "probe", {}};
        fixed.links.listen_port = probe.port();
    }
    Node a{home, "site-a", {{"site-b", "", "127.0.0.1", fixed.links.listen_port}}, fixed};
    check_refused(a, "site-b", "site-a",
                  "the control address of site-b on site-a leads back to site-a itself");
}

TEST_CASE("a refused peer comes up once the reason is gone") {
    TempDir home;
    NodeOptions fixed;
    NodeOptions other;
    {
        Node b{home, "site-b", {}};
        fixed.links.listen_port = b.port();
    }
    other = fixed;
    other.cluster_id = "other";
    Node a{home, "site-a", {{"site-b", "", "127.0.0.1", fixed.links.listen_port}}};
    {
        Node b{home, "other-b", {dialler("site-a")}, other};
        REQUIRE(a.until_event("peer_refused", "site-b"));
    }
    Node b{home, "site-b", {dialler("site-a")}, fixed};
    CHECK(a.until_up("site-b"));
    CHECK(a.peer("site-b").problem.empty());
}

// ---- restarts ----

TEST_CASE("a link comes back to the next life of either end") {
    TempDir home;
    NodeOptions fixed;
    auto b = std::make_unique<Node>(home, "site-b", std::vector{dialler("site-a")});
    fixed.links.listen_port = b->port();
    auto a = std::make_unique<Node>(home, "site-a", std::vector{b->as_peer()});
    REQUIRE(a->until_up("site-b"));
    const auto first_b = b->identity().incarnation;
    const auto restart_a = [&] { a = std::make_unique<Node>(home, "site-a", std::vector{b->as_peer()}); };
    const auto restart_b = [&] {
        b.reset();
        b = std::make_unique<Node>(home, "site-b", std::vector{dialler("site-a")}, fixed);
    };
    SECTION("the acceptor") { restart_b(); }
    SECTION("the dialler, without a pause") { restart_a(); }
    SECTION("both at the same time") {
        a.reset();
        restart_b();
        restart_a();
    }
    REQUIRE(b->identity().incarnation != 0);
    b->links().serve_function("echo", echo);
    a->links().serve_function("echo", echo);
    REQUIRE(a->eventually([&] {
        return a->peer("site-b").up && b->peer("site-a").up &&
               a->peer("site-b").incarnation == b->identity().incarnation &&
               b->peer("site-a").incarnation == a->identity().incarnation;
    }));
    CHECK(a->ask("site-b", "echo", to_bytes("1")) == to_bytes("1"));
    CHECK(b->ask("site-a", "echo", to_bytes("2")) == to_bytes("2"));
    (void)first_b;
}

// ---- services at actors ----

namespace {

/// Answers with which life of its path it is.
class Numbered : public actor::Actor {
  public:
    Numbered(caf::actor_config& config, actor::ActorContext context, std::string number)
        : actor::Actor(config, std::move(context)), number_(std::move(number)) {}

  protected:
    caf::behavior handlers() override {
        return {
            on<links::PeerRequest>([this](const links::PeerRequest& request) -> Result<links::PeerResponse> {
                return links::PeerResponse{to_bytes(number_ + " for " + request.from)};
            })};
    }

  private:
    std::string number_;
};

caf::actor spawn_numbered(Node& node, const std::string& number) {
    actor::ActorContext context{.path = "numbered/0", .resolver = &node.resolver()};
    const auto stats = context.stats;
    const auto handle = node.system().get().spawn<Numbered>(std::move(context), number);
    node.resolver().publish("numbered/0", handle, stats, std::chrono::steady_clock::now());
    return handle;
}

} // namespace

TEST_CASE("a peer's request reaches the next life of a restarted actor through the gateway") {
    Pair pair;
    pair.b.links().serve("number", "numbered/0");
    const auto first = spawn_numbered(pair.b, "first");
    CHECK(pair.a.ask("site-b", "number", {}) == to_bytes("first for site-a"));
    caf::anon_send_exit(first, caf::exit_reason::kill);
    {
        caf::scoped_actor waiter{pair.b.system().get()};
        waiter->wait_for(first);
    }
    const auto between = pair.a.ask("site-b", "number", {});
    REQUIRE(!between);
    CHECK(between.error().code == Errc::unavailable);
    const auto second = spawn_numbered(pair.b, "second");
    CHECK(pair.a.ask("site-b", "number", {}) == to_bytes("second for site-a"));
    caf::anon_send_exit(second, caf::exit_reason::kill);
    pair.b.resolver().close();
}
