// The judge in simulated stages, by the plan of the product: a short version of bench/run ramp. Seeds are
// fixed, so that the counts are the same at each run; DWCP_SEED shifts them.
#include "bench/ramp_judge_world.hpp"
#include "runtime/release/plan_file.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>

using namespace dwcp;
using namespace dwcp::bench;

namespace {

Rules rules() {
    const auto text = release::read_plan_text(DWCP_SOURCE_DIR "/node_configs/rollout.toml");
    REQUIRE(text.has_value());
    const auto plan = release::parse_plan(*text);
    REQUIRE(plan.has_value());
    return rules_of(*plan);
}

std::uint64_t first_seed() {
    const char* given = std::getenv("DWCP_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 0) : 100'000;
}

} // namespace

TEST_CASE("a good canary is promoted: less than one stage in a hundred is rolled back or reviewed") {
    constexpr std::uint64_t kRuns = 200;
    const Rules by = rules();
    std::uint64_t disturbed = 0, promoted = 0;
    for (std::uint64_t run = 0; run < kRuns; ++run) {
        const StageResult result = run_stage({}, good_canary(), by, first_seed() + run);
        promoted += result.promoted;
        if (!result.rolled_back_s && !result.reviewed_s) continue;
        ++disturbed;
        UNSCOPED_INFO("seed " << first_seed() + run << ": " << result.why);
    }
    CHECK(disturbed * 100 < kRuns);
    CHECK(promoted * 100 >= kRuns * 95);
}

TEST_CASE("a canary at twice a threshold is caught in more than 99 stages of a hundred") {
    constexpr std::uint64_t kRunsEach = 12;
    const Rules by = rules();
    std::uint64_t missed = 0, stages = 0;
    for (const Fault& fault : faults_at_twice_the_threshold()) {
        for (std::uint64_t run = 0; run < kRunsEach; ++run, ++stages) {
            const StageResult result = run_stage({}, fault, by, first_seed() + run);
            const bool seen = result.reviewed_s || result.rolled_back_s;
            if (!result.promoted && (seen || !fault.is_trigger)) continue;
            ++missed;
            UNSCOPED_INFO(fault.name << ", seed " << first_seed() + run << ": " << result.why);
        }
    }
    CHECK(missed * 100 < stages);
}

TEST_CASE("the same seed gives the same stage") {
    const Rules by = rules();
    const Fault fault = faults_at_twice_the_threshold().front();
    const StageResult first = run_stage({}, fault, by, 7), second = run_stage({}, fault, by, 7);
    CHECK(first.why == second.why);
    CHECK(first.rolled_back_s == second.rolled_back_s);
    CHECK_FALSE(first.why == run_stage({}, fault, by, 8).why);
}
