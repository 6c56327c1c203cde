#include "protocols/base/random.hpp"
#include "protocols/health/degradation.hpp"
#include "protocols/health/shedding.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace dwcp;
using namespace dwcp::health;
using std::chrono::seconds;

namespace {

const TimePoint kStart{std::chrono::hours(1)};

struct World {
    Degradation degradation{Objectives{}};
    TimePoint now = kStart;
    std::vector<LevelChange> changes;

    void look() {
        if (auto change = degradation.evaluate(now)) changes.push_back(*change);
    }
    /// `count` requests spread over a second, of which `bad` are as said.
    void second(int count, int bad, Served how = Served::not_at_all) {
        for (int i = 0; i < count; ++i)
            degradation.record(i < bad ? how : Served::well, now);
        look();
        now += seconds(1);
    }
    void quiet(int for_seconds) {
        for (int i = 0; i < for_seconds; ++i) {
            look();
            now += seconds(1);
        }
    }
};

} // namespace

TEST_CASE("each level begins at its burn rate of either objective") {
    const auto level_at = [](int bad, Served how) {
        World world;
        world.second(1000, bad, how);
        return world.degradation.level();
    };
    CHECK(level_at(0, Served::not_at_all) == Level::normal);
    CHECK(level_at(10, Served::not_at_all) == Level::degraded);
    CHECK(level_at(99, Served::not_at_all) == Level::degraded);
    CHECK(level_at(100, Served::not_at_all) == Level::severely_degraded);
    CHECK(level_at(499, Served::not_at_all) == Level::severely_degraded);
    CHECK(level_at(500, Served::not_at_all) == Level::emergency);
    CHECK(level_at(9, Served::slowly) == Level::normal);
    CHECK(level_at(100, Served::slowly) == Level::degraded);
    CHECK(level_at(500, Served::slowly) == Level::severely_degraded);
    CHECK(level_at(1000, Served::slowly) == Level::severely_degraded); // slow is not lost
}

TEST_CASE("one failure at night is no emergency, nor are a few of a few") {
    World world;
    world.second(1, 1);
    world.quiet(30);
    world.second(40, 40); // all of them, but fewer than say anything
    CHECK(world.degradation.level() == Level::normal);
    CHECK(world.changes.empty());
    World few;
    few.second(100, 4); // 4 %, but four
    CHECK(few.degradation.level() == Level::normal);
}

TEST_CASE("a level falls one step at a time, each after its time, once the failures are over") {
    World world;
    world.second(1000, 900);
    REQUIRE(world.degradation.level() == Level::emergency);
    CHECK(world.changes.at(0).reason ==
          "of 1000 requests in 60 s, 900 failed and 0 took longer than 1000 ms");
    const TimePoint over = world.now;
    while (world.degradation.level() != Level::normal) {
        world.second(100, 0);
        REQUIRE(world.now - over < std::chrono::minutes(5));
    }
    REQUIRE(world.changes.size() == 4);
    CHECK(world.changes[1].to == Level::severely_degraded);
    CHECK(world.changes[2].to == Level::degraded);
    CHECK(world.changes[3].to == Level::normal);
}

TEST_CASE(
    "with everything refused the window empties, and the level falls until requests show how things are") {
    World world;
    world.second(1000, 900);
    world.quiet(59 + 3 * 15 + 5);
    CHECK(world.degradation.level() == Level::normal);
    CHECK(world.changes.size() == 4);
    world.second(1000, 900);
    CHECK(world.degradation.level() == Level::emergency);
}

TEST_CASE("a failure rate between the thresholds does not make the level swing") {
    World world;
    world.second(1000, 120);
    REQUIRE(world.degradation.level() == Level::severely_degraded);
    for (int i = 0; i < 600; ++i)
        world.second(100, i % 2 == 0 ? 11 : 8); // below 10 % and above half of it
    CHECK(world.degradation.level() == Level::severely_degraded);
    CHECK(world.changes.size() == 1);
}

TEST_CASE("a budget of the hour that is spent and goes on being spent degrades, one that is spent does not") {
    World world;
    for (int i = 0; i < 120; ++i)
        world.second(1000, 2); // twice what is allowed, far below what a minute's window minds
    CHECK(world.degradation.level() == Level::degraded);
    CHECK(world.degradation.long_burn(world.now).availability == Approx(2));
    for (int i = 0; i < 120; ++i)
        world.second(1000, 0);
    CHECK(world.degradation.level() == Level::normal);
}

TEST_CASE("other objectives count anew, and keep the level until there is evidence") {
    World world;
    world.second(1000, 500);
    REQUIRE(world.degradation.level() == Level::emergency);
    Objectives looser;
    looser.failures_per_million = 600'000;
    world.degradation.change_objectives(looser);
    CHECK(world.degradation.level() == Level::emergency);
    CHECK(world.degradation.counts(world.now).requests == 0);
}

TEST_CASE("whatever happens, a level rises only with evidence and falls by one step after its hold") {
    Random random(test::seed());
    CAPTURE(test::seed());
    World world;
    TimePoint changed = kStart;
    for (int i = 0; i < 5000; ++i) {
        const std::size_t before = world.changes.size();
        const int count = static_cast<int>(random.below(300));
        const int bad = random.below(3) == 0 ? static_cast<int>(random.below(300)) : 0;
        const TimePoint at = world.now;
        world.second(count, std::min(bad, count), random.below(2) == 0 ? Served::slowly : Served::not_at_all);
        if (world.changes.size() == before) continue;
        const auto& change = world.changes.back();
        if (change.to > change.from) {
            const auto counts = world.degradation.counts(at);
            REQUIRE(counts.requests >= 50);
            REQUIRE(counts.failed + counts.slow >= 5);
        } else {
            REQUIRE(static_cast<int>(change.from) - static_cast<int>(change.to) == 1);
            REQUIRE(at - changed >= seconds(15));
        }
        changed = at;
    }
}

TEST_CASE("the less a request matters the sooner it is refused, and operators never are") {
    Shedding shedding;
    for (const Level level : {Level::normal, Level::degraded, Level::severely_degraded, Level::emergency}) {
        CHECK(shedding.admits(level, Work::none, Priority::low));
        CHECK(shedding.admits(level, Work::read, Priority::critical));
        CHECK(shedding.admits(level, Work::write, Priority::critical));
        CHECK(shedding.admits(level, Work::write, Priority::high) == (level != Level::emergency));
        CHECK(shedding.admits(level, Work::read, Priority::normal) == (level != Level::emergency));
        CHECK(shedding.admits(level, Work::going_on, Priority::normal) == (level != Level::emergency));
        CHECK(shedding.admits(level, Work::read, Priority::low) == (level == Level::normal));
        CHECK(shedding.admits(level, Work::write, Priority::low) == (level == Level::normal));
    }
    CHECK(shedding.admits(Level::degraded, Work::write, Priority::normal));
    int served = 0;
    for (int i = 0; i < 100; ++i)
        served += shedding.admits(Level::severely_degraded, Work::write, Priority::normal);
    CHECK(served == 50);
}
