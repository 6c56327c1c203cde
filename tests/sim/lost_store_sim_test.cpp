// What the plain lane does when a disk comes back empty or with an old copy: outside what it survives, so it
// must notice.
#include "tests/sim/lane/small_world.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::sim;
using std::chrono::seconds;

TEST_CASE("a sequencer that lost its store never writes over the members' logs") {
    SmallWorld world;
    world.boot_all();
    REQUIRE(world.commit("b", 1, 20) == 20);
    world["a"].crash();
    world["a"].disk().replace();

    SECTION("when all members are there: it stops and says why, everywhere") {
        world["a"].boot();
        CHECK(world.commit("a", 21, 25) == 0);
        for (const auto* name : {"a", "b", "c"}) {
            CHECK_FALSE(world[name].status().available);
            CHECK(world[name].status().note.find("its store was lost") != std::string::npos);
        }
    }
    SECTION("when the only members that answer know no more than itself: it waits for the others") {
        world["b"].crash();
        world["c"].crash();
        world["c"].disk().replace();
        world["c"].boot();
        world["a"].boot();
        CHECK(world.commit("a", 21, 25) == 0);
        CHECK(world["a"].status().note.find("a new lane begins when") != std::string::npos);
        world["b"].boot();
        world.run_for(seconds(2));
        CHECK(world["a"].status().note.find("its store was lost") != std::string::npos);
    }
    CHECK(world["b"].durable_upto() == 20);
}

TEST_CASE("a sequencer with an old copy of its store stops when it meets who knows more") {
    SmallWorld world;
    world.boot_all();
    REQUIRE(world.commit("b", 1, 10) == 10);
    const auto backup = world["a"].disk().durable();
    REQUIRE(world.commit("b", 11, 20) == 10);
    world["a"].crash();
    world["a"].disk().replace(backup);
    world["a"].boot();
    CHECK(world.commit("a", 21, 25) == 0);
    CHECK(world["a"].status().note.find("its store was lost or is an old copy") != std::string::npos);
    CHECK(world["b"].durable_upto() == 20);
    CHECK(world["c"].durable_upto() == 20);
}

TEST_CASE("a member that lost its store is filled again from the sequencer's") {
    SmallWorld world;
    world.boot_all();
    REQUIRE(world.commit("b", 1, 20) == 20);
    world["c"].crash();
    world["c"].disk().replace();
    world["c"].boot();
    CHECK(world.commit("c", 21, 25) == 5);
    CHECK(world["c"].applied_upto() == 25);
    CHECK(world["c"].effects_of("id-1") == 1);
}

TEST_CASE("a member that was away for days catches up") {
    SmallWorld world;
    world.boot_all();
    REQUIRE(world.commit("b", 1, 1) == 1);
    world["c"].crash();
    REQUIRE(world.commit("a", 2, 3000) == 2999);
    world.run_for(std::chrono::hours(72));
    world["c"].boot();
    world.run_for(seconds(10));
    CHECK(world["c"].applied_upto() == 3000);
}
