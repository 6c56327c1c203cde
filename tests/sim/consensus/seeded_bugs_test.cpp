// Bugs put in on purpose (protocols/consensus/seeded_bug.hpp), each of which the simulator must find within
// the number of seeds that stands beside it. Built with all of the consensus code once more.
#include "tests/sim/consensus/run.hpp"

#include <catch2/catch.hpp>

#include <iostream>

namespace {

using namespace dwcp;
using namespace dwcp::sim;
using consensus::EngineKind;
using consensus::SeededBug;

/// Puts a bug in for as long as it lives.
class WithBug {
  public:
    explicit WithBug(SeededBug bug) { consensus::seeded_bug = bug; }
    ~WithBug() { consensus::seeded_bug = SeededBug::none; }
};

struct Hunt {
    EngineKind engine = EngineKind::pbft;
    std::string_view scenario;
    std::size_t n = 0;
    std::uint64_t seeds = 1;
};

Plan plan_of(const Hunt& hunt, std::uint64_t seed) {
    return plan_for(*find_scenario(hunt.scenario), hunt.engine, hunt.n, seed);
}

/// ProBFT as the paper means it, with samples smaller than the committee and a fifth of it Byzantine: the
/// first leaders sign two values, and what one half says reaches the other in time.
Plan sampled(std::uint64_t seed) {
    auto plan = plan_for(*find_scenario("calm"), EngineKind::probft, 50, seed);
    plan.probft_faults = 10;
    plan.samples.o_permille = 2000; // above 2 n / (n + f), where both halves may well decide
    plan.faults_for = 300 * kMillisecond;
    for (std::uint16_t host = 0; host < 10; ++host)
        plan.faults.push_back({.kind = FaultKind::behave,
                               .host = host,
                               .amount = static_cast<std::int64_t>(Acts::equivocating)});
    plan.heals = false;
    return plan;
}

/// The first seed of the hunt that finds a broken promise; 0: none does.
std::uint64_t found_by(const Hunt& hunt) {
    for (std::uint64_t seed = 1; seed <= hunt.seeds; ++seed) {
        const auto report = run_plan(plan_of(hunt, seed));
        if (report.violation.empty()) continue;
        std::cout << to_string(hunt.engine) << " " << hunt.scenario << ": found by seed " << seed << ": "
                  << report.violation << "\n";
        return seed;
    }
    return 0;
}

/// Found with the bug in, and by nothing else: the same seed without it keeps every promise.
void require_found(SeededBug bug, const Hunt& hunt) {
    INFO(to_string(hunt.engine) << " " << hunt.scenario << ", seeds 1.." << hunt.seeds);
    std::uint64_t seed = 0;
    {
        const WithBug with(bug);
        seed = found_by(hunt);
    }
    REQUIRE(seed != 0);
    CHECK(run_plan(plan_of(hunt, seed)).violation == "");
}

} // namespace

// ProBFT's own bound finds it before a vote is cast: it refuses to run with such a quorum.
TEST_CASE("a quorum that is one too small is found") {
    require_found(SeededBug::quorum_minus_one, {EngineKind::pbft, "equivocating-leader", 4, 5});
    require_found(SeededBug::quorum_minus_one, {EngineKind::probft, "equivocating-leader", 4, 5});
}

TEST_CASE("votes that leave before they are on disk are found") {
    require_found(SeededBug::skipped_persist, {EngineKind::pbft, "crash", 4, 100});
    require_found(SeededBug::skipped_persist, {EngineKind::probft, "crash", 4, 100});
}

TEST_CASE("output in the order of an unordered container is found") {
    require_found(SeededBug::map_order_output, {EngineKind::pbft, "lossy", 4, 20});
    require_found(SeededBug::map_order_output, {EngineKind::probft, "lossy", 4, 20});
}

TEST_CASE("votes of other views that count are found") {
    require_found(SeededBug::replay_accepted, {EngineKind::pbft, "view-change-lies", 4, 150});
    require_found(SeededBug::replay_accepted, {EngineKind::probft, "view-change-lies", 4, 150});
}

// Epochs that count as one show as a lane that stands still: replicas take what is signed for one epoch for
// another's and go astray before a quorum of two comes about.
TEST_CASE("a quorum of votes of two epochs is found") {
    require_found(SeededBug::cross_epoch_quorum, {EngineKind::pbft, "reconfigure", 0, 40});
    require_found(SeededBug::cross_epoch_quorum, {EngineKind::probft, "reconfigure", 0, 40});
}

TEST_CASE("two f plus one is found to be too few at n = 50") {
    require_found(SeededBug::two_f_plus_one, {EngineKind::pbft, "calm", 50, 1});
}

TEST_CASE("ProBFT without the block of a view is found") {
    constexpr std::uint64_t kSeedsMax = 5;
    for (std::uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
        const auto report = run_plan(sampled(seed));
        INFO("seed " << seed);
        CHECK(report.violation == "");
        CHECK(report.convicted > 0);
    }
    const WithBug with(SeededBug::no_view_block);
    std::string violation;
    for (std::uint64_t seed = 1; seed <= kSeedsMax && violation.empty(); ++seed) {
        violation = run_plan(sampled(seed)).violation;
        if (!violation.empty())
            std::cout << "probft n = 50: found by seed " << seed << ": " << violation << "\n";
    }
    CHECK(violation.starts_with("I1"));
}

TEST_CASE("without a bug the same hunts find nothing") {
    for (const auto engine : {EngineKind::pbft, EngineKind::probft})
        for (const std::string_view scenario : {"equivocating-leader", "crash", "lossy", "reconfigure"})
            CHECK(found_by({engine, scenario, 0, 3}) == 0);
}
