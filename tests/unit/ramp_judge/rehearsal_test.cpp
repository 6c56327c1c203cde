// A rehearsal: hundreds of requests a stage, on a machine that plays the whole cluster.
#include "protocols/base/random.hpp"
#include "tests/unit/ramp_judge/evidence.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>

using namespace dwcp;
using namespace dwcp::ramp;
using namespace dwcp::ramp::test;

namespace {

Verdict rehearsed(Check check, double limit, const Traffic& canary, const Traffic& stable) {
    const Verdict verdict = judge(criterion(check, limit, 20), evidence(canary, stable), rehearsal());
    UNSCOPED_INFO(to_string(verdict.outcome) << ": " << verdict.reason);
    return verdict;
}

Traffic slow(double p50_s, std::uint64_t requests) { return {.requests = requests, .p50_s = p50_s}; }

bool mentions(const Verdict& verdict, const std::string& words) {
    return verdict.reason.find(words) != std::string::npos;
}

/// So many of 500 seeded stages of `n` requests at an error rate end with the outcome.
int stages_with(Outcome outcome, std::uint64_t n, double rate) {
    const char* given = std::getenv("DWCP_SEED");
    Random random(given != nullptr ? std::strtoull(given, nullptr, 0) : 1);
    int found = 0;
    for (int stage = 0; stage < 500; ++stage) {
        Traffic canary{.requests = n, .sigma = 0}, stable{.requests = 9 * n, .sigma = 0};
        for (std::uint64_t i = 0; i < n; ++i)
            canary.errors += random.unit() < rate;
        found +=
            judge(criterion(Check::error_rate, 0.001, 20), evidence(canary, stable), rehearsal()).outcome ==
            outcome;
    }
    return found;
}

} // namespace

TEST_CASE("a rehearsal passes without errors, and says what so few requests do not exclude") {
    const Verdict verdict = rehearsed(Check::error_rate, 0.001, {.requests = 120}, {.requests = 1'080});
    CHECK(verdict.outcome == Outcome::pass);
    CHECK(mentions(verdict,
                   "rehearsal: n = 120 excludes only error rates above 3.85 %, the real clock asks for "
                   "about 5,912"));
    const Verdict real =
        judge(criterion(Check::error_rate, 0.001, 20), evidence({.requests = 120}, {.requests = 1'080}), {});
    CHECK(real.outcome == Outcome::inconclusive);
}

TEST_CASE("one error in a rehearsal decides nothing, three of a hundred do not pass, ten fail") {
    const Traffic stable{.requests = 1'080};
    CHECK(rehearsed(Check::error_rate, 0.001, {.requests = 120, .errors = 1}, stable).outcome ==
          Outcome::pass);
    CHECK(rehearsed(Check::error_rate, 0.001, {.requests = 120, .errors = 2}, stable).outcome ==
          Outcome::inconclusive);
    CHECK(rehearsed(Check::error_rate, 0.001, {.requests = 120, .errors = 10}, stable).outcome ==
          Outcome::fail);
}

TEST_CASE("a rehearsal still catches a canary at twice the trigger's error rate") {
    CHECK(stages_with(Outcome::pass, 500, 0.02) <= 2);
    CHECK(stages_with(Outcome::fail, 2'000, 0.02) >= 495);
    CHECK(stages_with(Outcome::pass, 200, 0.0) == 500);
    CHECK(stages_with(Outcome::fail, 500, 0.0005) == 0);
}

TEST_CASE("missing data is missing in a rehearsal too") {
    CHECK(rehearsed(Check::error_rate, 0.001, {.requests = 19}, {.requests = 900}).outcome ==
          Outcome::no_data);
    CHECK(rehearsed(Check::latency_p99, 0.2, {.requests = 200}, {.requests = 19}).outcome ==
          Outcome::no_data);
}

TEST_CASE("a p99 that so few samples cannot compare passes a rehearsal, and says so") {
    const Verdict verdict =
        rehearsed(Check::latency_against_stable, 0.1, slow(0.021, 200), slow(0.02, 1'800));
    CHECK(verdict.outcome == Outcome::pass);
    CHECK(mentions(verdict, "without end)"));
    CHECK(mentions(verdict, "rehearsal: so few samples"));
}

TEST_CASE("a canary that is slower beyond chance fails a rehearsal") {
    CHECK(rehearsed(Check::latency_against_stable, 0.1, slow(0.3, 200), slow(0.02, 1'800)).outcome ==
          Outcome::fail);
    CHECK(rehearsed(Check::latency_p99, 0.2, slow(0.3, 200), slow(0.02, 1'800)).outcome == Outcome::fail);
}

TEST_CASE("a latency limit that stable breaks on this machine does not count in a rehearsal") {
    const Verdict verdict = rehearsed(Check::latency_p99, 0.2, slow(0.3, 200), slow(0.3, 1'800));
    CHECK(verdict.outcome == Outcome::pass);
    CHECK(mentions(verdict, "stable is no faster on this machine"));
}

TEST_CASE("cost and throughput need only not be worse beyond chance in a rehearsal, savings must be there") {
    Traffic canary = slow(0.021, 200);
    canary.cost_us_each *= 1.05;
    CHECK(rehearsed(Check::cost, 1, canary, slow(0.02, 1'800)).outcome == Outcome::pass);
    CHECK(rehearsed(Check::throughput, 1, canary, slow(0.02, 1'800)).outcome == Outcome::pass);
    CHECK(rehearsed(Check::optimisation, 0.2, canary, slow(0.02, 1'800)).outcome != Outcome::pass);
    CHECK(rehearsed(Check::throughput, 0.9, slow(0.2, 200), slow(0.02, 1'800)).outcome == Outcome::fail);
}

TEST_CASE("in a rehearsal a stall of the machine hits both releases, and is no abort") {
    const Trigger p99 = trigger(Trigger::What::latency_p99, 0.5, 20);
    Evidence seen = evidence({}, {});
    set_recent(seen, slow(0.3, 60), slow(0.3, 540)); // p99 0.96 s of both
    CHECK(look({p99}, seen, rehearsal()).empty());
    CHECK(look({p99}, seen, real_clock()).size() == 1);
    set_recent(seen, slow(0.3, 60), slow(0.02, 540));
    CHECK(look({p99}, seen, rehearsal()).size() == 1);
    set_recent(seen, slow(0.3, 60), {});
    CHECK(look({p99}, seen, rehearsal()).size() == 1); // nothing excuses it
}

TEST_CASE("a machine that plays all nodes is busy: only five real minutes of it begin a review") {
    Trigger busy = trigger(Trigger::What::resource_use, 0.9);
    busy.window_ms = 2'000;
    Evidence seen = evidence({}, {});
    set_history(seen, 60'000, {.resource_use = 1});
    CHECK(look({busy}, seen, rehearsal()).empty());
    CHECK(look({busy}, seen, real_clock()).size() == 1);
    set_history(seen, kRehearsalBusyMs, {.resource_use = 1});
    CHECK(look({busy}, seen, rehearsal()).size() == 1);
}
