// Peers that stop, die, or are not what they should be.
#include "runtime/resilience/breakers.hpp"
#include "tests/actors/nodes.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace dwcp;
using namespace dwcp::test;

namespace {

/// A TCP port that takes connections and never says a word; with `full` it does not even take them.
class SilentPort {
  public:
    explicit SilentPort(bool full) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(listener_, full ? 0 : 64) == 0);
        REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        for (int i = 0; full && i < 4; ++i) {
            fillers_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            (void)::connect(fillers_.back(), reinterpret_cast<sockaddr*>(&address), size);
        }
    }
    ~SilentPort() {
        for (const int fd : fillers_)
            ::close(fd);
        ::close(listener_);
    }
    SilentPort(const SilentPort&) = delete;
    SilentPort& operator=(const SilentPort&) = delete;

    links::ControlPeer as_peer(const std::string& name) const { return {name, "", "127.0.0.1", port_}; }

  private:
    int listener_;
    std::vector<int> fillers_;
    std::uint16_t port_ = 0;
};

const links::ControlOptions kLinks = NodeOptions{}.links;

/// The breakers of a node, which trip at three failures in a row.
struct Guards {
    explicit Guards(Duration open_for) : breakers(settings(open_for), events) {}

    static resilience::BreakerSettings settings(Duration open_for) {
        resilience::BreakerSettings settings;
        settings.usual.failures_consecutive = 3;
        settings.usual.open_for = open_for;
        return settings;
    }
    NodeOptions options(std::uint32_t heartbeat_timeout_ms) {
        NodeOptions options;
        options.links.breakers = &breakers;
        options.links.heartbeat_timeout_ms = heartbeat_timeout_ms;
        return options;
    }
    breaker::State echo() const { return breakers.find("site-b/echo")->state; }
    std::size_t count(const std::string& event) const {
        const auto all = events.since(0, kEventsKept);
        return static_cast<std::size_t>(std::ranges::count(all, event, &Event::name));
    }

    EventRing events;
    resilience::Breakers breakers;
};

} // namespace

TEST_CASE("silent and black-holed peers do not keep others from being reached, at start or later") {
    TempDir home;
    SilentPort silent(false);
    SilentPort black_hole(true);
    PeerProcess process(home, "site-z", "site-a", kLinks);
    Node a{
        home, "site-a", {silent.as_peer("site-b"), black_hole.as_peer("site-c"), process.as_peer("site-z")}};
    REQUIRE(a.until_up("site-z"));
    CHECK(a.ask("site-z", "echo", to_bytes("here")) == to_bytes("here"));
    CHECK(a.eventually(
        [&] { return a.peer("site-b").problem.ends_with("accepted the connection but says nothing"); }));
    CHECK(a.eventually([&] { return a.peer("site-c").problem.ends_with("does not accept the connection"); }));
    // Neither has got hold of CAF's I/O actor: publishing, which goes through it, still works at once.
    const auto other =
        a.system().get().spawn([](caf::event_based_actor*) -> caf::behavior { return {[](int) {}}; });
    const auto port = a.system().get().middleman().publish(other, 0, "127.0.0.1");
    CHECK(port);
    caf::anon_send_exit(other, caf::exit_reason::kill);
}

TEST_CASE("a killed peer is down at once and its requests fail at once") {
    TempDir home;
    PeerProcess process(home, "site-b", "site-a", kLinks);
    Node a{home, "site-a", {process.as_peer("site-b")}};
    REQUIRE(a.until_up("site-b"));
    auto held = a.begin("site-b", "hold", {}, 1h);
    const auto before = std::chrono::steady_clock::now();
    process.kill();
    REQUIRE(held.wait_for(kPatience) == std::future_status::ready);
    const auto took = std::chrono::steady_clock::now() - before;
    const auto result = held.get();
    REQUIRE(!result);
    CHECK(result.error().code == Errc::unavailable);
    CHECK(took < milliseconds(kLinks.heartbeat_timeout_ms)); // by the closed connection, not by a timeout
    const auto event = a.until_event("peer_down", "site-b");
    REQUIRE(event);
    CHECK(event->fields.at("reason") == "the connection was lost");
    const auto after = a.ask("site-b", "echo", {});
    REQUIRE(!after);
    CHECK(after.error().code == Errc::unavailable);
}

TEST_CASE("a stopped peer is reported down by the heartbeat timeout, and comes back when it goes on") {
    TempDir home;
    PeerProcess process(home, "site-b", "site-a", kLinks);
    Node a{home, "site-a", {process.as_peer("site-b")}};
    REQUIRE(a.until_up("site-b"));
    auto held = a.begin("site-b", "hold", {}, 1h);
    process.signal(SIGSTOP);
    REQUIRE(a.until_down("site-b"));
    REQUIRE(held.wait_for(kPatience) == std::future_status::ready);
    CHECK(held.get().error().code == Errc::unavailable);
    process.signal(SIGCONT);
    CHECK(a.until_up("site-b"));
    CHECK(a.ask("site-b", "echo", to_bytes("again")) == to_bytes("again"));
}

TEST_CASE("a stopped peer trips the breaker of what is asked of it, which closes once the peer goes on") {
    TempDir home;
    Guards guards(100ms);
    const auto options = guards.options(600'000); // the link itself takes it for alive all along
    PeerProcess process(home, "site-b", "site-a", options.links);
    Node a{home, "site-a", {process.as_peer("site-b")}, options};
    REQUIRE(a.until_up("site-b"));
    REQUIRE(a.ask("site-b", "echo", to_bytes("before")));
    process.signal(SIGSTOP);
    for (int i = 0; i < 3; ++i)
        CHECK(a.ask("site-b", "echo", {}, 50ms).error().code == Errc::deadline_exceeded);
    CHECK(guards.echo() == breaker::State::open);
    const auto refused = a.ask("site-b", "echo", {}, 1h); // refused at once: an hour is not waited for
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(refused.error().message.starts_with("breaker site-b/echo is "));
    process.signal(SIGCONT);
    CHECK(a.eventually([&] {
        return a.ask("site-b", "echo", to_bytes("again")) == to_bytes("again") &&
               guards.echo() == breaker::State::closed;
    }));
    CHECK(guards.count("breaker_tripped") == 1);
    CHECK(guards.count("breaker_closed") == 1);
}

TEST_CASE("a link that comes up lets open breakers of its peer try at once, however long they had to wait") {
    TempDir home;
    Guards guards(1h);
    const auto options = guards.options(kLinks.heartbeat_timeout_ms);
    PeerProcess process(home, "site-b", "site-a", options.links);
    Node a{home, "site-a", {process.as_peer("site-b")}, options};
    REQUIRE(a.until_up("site-b"));
    process.signal(SIGSTOP);
    for (int i = 0; i < 3; ++i)
        CHECK_FALSE(a.ask("site-b", "echo", {}, 10ms));
    CHECK(guards.echo() == breaker::State::open);
    REQUIRE(a.until_down("site-b"));
    process.signal(SIGCONT);
    REQUIRE(a.until_up("site-b"));
    CHECK(guards.echo() == breaker::State::half_open);
    CHECK(a.ask("site-b", "echo", to_bytes("one")) == to_bytes("one"));
    CHECK(a.ask("site-b", "echo", to_bytes("two")) == to_bytes("two"));
    CHECK(guards.echo() == breaker::State::closed);
}

TEST_CASE("neither a peer that is known to be down nor one that says 'try again' trips a breaker") {
    TempDir home;
    Guards guards(1h);
    PeerProcess process(home, "site-b", "site-a", kLinks);
    Node a{home, "site-a", {process.as_peer("site-b")}, guards.options(kLinks.heartbeat_timeout_ms)};
    REQUIRE(a.until_up("site-b"));
    for (int i = 0; i < 10; ++i)
        CHECK(a.ask("site-b", "restarting", {}).error().code == Errc::unavailable);
    CHECK(guards.breakers.find("site-b/restarting")->state == breaker::State::closed);
    REQUIRE(a.ask("site-b", "echo", {}));
    process.kill();
    REQUIRE(a.until_down("site-b"));
    for (int i = 0; i < 10; ++i)
        CHECK(a.ask("site-b", "echo", {}).error().message.starts_with("site-b is down"));
    CHECK(guards.echo() == breaker::State::closed);
    CHECK(guards.count("breaker_tripped") == 0);
}

TEST_CASE("an idle healthy link stays up for many heartbeat timeouts") {
    TempDir home;
    links::ControlOptions quick = kLinks;
    quick.heartbeat_interval_ms = 50;
    quick.heartbeat_timeout_ms = 400;
    PeerProcess process(home, "site-b", "site-a", quick);
    NodeOptions options;
    options.links = quick;
    Node a{home, "site-a", {process.as_peer("site-b")}, options};
    REQUIRE(a.until_up("site-b"));
    // Ten pings have been answered, none of them asked for by anybody.
    double last = 0;
    int pings = 0;
    CHECK(a.eventually([&] {
        const double now = a.peer("site-b").rtt_ms;
        if (now != last) ++pings;
        last = now;
        return pings > 20;
    }));
    CHECK(!a.event("peer_down", "site-b"));
}

TEST_CASE("a peer that is restarted at its port is reached again, in its new life") {
    TempDir home;
    auto process = std::make_unique<PeerProcess>(home, "site-b", "site-a", kLinks);
    const auto port = process->port();
    Node a{home, "site-a", {process->as_peer("site-b")}};
    REQUIRE(a.until_up("site-b"));
    const auto first = a.peer("site-b").incarnation;
    for (int round = 0; round < 3; ++round) {
        process->kill();
        process = std::make_unique<PeerProcess>(home, "site-b", "site-a", kLinks, port);
        REQUIRE(a.eventually([&] { return a.peer("site-b").up && a.peer("site-b").incarnation != first; }));
        CHECK(a.ask("site-b", "echo", to_bytes("new")) == to_bytes("new"));
    }
}
