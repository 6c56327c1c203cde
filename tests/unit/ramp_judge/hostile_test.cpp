// Reports of nodes that no node should send: nothing crashes, nothing passes because of it.
#include "protocols/base/random.hpp"
#include "tests/unit/ramp_judge/evidence.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace dwcp;
using namespace dwcp::ramp;
using namespace dwcp::ramp::test;

namespace {

constexpr double kNumbers[]{0.0,
                            -0.0,
                            -1.0,
                            0.001,
                            1.0,
                            1e300,
                            std::numeric_limits<double>::infinity(),
                            -std::numeric_limits<double>::infinity(),
                            std::numeric_limits<double>::quiet_NaN(),
                            std::numeric_limits<double>::denorm_min()};

double any_number(Random& random) { return kNumbers[random.below(std::size(kNumbers))]; }

std::uint64_t any_count(Random& random) {
    switch (random.below(4)) {
    case 0:
        return 0;
    case 1:
        return random.below(5);
    case 2:
        return random.below(100'000);
    default:
        return random.next() | (random.below(2) == 0 ? 0 : 1ULL << 63);
    }
}

Work any_work(Random& random) {
    Work work;
    work.requests = any_count(random);
    work.errors = any_count(random);
    work.bytes = any_count(random);
    work.cost_us = any_count(random);
    for (std::uint64_t i = random.below(4); i > 0; --i)
        work.latency.add(any_number(random), any_count(random));
    return work;
}

Evidence any_evidence(Random& random) {
    Evidence seen = evidence({}, {});
    seen.observation.nodes.resize(random.below(4));
    for (NodeReport& node : seen.observation.nodes) {
        for (auto count : {&Facts::consensus_failures, &Facts::lane_looks, &Facts::lane_looks_available,
                           &Facts::checks, &Facts::checks_failing, &Facts::metrics_expected,
                           &Facts::metrics_present, &Facts::critical_incidents}) {
            node.total.*count = any_count(random);
            node.recent.*count = any_count(random);
        }
        node.total.resource_use = any_number(random);
        for (const char* name : {"manager", "probft"}) {
            SystemReport& report = node.systems[name];
            report.canary = random.below(4) == 0 ? "" : "canary-1";
            report.canary_percent = any_number(random);
            report.total = {any_work(random), any_work(random)};
            report.recent = {any_work(random), any_work(random)};
        }
        seen.window_ms = any_count(random);
    }
    set_history(seen, 2'000, {.consensus_failures = any_count(random), .resource_use = any_number(random)});
    return seen;
}

} // namespace

TEST_CASE("reports that make no sense are judged without a crash, and every number shown is one") {
    Random random(dwcp::test::seed());
    for (int run = 0; run < 300; ++run) {
        const Evidence seen = any_evidence(random);
        const Strictness strictness = run % 2 == 0 ? real_clock() : rehearsal();
        for (std::uint8_t check = 0; check <= static_cast<std::uint8_t>(kCheckLast); ++check) {
            const Verdict verdict =
                judge(criterion(Check{check}, any_number(random), any_count(random)), seen, strictness);
            INFO("run " << run << ", " << to_string(Check{check}) << ": " << verdict.reason);
            REQUIRE(std::isfinite(verdict.limit));
            for (const auto& number : {verdict.measured, verdict.effect, verdict.low, verdict.high})
                if (number) REQUIRE(std::isfinite(*number));
            REQUIRE_FALSE(verdict.reason.empty());
        }
        for (std::uint8_t what = 0; what <= static_cast<std::uint8_t>(kTriggerLast); ++what) {
            const auto alarms =
                look({trigger(Trigger::What{what}, any_number(random), any_count(random))}, seen, strictness);
            for (const Alarm& alarm : alarms)
                REQUIRE_FALSE(alarm.reason.empty());
        }
    }
}

TEST_CASE("a limit that is not a number never passes") {
    const Evidence seen = evidence({.requests = 100'000}, {.requests = 900'000});
    for (std::uint8_t check = 0; check <= static_cast<std::uint8_t>(kCheckLast); ++check) {
        INFO(to_string(Check{check}));
        CHECK(judge(criterion(Check{check}, std::nan("")), seen, real_clock()).outcome ==
              Outcome::inconclusive);
    }
}

TEST_CASE("more errors than requests are all errors") {
    const Evidence seen = evidence({.requests = 1'000, .errors = 5'000}, {.requests = 9'000});
    const Verdict verdict = judge(criterion(Check::error_rate, 0.001), seen, real_clock());
    CHECK(verdict.outcome == Outcome::fail);
    CHECK(verdict.measured == 1);
}

TEST_CASE("counts at the end of their range do not come round to none") {
    Evidence seen = evidence({.requests = 1'000}, {.requests = 9'000});
    for (NodeReport& node : seen.observation.nodes)
        node.total.critical_incidents = node.total.corruptions = std::numeric_limits<std::uint64_t>::max();
    CHECK(judge(criterion(Check::critical_incidents, 0), seen, real_clock()).outcome == Outcome::fail);
    CHECK(look({trigger(Trigger::What::corruptions, 0)}, seen, real_clock()).size() == 1);
}
