#include "actors/ramp/facts_window.hpp"

#include <catch2/catch.hpp>

namespace dwcp::ramp {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart{1000s};

Facts counts(std::uint64_t failures, std::uint64_t incidents = 0) {
    Facts facts;
    facts.consensus_failures = failures;
    facts.critical_incidents = incidents;
    facts.checks = 7;
    facts.resource_use = 0.5;
    return facts;
}

} // namespace

TEST_CASE("a window holds what was counted since it was opened") {
    FactsWindow window;
    CHECK(window.total().consensus_failures == 0);
    window.look(counts(3), kStart);
    window.open();
    CHECK(window.total().consensus_failures == 0);
    window.look(counts(5, 1), kStart + 1s);
    CHECK(window.total().consensus_failures == 2);
    CHECK(window.total().critical_incidents == 1);
    CHECK(window.total().checks == 7); // of the moment, not of the window
    CHECK(window.total().resource_use == 0.5);
}

TEST_CASE("the recent window forgets what is older, and what was before the directive") {
    FactsWindow window;
    window.look(counts(0), kStart);
    window.look(counts(4), kStart + 10s);
    window.look(counts(5), kStart + 20s);
    window.look(counts(7), kStart + 30s);
    CHECK(window.recent(10s, kStart + 30s).consensus_failures == 2);
    CHECK(window.recent(20s, kStart + 30s).consensus_failures == 3);
    CHECK(window.recent(60s, kStart + 30s).consensus_failures == 7);
    window.open();
    window.look(counts(8), kStart + 31s);
    CHECK(window.recent(60s, kStart + 31s).consensus_failures == 1);
}

TEST_CASE("slices are bounded, and the oldest go") {
    FactsWindow window;
    for (std::size_t i = 0; i <= 2 * kSlicesMax; ++i)
        window.look(counts(i), kStart + i * 1s);
    const auto now = kStart + 2 * kSlicesMax * 1s;
    CHECK(window.recent(1h, now).consensus_failures == kSlicesMax - 1);
}

} // namespace dwcp::ramp
