// The ramp in a small world: killed at every write, and under everything at once.
#include "tests/sim/ramp/ramp_world.hpp"
#include "tests/sim/world/seeds.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

namespace dwcp::ramp::sim {
namespace {

using Kind = Record::Kind;

/// Longer than any run here takes; one that hangs fails.
constexpr std::size_t kTicksMax = 1'000;

/// What must come out the same: the transitions, without those that say who hosts, what an exercise gave or
/// how often the judge changed its mind.
std::vector<std::string> transitions(const World& world) {
    std::vector<std::string> all;
    for (const Record& record : world.history()) {
        const bool aside = record.kind == Kind::took_over || record.kind == Kind::gate_judged ||
                           record.kind == Kind::exercise_done || record.kind == Kind::attested;
        if (aside) continue;
        all.push_back(std::string(to_string(record.kind)) + " " + std::to_string(record.step) + "/" +
                      std::to_string(record.stage));
    }
    return all;
}

World whole_plan() {
    World world(1);
    world.keep_starting(shipped_plan());
    return world;
}

World spoiled_plan() {
    World world = whole_plan();
    world.spoil("selector", 2);
    return world;
}

std::string text_of(const Crash& crash) {
    static constexpr const char* kPoints[] = {"before it is sent", "committed, not yet known",
                                              "known, before its effects"};
    return "write " + std::to_string(crash.write) + ", " + kPoints[static_cast<int>(crash.point)] + ", " +
           (crash.other_takes_over ? "another node takes over" : "the same node comes back");
}

void kill_at_every_write(World (*make)(), Phase ends_as) {
    World reference = make();
    REQUIRE(reference.run(kTicksMax));
    for (const std::string& violation : reference.violations)
        FAIL_CHECK(violation);
    REQUIRE(reference.state().phase == ends_as);
    REQUIRE(reference.writes() > 10);
    const auto expected = transitions(reference);
    for (std::size_t write = 0; write < reference.writes(); ++write) {
        for (const auto point :
             {CrashPoint::before_sent, CrashPoint::committed_unknown, CrashPoint::known_without_effects}) {
            for (const bool other : {false, true}) {
                const Crash crash{write, point, other};
                INFO(text_of(crash));
                World world = make();
                world.crash_at(crash);
                REQUIRE(world.run(kTicksMax));
                CHECK(world.violations == std::vector<std::string>());
                CHECK(transitions(world) == expected);
                CHECK(world.state().phase == ends_as);
                CHECK(world.state().directive.weights == reference.state().directive.weights);
                CHECK(world.state().skipped == reference.state().skipped);
            }
        }
    }
}

} // namespace

TEST_CASE("a plan goes through all its stages, skips what has no canary, and hands over") {
    World world = whole_plan();
    REQUIRE(world.run(kTicksMax));
    CHECK(world.violations == std::vector<std::string>());
    CHECK(world.state().phase == Phase::completed);
    CHECK(world.state().directive.promoted);
    CHECK(world.percent_at_nodes() == 100);
    std::vector<std::string> skipped;
    for (const auto& [step, why] : world.state().skipped) {
        skipped.push_back(step);
        CHECK(why.find("no node has a canary of " + step) == 0);
    }
    CHECK(skipped == std::vector<std::string>{"allocator", "bullshark", "probft", "tpbft"});
}

TEST_CASE("a host killed at any write of a whole plan ends in the same place") {
    kill_at_every_write(whole_plan, Phase::completed);
}

TEST_CASE("a host killed at any write of a rollback ends in the same place") {
    kill_at_every_write(spoiled_plan, Phase::rolled_back);
}

TEST_CASE("whatever happens, weights rise only through gates and fall for good") {
    std::size_t completed = 0, back = 0;
    for (const std::uint64_t seed : dwcp::sim::seeds(150)) {
        INFO("DWCP_SEED=" << seed);
        World world(seed);
        Random random(seed * 7919);
        world.keep_starting(shipped_plan());
        const auto some = [&random](double most) { return random.below(2) == 0 ? 0 : most * random.unit(); };
        world.set_chaos({.refuse = some(0.3),
                         .lose_word = some(0.3),
                         .twice = some(0.3),
                         .lag = some(0.5),
                         .crash = some(0.05),
                         .silence = some(0.05),
                         .usurp = some(0.05),
                         .command = some(0.1)});
        if (random.below(3) == 0)
            world.spoil(random.below(2) == 0 ? "manager" : "selector",
                        static_cast<std::uint32_t>(random.below(9)));
        for (int i = 0; i < 400; ++i)
            world.tick();
        REQUIRE(world.violations == std::vector<std::string>());
        // When peace returns the ramp still works: it can be brought to rest.
        world.set_chaos({});
        bool at_rest = false;
        for (int i = 0; i < 60 && !at_rest; ++i) {
            world.tick();
            Command stop;
            stop.verb = Command::Verb::abort;
            stop.by = {.name = "op", .role = "admin", .reason = "enough"};
            at_rest = is_at_rest(world.state().phase) && world.state().phase != Phase::idle;
            if (!at_rest && i > 2) world.command(stop);
        }
        REQUIRE(world.violations == std::vector<std::string>());
        CHECK(at_rest);
        const Phase phase = world.state().phase;
        if (phase == Phase::completed) ++completed;
        if (phase == Phase::rolled_back) ++back;
        if (phase != Phase::completed) CHECK(world.percent_at_nodes() == 0);
    }
    WARN(completed << " plans completed, " << back << " were rolled back");
}

TEST_CASE("without observations nothing is promoted") {
    for (const std::uint64_t seed : dwcp::sim::seeds(10)) {
        INFO("DWCP_SEED=" << seed);
        World world(seed);
        world.keep_starting(shipped_plan());
        world.silence_all();
        for (int i = 0; i < 200; ++i)
            world.tick();
        CHECK(world.violations == std::vector<std::string>());
        CHECK(world.state().phase == Phase::paused);
        CHECK(world.state().step == 0);
        CHECK_FALSE(world.state().directive.shifts());
    }
}

TEST_CASE("nodes that fall silent at a gate stop the ramp until they are back") {
    World world = whole_plan();
    while (world.state().phase != Phase::gate && world.history().size() < 1'000)
        world.tick();
    REQUIRE(world.state().phase == Phase::gate);
    const auto step = world.state().step;
    world.silence_all();
    for (int i = 0; i < 100; ++i)
        world.tick();
    CHECK(world.state().phase == Phase::paused);
    CHECK(world.state().step == step);
    CHECK(world.violations == std::vector<std::string>());
}

} // namespace dwcp::ramp::sim
