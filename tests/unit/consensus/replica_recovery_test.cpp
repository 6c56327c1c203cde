// Replicas that were away, restarted, lost their disks, or only look on.
#include "tests/unit/consensus/replica_world.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <iostream>

namespace dwcp::consensus::test {
namespace {

const std::vector<ReplicaName> kFour{"a/0", "b/0", "c/0", "d/0"};

/// Orders `blocks` blocks through one replica.
void order(World& world, const ReplicaName& at, int blocks, const std::string& id) {
    for (int i = 1; i <= blocks; ++i) {
        const auto client = world.submit(at, id + "-" + std::to_string(i), 1, "v");
        REQUIRE(world.run_until([&] { return world.committed(client); }));
    }
}

bool everyone_applied(World& world, const std::vector<ReplicaName>& names, Height height) {
    return std::ranges::all_of(names, [&](const auto& name) { return world.disk(name).applied >= height; });
}

TEST_CASE("checkpoints become stable and the window moves on") {
    World world(kFour);
    world.collect_blocks = true;
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 300, "client");
    world.run(std::chrono::seconds(1));
    for (const auto& name : kFour) {
        CHECK(world.status(name).stable == 288);
        CHECK(world.status(name).engine.stable == 288);
        CHECK(world.disk(name).log.begin()->first == 289);
        // What is remembered does not grow with the log.
        CHECK(world.disk(name).persisted.size() < 200);
    }
}

TEST_CASE("a replica that was away for more than a window catches up by blocks") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 10, "before");
    world.cut("d/0");
    order(world, "b/0", 400, "while");
    CHECK(world.disk("d/0").applied == 10);
    world.heal("d/0");
    REQUIRE(world.run_until([&] { return world.disk("d/0").applied == 410; }, std::chrono::seconds(5)));
    // It is needed now.
    world.cut("c/0");
    order(world, "b/0", 5, "after");
    REQUIRE(world.run_until([&] { return everyone_applied(world, {"a/0", "b/0", "d/0"}, 415); }));
}

TEST_CASE("a replica that was away until the blocks were gone catches up by a snapshot") {
    World world(kFour);
    world.collect_blocks = true;
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 10, "before");
    world.cut("d/0");
    order(world, "b/0", 400, "while");
    world.heal("d/0");
    REQUIRE(world.run_until([&] { return world.disk("d/0").applied == 410; }, std::chrono::seconds(5)));
    CHECK(world.disk("d/0").state == world.disk("a/0").state);
    world.cut("c/0");
    order(world, "b/0", 5, "after");
    REQUIRE(world.run_until([&] { return everyone_applied(world, {"a/0", "b/0", "d/0"}, 415); }));
}

TEST_CASE("a snapshot of a liar is refused and another peer's is taken") {
    World world(kFour);
    world.collect_blocks = true;
    world.run(std::chrono::seconds(1));
    world.cut("d/0");
    order(world, "b/0", 100, "while");
    // The first two that may be asked give another value for a key.
    for (const auto* liar : {"a/0", "b/0"})
        for (auto& [height, state] : world.disk(liar).points)
            state["while-1"] = to_bytes("lie");
    world.heal("d/0");
    REQUIRE(world.run_until([&] { return world.disk("d/0").applied == 100; }, std::chrono::seconds(20)));
    CHECK(world.disk("d/0").state == world.disk("c/0").state);
}

TEST_CASE("a snapshot whose peer falls silent half-way does not stop blocks of another") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    world.cut("d/0");
    order(world, "b/0", 200, "while");
    world.run(std::chrono::seconds(1));
    for (const auto* name : {"a/0", "b/0"}) { // only c has the blocks
        auto& disk = world.disk(name);
        disk.log.erase(disk.log.begin(), disk.log.upper_bound(disk.snapshot));
        world.crash(name);
        world.boot(name);
    }
    world.run(std::chrono::seconds(1));
    std::size_t begun = 0;
    world.lose = [&](const Message& message, const ReplicaName&) {
        const auto* part = std::get_if<SnapshotPart>(&message.body);
        if (part) ++begun;
        return part && !part->after.empty();
    };
    world.heal("d/0");
    REQUIRE(world.run_until([&] { return world.disk("d/0").applied == 200; }, std::chrono::seconds(20)));
    CHECK(begun > 0);
}

TEST_CASE("an observer follows within a round trip, and submits") {
    World world(kFour);
    world.boot("e/0");
    world.run(std::chrono::seconds(2));
    CHECK(world.status("e/0").state == "observing");
    CHECK_FALSE(world.status("e/0").id);
    CHECK(world.status("e/0").available);
    order(world, "b/0", 20, "client");
    const auto client = world.submit("e/0", "observer", 1, "v");
    const auto began = world.now().time;
    REQUIRE(world.run_until([&] { return world.committed(client); }, std::chrono::seconds(5)));
    CHECK(world.now().time - began < milliseconds(40));
    CHECK(world.disk("e/0").state == world.disk("a/0").state);
    order(world, "b/0", 40, "more");
    world.run(std::chrono::seconds(1));
    CHECK(world.status("e/0").stable == 48);
}

TEST_CASE("a restarted replica votes again, with what it remembers") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 50, "before");
    world.crash("d/0");
    world.cut("c/0"); // two are away: nothing can be decided
    const auto stuck = world.submit("b/0", "stuck", 1, "v");
    world.run(std::chrono::seconds(2));
    CHECK_FALSE(world.answer(stuck));
    world.boot("d/0");
    REQUIRE(world.run_until([&] { return world.committed(stuck); }, std::chrono::seconds(20)));
    CHECK(world.status("d/0").state == "voting");
}

TEST_CASE("all replicas restart at once, whenever that is, and go on") {
    const auto* given = std::getenv("DWCP_SEED");
    const auto seed = given ? std::strtoull(given, nullptr, 10) : 1;
    std::cout << "DWCP_SEED=" << seed << "\n";
    World world(kFour, seed);
    Random random(seed);
    world.run(std::chrono::seconds(1));
    std::uint64_t sequence = 0;
    for (int round = 0; round < 40; ++round) {
        for (int i = 0; i < 20; ++i) {
            world.submit(kFour[random.below(4)], "client-" + std::to_string(++sequence), 1, "v");
            world.run(Duration(random.below(3'000'000)));
        }
        for (const auto& name : kFour)
            world.crash(name);
        world.boot(kFour);
        world.run(Duration(random.below(1'000'000'000)));
    }
    const auto last = world.submit("a/0", "last", 1, "v");
    REQUIRE(world.run_until([&] { return world.committed(last); }));
    for (const auto& name : kFour)
        CHECK(world.evidence(name).empty());
}

TEST_CASE("replicas restart one after the other under load, and nothing is signed twice") {
    const auto* given = std::getenv("DWCP_SEED");
    const auto seed = given ? std::strtoull(given, nullptr, 10) : 1;
    std::cout << "DWCP_SEED=" << seed << "\n";
    World world(kFour, seed);
    world.collect_blocks = true;
    Random random(seed);
    world.run(std::chrono::seconds(1));
    std::uint64_t sequence = 0;
    for (int round = 0; round < 30; ++round) {
        const auto& victim = kFour[random.below(4)];
        world.crash(victim);
        for (int i = 0; i < 30; ++i) {
            const auto& at = kFour[random.below(4)];
            if (world.up(at)) world.submit(at, "client-" + std::to_string(++sequence), 1, "v");
            world.run(Duration(random.below(5'000'000)));
        }
        world.boot(victim);
        world.run(Duration(random.below(2'000'000'000)));
    }
    const auto last = world.submit("a/0", "last", 1, "v");
    REQUIRE(world.run_until([&] { return world.committed(last); }));
    world.run(std::chrono::seconds(3));
    for (const auto& name : kFour) {
        CHECK(world.evidence(name).empty());
        CHECK(world.disk(name).applied == world.disk("a/0").applied);
    }
}

TEST_CASE(
    "a replica that lost its disk is silent, says so, and returns once checkpoints pass what it voted for") {
    World world(kFour);
    world.collect_blocks = true;
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 100, "before");
    world.crash("d/0");
    world.disk("d/0") = {};
    world.boot("d/0");
    REQUIRE(world.run_until([&] { return world.status("d/0").state == "silent"; }, std::chrono::seconds(5)));
    CHECK(world.status("d/0").note.find("cannot prove what it voted") != std::string::npos);
    REQUIRE(world.run_until([&] { return world.disk("d/0").applied == 100; }, std::chrono::seconds(5)));
    // Three of four go on without it, and it follows.
    order(world, "b/0", 100, "while");
    CHECK(world.status("d/0").state == "silent");
    // A restart changes nothing of it.
    world.crash("d/0");
    world.boot("d/0");
    order(world, "b/0", 100, "still");
    CHECK(world.status("d/0").state == "silent");
    order(world, "b/0", 100, "more");

    REQUIRE(world.run_until([&] { return world.status("d/0").state == "voting"; }, std::chrono::seconds(5)));
    world.cut("c/0");
    order(world, "b/0", 20, "after");
    for (const auto& name : kFour)
        CHECK(world.evidence(name).empty());
}

TEST_CASE("a replica whose disk is that of last week is shown its own votes and is silent") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 20, "before");
    const auto old = world.disk("d/0");
    order(world, "b/0", 20, "while");
    world.crash("d/0");
    world.disk("d/0") = old;
    world.boot("d/0");
    REQUIRE(world.run_until([&] { return world.status("d/0").state == "silent"; }, std::chrono::seconds(5)));
    CHECK(world.status("d/0").note.find("its disk does not know") != std::string::npos);
    order(world, "b/0", 20, "after");
    for (const auto& name : kFour)
        CHECK(world.evidence(name).empty());
}

TEST_CASE("a replica whose state differs from what a quorum signed says so and keeps silent") {
    World world(kFour);
    world.spoil = [](const ReplicaName& at, Height height, State& state) {
        if (at == "d/0" && height == 5) state["damaged"] = to_bytes("by a fault of the memory");
    };
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 20, "client");
    REQUIRE(world.run_until([&] { return world.status("d/0").state == "silent"; }, std::chrono::seconds(5)));
    CHECK(world.status("d/0").note.find("differs") != std::string::npos);
    world.crash("d/0");
    world.boot("d/0");
    world.run(std::chrono::seconds(2));
    CHECK(world.status("d/0").state == "silent");
    order(world, "b/0", 20, "more");
}

} // namespace
} // namespace dwcp::consensus::test
