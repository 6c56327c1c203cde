#include "tests/unit/pbft/rig.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::pbft::test;
using std::chrono::seconds;

/// Slots, a silent leader, a view change: `victim` dies in its `step`th step that writes; whether it came to
/// that.
bool dies_at(ReplicaId victim, unsigned step, Fate how) {
    Committees rig(4);
    bool died = false;
    unsigned writes = 0;
    rig.fate = [&](const Committees::Node& node, const EngineEffects& effects) {
        if (node.id != victim || effects.persist.empty() || died || writes++ != step) return Fate::lives;
        died = true;
        return how;
    };
    rig.start();
    rig.want(3);
    const auto revive = [&] {
        if (!died || rig.nodes[victim]->engine) return;
        rig.restart(victim);
        rig.want(6); // it leads anew if it did
    };
    rig.run(milliseconds(20));
    revive();
    REQUIRE(rig.run(seconds(20), [&] {
        revive();
        return rig.all_decided(3);
    }));
    for (std::size_t at = 0; at < 4; ++at)
        rig.give(at, SuspectLeader{});
    rig.run(milliseconds(20));
    revive();
    rig.want(6);
    REQUIRE(rig.run(seconds(20), [&] {
        revive();
        return rig.all_decided(6);
    }));
    return died;
}

EngineMemory some_memory(Committees& rig) {
    rig.start();
    rig.want(2);
    rig.run(milliseconds(20));
    for (std::size_t at = 0; at < 4; ++at)
        rig.give(at, SuspectLeader{});
    rig.run(milliseconds(20));
    return rig.nodes[2]->disk;
}

} // namespace

TEST_CASE("a replica that dies at any write never contradicts what it signed", "[pbft]") {
    // The rig holds it at every message.
    const Fate how = GENERATE(Fate::dies_before_disk, Fate::dies_after_disk);
    for (const ReplicaId victim : {0, 1, 2}) {
        unsigned step = 0;
        while (dies_at(victim, step, how))
            ++step;
        CHECK(step >= 8);
    }
}

TEST_CASE("a restarted leader does not propose another block for its slot", "[pbft]") {
    Committees rig(4, {.hellos = false});
    rig.start();
    const BlockRef block = rig.block(1, "first life");
    rig.passes = [](auto, auto, const auto&) { return false; };
    rig.give(0, ProposeBlock{block});
    rig.crash(0);
    rig.passes = nullptr;
    rig.restart(0);
    CHECK(rig.engine(0).next_slot() == 2);
    CHECK(rig.engine(0).content(1, block->digest()));
    CHECK(rig.run(seconds(2), [&] { return rig.all_decided(1); }));
    CHECK(rig.agreed.at(1) == block->digest());
}

TEST_CASE("a restarted replica still reports what it had prepared", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.passes = [](auto, auto, const Message& message) {
        return std::get<Signed>(message.body).statement.kind != Kind::commit;
    };
    const BlockRef block = rig.block(1, "prepared");
    rig.give(0, ProposeBlock{block});
    rig.run(milliseconds(20));
    std::vector<Certificate> reported;
    for (const std::size_t at : {1, 2, 3}) {
        rig.crash(at);
        rig.restart(at);
    }
    rig.crash(0);
    rig.passes = [&](auto, auto, const Message& message) {
        if (const auto* change = std::get_if<ViewChange>(&std::get<Signed>(message.body).body))
            reported.insert(reported.end(), change->prepared.begin(), change->prepared.end());
        return true;
    };
    rig.want(1);
    for (const std::size_t at : {1, 2, 3})
        rig.give(at, SuspectLeader{});
    CHECK(reported.size() >= 3);
    CHECK(rig.run(seconds(5), [&] { return rig.all_decided(1); }));
    CHECK(rig.agreed.at(1) == block->digest());
}

TEST_CASE("a replica that restarts after leaving a view says nothing more in it", "[pbft]") {
    Committees rig(4, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const Message& message) {
        return std::get<Signed>(message.body).statement.kind != Kind::commit;
    };
    rig.give(0, ProposeBlock{rig.block(1, "prepared")});
    rig.run(milliseconds(20));
    REQUIRE(rig.nodes[2]->disk.contains("prepared/00000000000000000001"));
    rig.give(2, SuspectLeader{});
    rig.crash(2);
    rig.restart(2);
    bool again = false;
    rig.passes = [&](std::size_t from, auto, const Message& message) {
        const auto& what = std::get<Signed>(message.body).statement;
        again = again || (from == 2 && what.kind == Kind::commit && what.view == 0);
        return false;
    };
    rig.give(2, DecidedElsewhere{1});
    rig.run(milliseconds(300)); // long enough ago that it helps a peer with the slot
    rig.give(2, PeerStands{1, 0, 0});
    CHECK_FALSE(again);
}

TEST_CASE("a replica that restarts between two views stays there and says so again", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    rig.give(2, SuspectLeader{});
    rig.crash(2);
    rig.restart(2);
    CHECK(rig.engine(2).status().view == 1);
    CHECK_FALSE(rig.engine(2).status().active);
    rig.sent.clear();
    rig.run(seconds(1));
    CHECK(rig.sent[Kind::view_change] >= 3);
}

TEST_CASE("a replica that restarts in a later view votes on in it", "[pbft]") {
    Committees rig(4);
    some_memory(rig);
    rig.crash(2);
    rig.restart(2);
    CHECK(rig.engine(2).status().view == 1);
    CHECK(rig.engine(2).status().active);
    rig.crash(0);
    rig.want(5);
    CHECK(rig.run(seconds(3), [&] { return rig.all_decided(5); }));
    CHECK(rig.engine(2).status().view == 1);
}

TEST_CASE("damaged memory is refused", "[pbft]") {
    Committees rig(4);
    const EngineMemory good = some_memory(rig);
    REQUIRE(pbft::make_pbft(rig.options(2), good));
    CHECK(good.contains("change"));
    CHECK(good.contains("new_view"));
    REQUIRE(good.size() > 6);
    for (const auto& [key, value] : good) {
        INFO(key);
        EngineMemory cut = good;
        cut[key].resize(value.size() / 2);
        const auto made = pbft::make_pbft(rig.options(2), cut);
        REQUIRE_FALSE(made);
        CHECK(made.error().code == Errc::corrupted);
    }
    for (const std::string key :
         {"what", "proposal/1", "block/00000000000000000001/", "prepared/0000000000000000000x"}) {
        EngineMemory strange = good;
        strange[key] = good.at("change");
        CHECK(pbft::make_pbft(rig.options(2), strange).error().code == Errc::corrupted);
    }
    EngineMemory misplaced = good;
    misplaced["proposal/00000000000000000009"] = good.at("proposal/00000000000000000001");
    CHECK(pbft::make_pbft(rig.options(2), misplaced).error().code == Errc::corrupted);
    EngineMemory beyond = good;
    beyond["block/00000000000000009999/" + rig.block(9999, "x")->digest().hex()] = {};
    CHECK(pbft::make_pbft(rig.options(2), beyond).error().code == Errc::corrupted);
    // Another replica's disk is not one's own.
    CHECK(pbft::make_pbft(rig.options(1), good).error().code == Errc::corrupted);
}

TEST_CASE("options that cannot be are refused", "[pbft]") {
    Committees rig(4);
    EngineOptions stranger = rig.options(2);
    stranger.self = 4;
    CHECK(pbft::make_pbft(stranger, {}).error().code == Errc::invalid_argument);
    EngineOptions dumb = rig.options(2);
    dumb.signer = nullptr;
    CHECK(pbft::make_pbft(dumb, {}).error().code == Errc::invalid_argument);
}
