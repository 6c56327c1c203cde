// The breakers of what a data plane asks of its peers.
#include "runtime/resilience/breakers.hpp"
#include "tests/unit/data_links/fixture.hpp"
#include "tests/unit/data_links/proxy.hpp"

using namespace dwcp;
using namespace dwcp::test;
using breaker::State;

namespace {

links::DataPlaneOptions guarded_by(resilience::Breakers& breakers) {
    auto options = quick_options();
    options.breakers = &breakers;
    return options;
}

resilience::BreakerSettings opens_for(Duration duration) {
    resilience::BreakerSettings settings;
    settings.usual.open_for = duration;
    return settings;
}

Result<void> send_within(TestNode& from, std::uint64_t number, std::chrono::milliseconds patience) {
    Answer<void> answer;
    from.plane->send_block("b", make_block(number, 100), "w", in(patience), answer.callback());
    return answer.wait();
}

/// a, guarded, ships to b.
struct GuardedPair {
    explicit GuardedPair(Duration open_for)
        : breakers(opens_for(open_for), events), b("b", {"a"}), a("a", {"b"}, guarded_by(breakers)) {
        a.add_peer("b", b.plane->port());
        REQUIRE(eventually([&] { return a.up("b"); }));
    }

    Result<void> send(std::uint64_t number, std::chrono::milliseconds patience = kPatience) {
        return send_within(a, number, patience);
    }
    State state(const std::string& name = "b/send_block") const { return breakers.find(name)->state; }
    std::size_t events_named(const std::string& name) const {
        std::size_t count = 0;
        for (const Event& event : events.since(0, kEventsKept))
            count += event.name == name && event.subject == "b/send_block" ? 1 : 0;
        return count;
    }
    /// Nobody answers: five calls in a row time out.
    void trip() {
        b.service.hold();
        for (std::uint64_t i = 0; i < 5; ++i)
            CHECK(send(i, 100ms).error().code == Errc::deadline_exceeded);
        REQUIRE(state() == State::open);
    }

    EventRing events;
    resilience::Breakers breakers;
    TestNode b;
    TestNode a;
};

} // namespace

TEST_CASE("an operation that gets no answers fails at once, with the reason, and its peer's others go on") {
    GuardedPair pair(1h);
    pair.trip();
    const auto refused = pair.send(6);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unavailable);
    CHECK(refused.error().message.starts_with("breaker b/send_block is open: 5 calls in a row failed"));
    CHECK(refused.error().remedy.find("lets a call through in 3") != std::string::npos);
    CHECK(pair.events_named("breaker_tripped") == 1);
    CHECK(pair.state("b/sync") == State::closed);
    CHECK(pair.state("b/fetch") == State::closed);
    // Neither what was refused nor what timed out holds a place in the queue; the last gives its up in a
    // moment.
    CHECK(eventually([&] { return pair.a.status_of("b").queued == 0; }));
    pair.b.service.release();
}

TEST_CASE("a breaker of a peer that answers again closes by its probes") {
    GuardedPair pair(50ms);
    pair.trip();
    pair.b.service.release();
    CHECK(eventually([&] { return pair.send(7).has_value() && pair.state() == State::closed; }));
    CHECK(pair.events_named("breaker_half_open") == 1);
    CHECK(pair.events_named("breaker_closed") == 1);
    CHECK(pair.b.service.has(make_block(7, 100).hash));
}

TEST_CASE("a data link that comes up has its peer's open breakers tried at once") {
    EventRing events;
    resilience::Breakers breakers(opens_for(1h), events);
    TestNode b("b", {"a"});
    Proxy proxy(b.plane->port());
    TestNode a("a", {"b"}, guarded_by(breakers));
    proxy.refuse_new(true);
    a.add_peer("b", proxy.port());
    for (std::uint64_t i = 0; i < 5; ++i)
        CHECK(send_within(a, i, 60ms).error().code == Errc::unavailable);
    REQUIRE(breakers.find("b/send_block")->state == State::open);
    proxy.refuse_new(false);
    REQUIRE(eventually([&] { return a.up("b"); }));
    CHECK(breakers.find("b/send_block")->state == State::half_open);
    CHECK(send_within(a, 6, kPatience));
    CHECK(send_within(a, 7, kPatience));
    CHECK(breakers.find("b/send_block")->state == State::closed);
}

TEST_CASE("services that pace what they send again are tried again within a second") {
    resilience::BreakerSettings settings;
    settings.usual.open_for = std::chrono::seconds(30);
    for (const char* service : {"lane/control", "ramp/poll"})
        CHECK(settings.of(service).open_for <= std::chrono::seconds(1));
    CHECK(settings.of("node/admin").open_for == std::chrono::seconds(30));
}

TEST_CASE("a block that a peer does not have does not count against it") {
    GuardedPair pair(1h);
    for (std::uint64_t i = 0; i < 20; ++i) {
        CHECK(fetch_and_wait(pair.a, "b", make_block(1000 + i, 10).hash).error().code == Errc::not_found);
    }
    CHECK(pair.state("b/fetch") == State::closed);
    CHECK(pair.breakers.find("b/fetch")->window.failures == 0);
}
