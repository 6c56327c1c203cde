// Committees that change while the lane goes on.
#include "tests/unit/consensus/replica_world.hpp"

#include <catch2/catch.hpp>

#include <iostream>

namespace dwcp::consensus::test {
namespace {

const std::vector<ReplicaName> kThree{"a/0", "b/0", "c/0"};
const std::vector<ReplicaName> kFour{"a/0", "b/0", "c/0", "d/0"};
const std::vector<ReplicaName> kSeven{"a/0", "b/0", "c/0", "d/0", "e/0", "f/0", "g/0"};

Command change_to(const std::vector<ReplicaName>& names, Epoch from_epoch) {
    return command_of(Reconfigure{.from_epoch = from_epoch,
                                  .engine = EngineKind::pbft,
                                  .samples = {},
                                  .members = World::committee_of(names).members});
}

bool all_vote_in(World& world, const std::vector<ReplicaName>& names, Epoch epoch) {
    return std::ranges::all_of(names, [&](const auto& name) {
        const auto status = world.status(name);
        return status.committee.epoch == epoch && status.state == "voting";
    });
}

void order(World& world, const ReplicaName& at, int blocks, const std::string& id) {
    for (int i = 1; i <= blocks; ++i) {
        const auto client = world.submit(at, id + "-" + std::to_string(i), 1, "v");
        REQUIRE(world.run_until([&] { return world.committed(client); }));
    }
}

TEST_CASE("three replicas become seven and survive two away then") {
    World world(kThree);
    for (const auto* name : {"d/0", "e/0", "f/0", "g/0"})
        world.boot(name);
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 30, "before");
    const auto change = world.submit("a/0", change_to(kSeven, 1));
    REQUIRE(world.run_until([&] { return world.committed(change); }));
    REQUIRE(world.run_until([&] { return all_vote_in(world, kSeven, 2); }, std::chrono::seconds(5)));
    CHECK(world.status("g/0").committee.f() == 2);
    world.cut("a/0");
    world.cut("d/0");
    order(world, "g/0", 40, "after");
    CHECK(world.status("g/0").stable > 0);
}

TEST_CASE("seven replicas whose new members start only after the change") {
    World world(kThree);
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 5, "before");
    const auto change = world.submit("a/0", change_to(kSeven, 1));
    REQUIRE(world.run_until([&] { return world.committed(change); }));
    const auto waits = world.submit("a/0", "waits", 1, "v");
    world.run(std::chrono::seconds(5));
    CHECK_FALSE(world.answer(waits)); // five of seven must agree
    for (const auto* name : {"d/0", "e/0", "f/0", "g/0"})
        world.boot(name);
    REQUIRE(world.run_until([&] { return world.committed(waits); }, std::chrono::seconds(40)));
    REQUIRE(world.run_until([&] { return all_vote_in(world, kSeven, 2); }, std::chrono::seconds(5)));
}

TEST_CASE("four replicas become one, and the others look on") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 10, "before");
    const auto change = world.submit("d/0", change_to({"c/0"}, 1));
    REQUIRE(world.run_until([&] { return world.committed(change); }));
    order(world, "c/0", 10, "after");
    const auto client = world.submit("a/0", "observer", 1, "v");
    REQUIRE(world.run_until([&] { return world.committed(client); }));
    CHECK(world.status("a/0").state == "observing");
    CHECK(world.status("c/0").committee.epoch == 2);
}

TEST_CASE("a replica is replaced under load, and every command is ordered") {
    World world(kFour);
    world.boot("e/0");
    world.run(std::chrono::seconds(1));
    std::vector<ClientToken> clients;
    ClientToken change = 0;
    for (int i = 0; i < 400; ++i) {
        clients.push_back(
            world.submit(kFour[static_cast<std::size_t>(i) % 3], "client-" + std::to_string(i), 1, "v"));
        if (i == 200) change = world.submit("b/0", change_to({"a/0", "b/0", "c/0", "e/0"}, 1));
        world.run(milliseconds(2));
    }
    REQUIRE(world.run_until([&] { return world.committed(change); }));
    REQUIRE(world.run_until(
        [&] { return std::ranges::all_of(clients, [&](auto c) { return world.committed(c); }); }));
    CHECK(all_vote_in(world, {"a/0", "b/0", "c/0", "e/0"}, 2));
    CHECK(world.status("d/0").state == "observing");
    world.cut("a/0");
    order(world, "e/0", 20, "after");
}

TEST_CASE("a second change of the same epoch is void, and one of a past epoch is refused") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    const auto first = world.submit("a/0", change_to(kThree, 1));
    const auto second = world.submit("b/0", change_to({"b/0", "c/0", "d/0"}, 1));
    REQUIRE(world.run_until([&] { return world.committed(first) && world.answer(second); }));
    world.run(std::chrono::seconds(1));
    CHECK(world.status("a/0").committee.epoch == 2);
    const auto late = world.submit("b/0", change_to(kSeven, 1));
    REQUIRE(world.answer(late));
    CHECK(world.answer(late)->error().code == Errc::precondition_failed);
}

TEST_CASE("a change that another one overtook is answered at once and stops nobody") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    // Kept from the leader until the committee has changed without its submitter.
    world.lose = [](const Message& message, const ReplicaName&) {
        return message.from == "d/0" && std::holds_alternative<Forward>(message.body);
    };
    const auto overtaken = world.submit("d/0", change_to(kSeven, 1));
    const auto first = world.submit("a/0", change_to(kThree, 1));
    REQUIRE(world.run_until([&] { return world.committed(first); }));
    REQUIRE(world.run_until([&] { return world.answer(overtaken) != nullptr; }, std::chrono::seconds(5)));
    REQUIRE_FALSE(*world.answer(overtaken));
    CHECK(world.answer(overtaken)->error().code == Errc::precondition_failed);
    order(world, "b/0", 5, "after");
    CHECK(world.status("b/0").committee.epoch == 2);
}

TEST_CASE("a change of committee that comes between commands ends its block") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    world.cut("b/0");
    world.cut("c/0");
    // They wait together, and go into blocks together.
    std::vector<ClientToken> clients;
    clients.push_back(world.submit("a/0", "before", 1, "v"));
    clients.push_back(world.submit("a/0", change_to(kThree, 1)));
    for (int i = 0; i < 50; ++i)
        clients.push_back(world.submit("a/0", "after-" + std::to_string(i), 1, "v"));
    world.run(std::chrono::seconds(3));
    world.heal("b/0");
    world.heal("c/0");
    REQUIRE(world.run_until(
        [&] { return std::ranges::all_of(clients, [&](auto c) { return world.committed(c); }); }));
    CHECK(all_vote_in(world, kThree, 2));
}

TEST_CASE("an engine that is not built cannot be changed to") {
    World world(kFour);
    world.run(std::chrono::seconds(1));
    auto change = Reconfigure{.from_epoch = 1,
                              .engine = EngineKind::bullshark,
                              .samples = {},
                              .members = World::committee_of(kThree).members};
    const auto refused = world.submit("a/0", command_of(change));
    REQUIRE(world.answer(refused));
    CHECK(world.answer(refused)->error().code == Errc::unimplemented);
}

TEST_CASE("a replica that was away over two changes of committee catches up, by blocks and by snapshot") {
    const auto collect = GENERATE(false, true);
    World world(kFour);
    world.collect_blocks = collect;
    world.boot("e/0");
    world.run(std::chrono::seconds(1));
    order(world, "b/0", 20, "before");
    world.cut("d/0");
    const auto first = world.submit("a/0", change_to({"a/0", "b/0", "c/0", "d/0", "e/0"}, 1));
    REQUIRE(world.run_until([&] { return world.committed(first); }));
    order(world, "b/0", 20, "between");
    const auto second = world.submit("a/0", change_to(kFour, 2));
    REQUIRE(world.run_until([&] { return world.committed(second); }));
    order(world, "b/0", 40, "after");
    CHECK(world.disk("d/0").applied == 20);
    world.heal("d/0");
    REQUIRE(world.run_until([&] { return world.disk("d/0").applied == world.disk("a/0").applied; },
                            std::chrono::seconds(10)));
    CHECK(world.status("d/0").committee.epoch == 3);
    world.cut("c/0");
    order(world, "b/0", 20, "needed");
}

TEST_CASE("everybody restarts around a change of committee and the lane goes on in the new epoch") {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        INFO("seed " << seed);
        World world(kFour, seed);
        world.run(std::chrono::seconds(1));
        order(world, "b/0", 3, "before");
        world.submit("a/0", change_to(kThree, 1));
        world.run(Duration(seed * 500'000));
        for (const auto& name : kFour)
            world.crash(name);
        world.boot(kFour);
        world.run(milliseconds(100));
        const auto again = world.submit("a/0", change_to(kThree, 1));
        world.run_until([&] { return world.answer(again); }, std::chrono::seconds(10));
        REQUIRE(world.run_until([&] { return all_vote_in(world, kThree, 2); }, std::chrono::seconds(10)));
        order(world, "b/0", 20, "after");
        for (const auto& name : kThree)
            CHECK(world.evidence(name).empty());
    }
}

} // namespace
} // namespace dwcp::consensus::test
