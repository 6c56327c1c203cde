// Triggers at the real clock: when they fire, and above all when they do not.
#include "tests/unit/ramp_judge/evidence.hpp"

#include <catch2/catch.hpp>

#include <cmath>

using namespace dwcp;
using namespace dwcp::ramp;
using namespace dwcp::ramp::test;

namespace {

constexpr Traffic kQuiet{};

/// In the recent window, with a long quiet time before.
Evidence recently(const Traffic& canary, const Traffic& stable = {.requests = 9'000}) {
    Evidence seen = evidence({.requests = 100'000}, {.requests = 900'000});
    set_recent(seen, canary, stable);
    return seen;
}

std::vector<Alarm> alarms(const Trigger& trigger, const Evidence& evidence,
                          const Strictness& strictness = real_clock()) {
    auto all = look({trigger}, evidence, strictness);
    for (const Alarm& alarm : all)
        UNSCOPED_INFO(alarm.reason);
    return all;
}

bool fires(const Trigger& trigger, const Evidence& evidence, const Strictness& strictness = real_clock()) {
    return !alarms(trigger, evidence, strictness).empty();
}

const Trigger kErrors = trigger(Trigger::What::error_rate, 0.01);
const Trigger kSlow = trigger(Trigger::What::latency_p99, 0.5);

Traffic with_p99(double p99_s, std::uint64_t requests) {
    return {.requests = requests, .p50_s = p99_s / 3.2, .sigma = 0.5};
}

} // namespace

TEST_CASE("one error among fifty requests is no abort, nor are two among a hundred") {
    CHECK_FALSE(fires(kErrors, recently({.requests = 50, .errors = 1})));
    CHECK_FALSE(fires(kErrors, recently({.requests = 100, .errors = 2})));
}

TEST_CASE("an error rate above the limit beyond chance fires at once, and says what was measured") {
    const auto found = alarms(kErrors, recently({.requests = 1'000, .errors = 30}));
    REQUIRE(found.size() == 1);
    CHECK(found[0].at_once);
    CHECK(found[0].measured == Approx(0.03));
    CHECK(found[0].n == 1'000);
    CHECK(found[0].limit == 0.01);
    CHECK(found[0].system == "manager");
    CHECK(found[0].trigger == "a trigger");
    CHECK(found[0].reason ==
          "manager: 30 of 1,000 requests of the canary failed, 3 %; above 1 % beyond chance");
}

TEST_CASE("fewer requests than asked for fire nothing, even if all fail") {
    CHECK_FALSE(fires(kErrors, recently({.requests = 99, .errors = 99})));
    CHECK(fires(kErrors, recently({.requests = 100, .errors = 100})));
}

TEST_CASE("an error rate at its limit does not fire, at twice the limit it does") {
    CHECK_FALSE(fires(kErrors, recently({.requests = 5'000, .errors = 50})));
    CHECK_FALSE(fires(kErrors, recently({.requests = 5'000, .errors = 60})));
    CHECK(fires(kErrors, recently({.requests = 5'000, .errors = 100})));
}

TEST_CASE("what is too rare for the recent window is seen in the whole one, unless it is over") {
    const Traffic rare{.requests = 4'000, .errors = 90}; // 2.25 % at a request each few seconds
    Evidence seen = evidence(rare, {.requests = 36'000});
    set_recent(seen, {.requests = 20, .errors = 1}, {.requests = 180});
    CHECK(fires(kErrors, seen));
    set_recent(seen, {.requests = 500, .errors = 0}, {.requests = 180});
    CHECK_FALSE(fires(kErrors, seen));
    Evidence few = evidence({.requests = 60, .errors = 30}, {.requests = 36'000});
    CHECK_FALSE(fires(kErrors, few));
}

TEST_CASE("stable's errors are not the canary's") {
    CHECK_FALSE(fires(kErrors, recently({.requests = 1'000}, {.requests = 9'000, .errors = 4'000})));
}

TEST_CASE("a p99 above the limit beyond chance fires, with the p99 as what was measured") {
    const auto found = alarms(kSlow, recently(with_p99(1.0, 600)));
    REQUIRE(found.size() == 1);
    CHECK(found[0].measured == Approx(1.0).epsilon(0.05));
    CHECK_FALSE(fires(kSlow, recently(with_p99(0.4, 600))));
    CHECK_FALSE(fires(kSlow, recently(with_p99(1.0, 99))));
    CHECK_FALSE(fires(kSlow, recently(kQuiet)));
}

TEST_CASE("at the real clock a slow canary fires even if stable is as slow") {
    CHECK(fires(kSlow, recently(with_p99(1.0, 600), with_p99(1.0, 5'400))));
}

TEST_CASE("corruption, breaches and crash loops fire by count, without samples") {
    for (const auto what : {Trigger::What::corruptions, Trigger::What::security_breaches}) {
        Evidence seen = evidence(kQuiet, kQuiet);
        CHECK_FALSE(fires(trigger(what, 0), seen));
        auto& facts = seen.observation.nodes[2].total;
        (what == Trigger::What::corruptions ? facts.corruptions : facts.security_breaches) = 1;
        const auto found = alarms(trigger(what, 0), seen);
        REQUIRE(found.size() == 1);
        CHECK(found[0].system.empty());
        CHECK(found[0].measured == 1);
    }
    Evidence looping = evidence(kQuiet, kQuiet);
    looping.observation.nodes[0].systems["manager"].forced = "manager/0 crash-looped on multi-stream-1";
    const auto found = alarms(trigger(Trigger::What::crash_loop, 0), looping);
    REQUIRE(found.size() == 1);
    CHECK(found[0].reason ==
          "manager: 1 nodes gave the canary up, last site-a: manager/0 crash-looped on multi-stream-1");
    looping.observation.nodes[0].systems["manager"].canary.clear(); // pinned to stable by its configuration
    CHECK_FALSE(fires(trigger(Trigger::What::crash_loop, 0), looping));
}

TEST_CASE(
    "consensus failures count over five minutes: three are allowed, the fourth fires, old ones do not") {
    const Trigger failures = trigger(Trigger::What::consensus_failures, 3);
    Evidence seen = evidence(kQuiet, kQuiet);
    const auto at = [&](std::initializer_list<std::int64_t> ages_ms) {
        seen.history.clear();
        for (const std::int64_t age_ms : ages_ms)
            seen.history.push_back({.at_ms = kNow - age_ms, .consensus_failures = 1});
    };
    at({250'000, 150'000, 50'000});
    CHECK_FALSE(fires(failures, seen));
    at({290'000, 250'000, 150'000, 50'000});
    CHECK(fires(failures, seen));
    at({310'000, 250'000, 150'000, 50'000});
    CHECK_FALSE(fires(failures, seen));
    at({});
    seen.observation.nodes[0].recent.consensus_failures = 4; // a host that has just taken over
    CHECK(fires(failures, seen));
    seen = evidence(kQuiet, kQuiet);
    seen.observation.nodes[0].total.consensus_failures = 4;
    CHECK_FALSE(fires(failures, seen)); // some time in the last day
    seen.window_ms = 200'000;
    CHECK(fires(failures, seen));
}

TEST_CASE("a resource must be short for the whole window: a busy minute begins no review") {
    Trigger busy = trigger(Trigger::What::resource_use, 0.9);
    busy.at_once = false;
    Evidence seen = evidence(kQuiet, kQuiet);
    CHECK_FALSE(fires(busy, seen));
    set_history(seen, 60'000, {.resource_use = 0.99});
    CHECK_FALSE(fires(busy, seen));
    set_history(seen, 300'000, {.resource_use = 0.99});
    const auto found = alarms(busy, seen);
    REQUIRE(found.size() == 1);
    CHECK_FALSE(found[0].at_once);
    seen.history[200].resource_use = 0.5;
    CHECK_FALSE(fires(busy, seen));
    set_history(seen, 300'000, {.resource_use = 0.9});
    CHECK_FALSE(fires(busy, seen)); // at the limit is not above it
    set_history(seen, 300'000, {.resource_use = std::nan("")});
    CHECK(fires(busy, seen)); // a node that cannot say is not idle
}

TEST_CASE("degradation must show in the recent window and in the whole one") {
    const Trigger degraded = trigger(Trigger::What::degradation, 0.2);
    const Traffic stable = with_p99(0.064, 90'000), slow = with_p99(0.128, 10'000);
    Evidence seen = evidence(slow, stable);
    set_recent(seen, with_p99(0.064, 600), with_p99(0.064, 5'400));
    CHECK_FALSE(fires(degraded, seen)); // it is over
    set_recent(seen, with_p99(0.128, 600), with_p99(0.064, 5'400));
    CHECK(fires(degraded, seen));
    seen = evidence(with_p99(0.064, 10'000), stable);
    set_recent(seen, with_p99(0.128, 600), with_p99(0.064, 5'400));
    CHECK_FALSE(fires(degraded, seen)); // it has only begun
    seen = evidence(with_p99(0.0004, 10'000), with_p99(0.0002, 90'000));
    set_recent(seen, with_p99(0.0004, 600), with_p99(0.0002, 5'400));
    CHECK_FALSE(fires(degraded, seen)); // nobody would notice
}

TEST_CASE("the service level counts every request of every system and release") {
    const Trigger sla = trigger(Trigger::What::sla, 0.001);
    CHECK_FALSE(fires(sla, recently({.requests = 1'000}, {.requests = 9'000, .errors = 5})));
    const auto found = alarms(sla, recently({.requests = 1'000}, {.requests = 9'000, .errors = 40}));
    REQUIRE(found.size() == 1);
    CHECK(found[0].n == 10'000);
    CHECK(found[0].measured == Approx(0.004));
}

TEST_CASE("what rolls back at once comes before what only begins a review") {
    Trigger review = trigger(Trigger::What::error_rate, 0.005);
    review.name = "review";
    review.at_once = false;
    const auto found = look({review, kErrors}, recently({.requests = 1'000, .errors = 30}), real_clock());
    REQUIRE(found.size() == 2);
    CHECK(found[0].at_once);
    CHECK(found[1].trigger == "review");
}

TEST_CASE("a system that is not of the stage fires nothing") {
    Evidence seen = recently({.requests = 1'000, .errors = 300});
    seen.systems.clear();
    CHECK_FALSE(fires(kErrors, seen));
}
