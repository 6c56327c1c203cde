#include "runtime/release/replay.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace dwcp;
using namespace dwcp::release;
using namespace dwcp::ramp;

namespace {

constexpr UnixMillis kBegin = 1'800'000'000'000;

Plan plan() {
    Plan plan;
    Criterion errors;
    errors.name = "error rate < 0.1 %";
    errors.check = Check::error_rate;
    errors.limit = 0.001;
    errors.samples_min = 100;
    Criterion recovery;
    recovery.name = "automatic recovery verified";
    recovery.check = Check::recovery;
    plan.gates["at-10"] = {errors, recovery};
    Trigger trigger;
    trigger.name = "error rate > 1 %";
    trigger.limit = 0.01;
    trigger.samples_min = 100;
    plan.triggers = {trigger};
    return plan;
}

/// 6,000 requests of the canary a look; from look `bad_from` on, 3 % of them fail.
Recording recording(int looks, int bad_from) {
    Recording recording;
    recording.gate = "at-10";
    Observation seen;
    NodeReport& node = seen.nodes.emplace_back();
    node.node = "site-a";
    SystemReport& report = node.systems["manager"];
    report.canary = "multi-stream-1";
    report.canary_percent = 10;
    for (int i = 0; i < looks; ++i) {
        Work canary, stable;
        canary.requests = 6'000;
        stable.requests = 54'000;
        canary.errors = i >= bad_from ? 180 : 0;
        report.recent = {stable, canary};
        report.total[0].add(stable);
        report.total[1].add(canary);
        seen.at_ms = kBegin + i * 60'000;
        node.window_ms = static_cast<std::uint64_t>(i + 1) * 60'000;
        recording.observations.push_back(seen);
    }
    return recording;
}

} // namespace

TEST_CASE("a replay says when a gate would have passed, and what it cannot judge offline") {
    const auto replayed = replay(recording(10, 10), plan(), "");
    REQUIRE(replayed.has_value());
    CHECK(replayed->systems == std::vector<System>{"manager"});
    CHECK(replayed->not_judged == std::vector<std::string>{"automatic recovery verified"});
    CHECK_FALSE(replayed->rolled_back_ms);
    REQUIRE(replayed->changes.size() == 2);
    CHECK(replayed->changes[0].what == "inconclusive"); // 6,000 requests do not show the difference yet
    CHECK(replayed->changes[1].what == "pass");
    CHECK(replayed->passed_ms == replayed->changes[1].at_ms);
}

TEST_CASE("a replay says when a trigger would have rolled back") {
    const auto replayed = replay(recording(10, 6), plan(), "at-10");
    REQUIRE(replayed.has_value());
    CHECK(replayed->rolled_back_ms == kBegin + 6 * 60'000);
    CHECK(replayed->changes.back().what == "rollback");
    CHECK(replayed->changes.back().reason.starts_with("error rate > 1 %: manager: 180 of 6,000 requests"));
}

TEST_CASE("a replay of another day judges as strictly as that day did") {
    Recording rehearsed = recording(1, 1);
    rehearsed.day_ms = 5'000;
    const auto replayed = replay(rehearsed, plan(), "");
    REQUIRE(replayed.has_value());
    CHECK(replayed->day_ms == 5'000);
    CHECK(replayed->passed_ms == kBegin);
}

TEST_CASE("a gate that the plan does not have is refused with those it has") {
    const auto wrong = replay(recording(1, 1), plan(), "at-90");
    REQUIRE_FALSE(wrong.has_value());
    CHECK(wrong.error().code == Errc::not_found);
    CHECK(wrong.error().remedy == "--gate with one of at-10");
}
