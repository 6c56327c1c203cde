// Replicas with real engines around commands: taken in, forwarded, ordered once, answered.
#include "tests/unit/consensus/replica_world.hpp"

#include <catch2/catch.hpp>

namespace dwcp::consensus::test {
namespace {

const std::vector<ReplicaName> kFour{"a/0", "b/0", "c/0", "d/0"};

bool all_voting(World& world, const std::vector<ReplicaName>& names) {
    for (const auto& name : names)
        if (world.status(name).state != "voting") return false;
    return true;
}

TEST_CASE("a lane of replicas with empty disks begins by itself") {
    World world(kFour);
    REQUIRE(world.run_until([&] { return all_voting(world, kFour); }, std::chrono::seconds(2)));
    for (const auto& name : kFour)
        CHECK(world.status(name).available);
}

TEST_CASE("a lone command is ordered and answered wherever it is submitted") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    for (const auto& name : kFour) {
        const auto began = world.now().time;
        const auto client = world.submit(name, "client-" + name, 1, "value");
        REQUIRE(world.run_until([&] { return world.answer(client); }));
        REQUIRE(world.committed(client));
        // A forward and three phases, each with a delay up to twice 1 ms and a disk.
        CHECK(world.now().time - began < milliseconds(20));
    }
    world.run(std::chrono::seconds(1));
    for (const auto& name : kFour) {
        CHECK(world.disk(name).applied == 4);
        CHECK(world.disk(name).state.size() == 4);
    }
}

TEST_CASE("a replica alone decides alone") {
    World world({"a/0"});
    const auto client = world.submit("a/0", "client", 1, "value");
    REQUIRE(world.run_until([&] { return world.committed(client); }, std::chrono::seconds(1)));
    CHECK(world.status("a/0").note.find("f = 0") != std::string::npos);
}

TEST_CASE("a flood is ordered, each command once, in few blocks") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    std::vector<ClientToken> clients;
    for (int i = 0; i < 3000; ++i)
        clients.push_back(
            world.submit(kFour[static_cast<std::size_t>(i) % 4], "client-" + std::to_string(i), 1, "v"));
    REQUIRE(world.run_until(
        [&] { return std::ranges::all_of(clients, [&](auto c) { return world.committed(c); }); }));
    std::set<std::pair<Height, std::uint32_t>> places;
    for (const auto client : clients) {
        const auto& place = **world.answer(client);
        CHECK(places.emplace(place.height, place.position).second);
    }
    CHECK(places.rbegin()->first < 60);
    for (const auto& name : kFour)
        CHECK(world.status(name).waiting == 0);
}

TEST_CASE("the longer decisions take, the fuller blocks are gathered") {
    const auto commands_a_block = [](Duration delay) {
        World world(kFour);
        world.delay = delay;
        world.run(std::chrono::seconds(2));
        ClientToken last = 0;
        for (int i = 0; i < 1000; ++i) {
            last = world.submit("a/0", "client-" + std::to_string(i), 1, "v");
            world.run(milliseconds(1));
        }
        REQUIRE(world.run_until([&] { return world.committed(last); }));
        return 1000 / (*world.answer(last))->height;
    };
    const auto near = commands_a_block(milliseconds(1));
    const auto far = commands_a_block(milliseconds(30));
    CAPTURE(near, far);
    CHECK(near < 8);
    CHECK(far > 14);
}

TEST_CASE(
    "the same command again is answered with the place that it has, and another one under its name is not") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    const auto first = world.submit("b/0", "client", 1, "one");
    const auto again = world.submit("b/0", "client", 1, "one");
    const auto other = world.submit("b/0", "client", 1, "two");
    REQUIRE(world.answer(other));
    CHECK(world.answer(other)->error().code == Errc::already_exists);
    REQUIRE(world.run_until([&] { return world.committed(first) && world.committed(again); }));
    CHECK((*world.answer(first))->height == (*world.answer(again))->height);
    const auto later = world.submit("b/0", "client", 1, "one");
    REQUIRE(world.committed(later));
    CHECK((*world.answer(later))->height == (*world.answer(first))->height);
    const auto late = world.submit("b/0", "client", 1, "three");
    REQUIRE(world.answer(late));
    CHECK(world.answer(late)->error().code == Errc::already_exists);
}

TEST_CASE("a full mempool refuses instead of growing") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    for (const auto& name : {"b/0", "c/0", "d/0"})
        world.cut(name);
    std::size_t refused = 0;
    for (std::size_t i = 0; i < kMempoolCommandsMax + 10; ++i) {
        const auto client =
            world.submit("a/0", "client-" + std::to_string(i), 1, "v", std::chrono::seconds(5));
        if (!world.answer(client)) continue;
        CHECK(world.answer(client)->error().code == Errc::resource_exhausted);
        ++refused;
    }
    CHECK(refused == 10);
    CHECK(world.status("a/0").waiting == kMempoolCommandsMax);
}

TEST_CASE("what cannot be decided is answered at its deadline, and may commit later") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    for (const auto& name : {"b/0", "c/0"})
        world.cut(name);
    const auto client = world.submit("d/0", "client", 1, "v", std::chrono::seconds(3));
    REQUIRE(world.run_until([&] { return world.answer(client); }, std::chrono::seconds(4)));
    CHECK(world.answer(client)->error().code == Errc::deadline_exceeded);
    CHECK_FALSE(world.status("d/0").available);
    for (const auto& name : {"b/0", "c/0"})
        world.heal(name);
    const auto again = world.submit("d/0", "client", 1, "v");
    REQUIRE(world.run_until([&] { return world.committed(again); }));
}

TEST_CASE("a command that its leader does not order is ordered by the next one") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    // The first leader never hears of anything b/0's clients want.
    world.lose = [](const Message& message, const ReplicaName& to) {
        return to == "a/0" && std::holds_alternative<Forward>(message.body);
    };
    const auto client = world.submit("b/0", "client", 1, "v");
    REQUIRE(world.run_until([&] { return world.committed(client); }, std::chrono::seconds(10)));
    CHECK(world.status("b/0").engine.view > 0);
}

TEST_CASE("a leader that orders others' commands and lets one wait is left") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    world.lose = [](const Message& message, const ReplicaName& to) {
        const auto* forward = std::get_if<Forward>(&message.body);
        if (to != "a/0" || !forward) return false;
        return std::ranges::any_of(forward->transactions,
                                   [](const auto& t) { return t.command.id == "unloved"; });
    };
    const auto unloved = world.submit("b/0", "unloved", 1, "v");
    std::uint64_t others = 0;
    const auto began = world.now().time;
    while (!world.committed(unloved) && world.now().time - began < std::chrono::seconds(20)) {
        world.submit("c/0", "others", ++others, "v");
        world.run(milliseconds(20));
    }
    CHECK(world.committed(unloved));
    CHECK(world.status("b/0").engine.view > 0);
}

TEST_CASE("an operator moves the lead on, and the lane goes on deciding") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    const auto before = world.submit("b/0", "before", 1, "v");
    REQUIRE(world.run_until([&] { return world.committed(before); }));
    REQUIRE(world.status("b/0").engine.view == 0);
    for (const auto& name : kFour)
        world.suspect_leader(name);
    const auto moved = [&] {
        return std::ranges::all_of(kFour, [&](const auto& name) {
            const auto engine = world.status(name).engine;
            return engine.active && engine.view == 1 && engine.leader == 1;
        });
    };
    REQUIRE(world.run_until(moved, std::chrono::seconds(5)));
    const auto after = world.submit("c/0", "after", 1, "v");
    REQUIRE(world.run_until([&] { return world.committed(after); }));
}

TEST_CASE("commands that nobody can order are refused at once") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    const auto refused = [&](const Command& command) {
        const auto client = world.submit("a/0", command);
        REQUIRE(world.answer(client));
        return world.answer(client)->error().code;
    };
    CHECK(refused({"", to_bytes("v"), 1}) == Errc::invalid_argument);
    CHECK(refused({std::string(65, 'x'), to_bytes("v"), 1}) == Errc::invalid_argument);
    CHECK(refused({"client", {}, 1}) == Errc::invalid_argument);
    CHECK(refused({"client", Bytes(kCommandBytes + 1), 1}) == Errc::too_large);
    CHECK(refused({std::string(kReconfigureId) + "x", to_bytes("nonsense"), 1}) == Errc::invalid_argument);
}

TEST_CASE("the same run has the same trace") {
    const auto run = [] {
        World world(kFour, 7);
        world.run(std::chrono::seconds(1));
        for (int i = 0; i < 200; ++i) {
            world.submit(kFour[static_cast<std::size_t>(i) % 4], "client-" + std::to_string(i), 1, "v");
            world.run(milliseconds(3));
        }
        return world.trace();
    };
    CHECK(run() == run());
}

} // namespace
} // namespace dwcp::consensus::test
