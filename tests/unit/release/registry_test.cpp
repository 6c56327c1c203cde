#include "runtime/release/release_registry.hpp"
#include "tests/unit/release/clock.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::release;
using namespace std::chrono_literals;

namespace {

struct Node {
    TestClock clock;
    EventRing events;
    ReleaseRegistry registry{"site-a", events, clock.clocks()};
    ReleaseSwitch& manager = registry.add(names_of("manager"));
    ReleaseSwitch& selector = registry.add(names_of("selector"));
};

ramp::Directive directive(std::uint64_t term, std::uint64_t seq, double percent) {
    ramp::Directive made;
    made.term = term;
    made.seq = seq;
    made.weights = {{"manager", percent, {"site-a", "site-b"}, false},
                    {"selector", percent, {"site-b"}, false}};
    made.lease_ms = 5000;
    return made;
}

} // namespace

TEST_CASE("a directive gives this node the weights that name it") {
    Node node;
    CHECK(node.registry.apply(directive(1, 1, 10)));
    CHECK(node.manager.canary_percent() == 10);
    CHECK(node.selector.canary_percent() == 0);
    CHECK(node.registry.reports().at("manager").canary_percent == 10);
    CHECK(node.events.latest(1).front().name == "release_weight_changed");
}

TEST_CASE("the highest term and seq wins whatever the order of arrival") {
    Node node;
    CHECK(node.registry.apply(directive(2, 7, 25)));
    CHECK_FALSE(node.registry.apply(directive(1, 9, 50)));
    CHECK_FALSE(node.registry.apply(directive(2, 6, 50)));
    CHECK(node.manager.canary_percent() == 25);
    CHECK(node.registry.seq() == 7);
    CHECK(node.registry.apply(directive(3, 8, 0)));
    CHECK(node.manager.canary_percent() == 0);
}

TEST_CASE("a node that hears nothing goes back to stable, and on when it hears again") {
    Node node;
    node.registry.apply(directive(1, 1, 10));
    node.manager.force_stable("");
    node.registry.apply(directive(1, 2, 10));
    node.clock.advance(4s);
    node.registry.apply(directive(1, 2, 10));
    node.clock.advance(4s);
    node.registry.look();
    CHECK(node.manager.canary_percent() == 10);
    node.clock.advance(2s);
    node.registry.look();
    CHECK(node.manager.canary_percent() == 0);
    CHECK(node.registry.lease_expired());
    node.registry.apply(directive(1, 2, 10));
    CHECK(node.manager.canary_percent() == 10);
    CHECK_FALSE(node.registry.lease_expired());
}

TEST_CASE("a renewal neither opens a window nor ends what was forced") {
    Node node;
    node.registry.apply(directive(1, 1, 100));
    node.manager.route("a").finished(1ms, 1, 1);
    node.manager.force_stable("crash loop");
    node.clock.advance(1s);
    node.registry.apply(directive(1, 1, 100));
    CHECK(node.manager.canary_percent() == 0);
    CHECK(node.registry.reports().at("manager").total[1].requests == 1);
    CHECK(node.registry.window_ms() == 1000);
    node.registry.apply(directive(2, 1, 100)); // another host, the same window
    CHECK(node.registry.reports().at("manager").total[1].requests == 1);
    node.registry.apply(directive(2, 2, 100));
    CHECK(node.manager.canary_percent() == 100);
    CHECK(node.registry.reports().at("manager").total[1].requests == 0);
    CHECK(node.registry.window_ms() == 0);
}

TEST_CASE("what was promoted needs no lease, and the kill switch is stronger") {
    Node node;
    auto handed_over = directive(1, 1, 100);
    handed_over.promoted = true;
    node.registry.apply(handed_over);
    node.clock.advance(24h);
    node.registry.look();
    CHECK(node.manager.canary_percent() == 100);
    handed_over.seq = 2;
    handed_over.kill_switch = true;
    node.registry.apply(handed_over);
    CHECK(node.manager.canary_percent() == 0);
}

TEST_CASE("a directive that names no system takes the weight from all") {
    Node node;
    node.registry.apply(directive(1, 1, 50));
    ramp::Directive back;
    back.term = 1;
    back.seq = 2;
    node.registry.apply(back);
    CHECK(node.manager.canary_percent() == 0);
    CHECK(node.registry.unsettled().empty());
}

TEST_CASE("what a lost host took back stays withdrawn until its successor has seen it") {
    Node node;
    node.registry.apply(directive(1, 5, 10));
    auto withdrawn = directive(1, 7, 0);
    withdrawn.weights.clear();
    REQUIRE(node.registry.apply(withdrawn)); // and its record never came to the journal
    CHECK_FALSE(node.registry.apply(directive(2, 5, 10)));
    CHECK(node.manager.canary_percent() == 0);
    CHECK(node.registry.seq() == 7); // the report says so, and the successor rolls back
    withdrawn.term = 2;
    withdrawn.seq = 8;
    CHECK(node.registry.apply(withdrawn));
    CHECK(node.registry.apply(directive(2, 9, 10)));
    CHECK(node.manager.canary_percent() == 10);
}

TEST_CASE("a successor that gives nothing any weight is obeyed whatever its seq") {
    Node node;
    ramp::Directive withdrawn;
    withdrawn.term = 1;
    withdrawn.seq = 7;
    node.registry.apply(withdrawn);
    withdrawn.term = 2;
    withdrawn.seq = 6;
    CHECK(node.registry.apply(withdrawn));
    CHECK(node.registry.seq() == 6);
}
