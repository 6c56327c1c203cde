// Committees of the replicas that nodes run, in a simulated world of faults. A failure prints its seed;
// `dwcp-sim --engine E --scenario NAME --replay SEED --trace` shows it. DWCP_SEED=n runs that seed alone.
#include "tests/sim/consensus/run.hpp"
#include "tests/sim/world/seeds.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::sim;
using consensus::EngineKind;

/// Small, so that the tests of all scenarios end within a minute; campaigns run thousands.
constexpr std::size_t kSeeds = fewer_if_sanitized(3);

RunReport run(std::string_view scenario, EngineKind engine, std::size_t n, std::uint64_t seed) {
    auto plan = plan_for(*find_scenario(scenario), engine, n, seed);
    plan.certificates_one_in = 1;
    return run_plan(plan);
}

void run_all(EngineKind engine) {
    for (const auto& scenario : scenarios()) {
        if (!scenario.applies_to(engine)) continue;
        std::uint64_t commands = 0;
        for (const auto seed : seeds(kSeeds)) {
            const auto report = run(scenario.name, engine, 0, seed);
            INFO("dwcp-sim --engine " << to_string(engine) << " --scenario " << scenario.name << " --replay "
                                      << seed << " --trace");
            CHECK(report.violation == "");
            commands += report.commands;
        }
        INFO(scenario.name);
        CHECK(commands > 0);
    }
}

} // namespace

TEST_CASE("PBFT keeps its promises in every scenario") { run_all(EngineKind::pbft); }
TEST_CASE("ProBFT keeps its promises in every scenario") { run_all(EngineKind::probft); }

TEST_CASE("the same seed gives the same trace") {
    const auto engine = GENERATE(EngineKind::pbft, EngineKind::probft);
    for (const std::string_view scenario : {"mixed", "crash-disk", "reconfigure"}) {
        const auto first = run(scenario, engine, 4, 3);
        const auto second = run(scenario, engine, 4, 3);
        const auto other = run(scenario, engine, 4, 4);
        CHECK(first.trace == second.trace);
        CHECK(first.events == second.events);
        CHECK(first.trace != other.trace);
    }
}

TEST_CASE("equivocating leaders are convicted and cost nobody a command") {
    const auto engine = GENERATE(EngineKind::pbft, EngineKind::probft);
    std::uint64_t convicted = 0;
    for (const auto seed : seeds(6)) {
        const auto report = run("equivocating-leader", engine, 7, seed);
        CHECK(report.violation == "");
        convicted += report.convicted;
    }
    CHECK(convicted > 0);
}

TEST_CASE("a committee grows, shrinks and changes its keys under load") {
    const auto engine = GENERATE(EngineKind::pbft, EngineKind::probft);
    std::uint64_t epochs = 0;
    for (const auto seed : seeds(8)) {
        const auto report = run("reconfigure", engine, 0, seed);
        INFO("seed " << seed);
        CHECK(report.violation == "");
        epochs = std::max(epochs, report.epochs);
    }
    CHECK(epochs >= 3);
}

TEST_CASE("real keys decide like cheap ones") {
    for (const std::string_view scenario : {"calm", "forged-vrf"}) {
        auto plan = plan_for(*find_scenario(scenario), EngineKind::probft, 4, 1);
        plan.faults_for = 100 * kMillisecond;
        const auto report = run_plan(plan, true);
        CHECK(report.violation == "");
        CHECK(report.commands > 0);
    }
}

TEST_CASE("a plan that fails shrinks to the faults that make it fail") {
    // Both members of a quorum of two are away for good, among faults that harm nobody.
    auto plan = plan_for(*find_scenario("crash"), EngineKind::pbft, 4, 1);
    plan.faults.clear();
    for (int i = 0; i < 6; ++i)
        plan.faults.push_back({.kind = FaultKind::clock_jump, .at = 200 * kMillisecond, .amount = 10});
    for (std::uint16_t host = 1; host <= 2; ++host)
        plan.faults.push_back(
            {.kind = FaultKind::behave, .host = host, .amount = static_cast<std::int64_t>(Acts::silent)});
    plan.heal_for = 2 * kSecond;
    const auto report = run_plan(plan);
    REQUIRE(report.violation.starts_with("I9"));
    const auto shrunk = shrink(plan, report.violation, false);
    CHECK(shrunk.plan.faults.size() == 2);
    for (const auto& fault : shrunk.plan.faults)
        CHECK(fault.kind == FaultKind::behave);
}
