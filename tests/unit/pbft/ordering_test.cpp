#include "tests/unit/consensus/epoch_end.hpp"
#include "tests/unit/pbft/rig.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::pbft::test;
using std::chrono::seconds;

} // namespace

TEST_CASE("every committee decides, with exactly 2n(n - 1) messages a decision", "[pbft]") {
    const std::size_t n = GENERATE(1, 2, 3, 4, 7);
    Committees rig(n);
    rig.start();
    rig.want(1);
    CHECK(rig.run(seconds(1), [&] { return rig.all_decided(1); }));
    rig.run(milliseconds(100));
    std::size_t total = 0;
    for (const auto& [kind, count] : rig.sent)
        total += count;
    CHECK(rig.sent[Kind::propose] == n - 1);
    CHECK(rig.sent[Kind::prepare] == (n - 1) * (n - 1));
    CHECK(rig.sent[Kind::commit] == n * (n - 1));
    CHECK(total == 2 * n * (n - 1));
    CHECK(rig.views_failed == 0);
    CHECK(rig.invalid == 0);
    CHECK(rig.evidence.empty());
}

TEST_CASE("slots are decided in any order and counted in order", "[pbft]") {
    Committees rig(4);
    rig.start();
    std::vector<Height> order;
    rig.passes = [&](std::size_t, std::size_t to, const Message& message) { // replica 3 gets slot 1 last
        const auto& what = std::get<Signed>(message.body).statement;
        return to != 3 || what.slot != 1 || rig.nodes[3]->decided.size() >= 9;
    };
    rig.want(10);
    CHECK(rig.run(milliseconds(100), [&] { return rig.nodes[3]->decided.size() == 9; }));
    CHECK(rig.engine(3).status().decided == 0);
    rig.run(milliseconds(260)); // long enough that the others' votes are no longer on their way
    for (std::size_t at = 0; at < 3; ++at)
        rig.give(at, PeerStands{3, 0, 0});
    CHECK(rig.run(milliseconds(100), [&] { return rig.all_decided(10); }));
    CHECK(rig.engine(3).status().decided == 10);
    CHECK(rig.views_failed == 0);
}

TEST_CASE("no more slots are under way than the pipeline and the window hold", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    rig.want(1000);
    CHECK(rig.engine(0).next_slot() == 17);
    CHECK_FALSE(rig.engine(0).wants_proposal());
    CHECK_FALSE(rig.engine(1).wants_proposal());

    Committees window(4); // without a stable checkpoint
    window.start();
    window.want(1000);
    window.run(seconds(1));
    CHECK(window.all_decided(kWindow));
    CHECK_FALSE(window.engine(0).wants_proposal());
    window.give(0, StableCheckpoint{window.checkpoint(kCheckpointInterval)});
    CHECK(window.engine(0).status().stable == kCheckpointInterval);
    CHECK(window.engine(0).next_slot() > kWindow);
}

TEST_CASE("commits that arrive before the proposal and the prepares are not lost", "[pbft]") {
    Committees rig(4);
    rig.rules.hellos = false;
    rig.start();
    const BlockRef block = rig.block(1, "one");
    for (const ReplicaId id : {0, 2, 3})
        rig.deliver(1, id, rig.vote(id, Kind::commit, 0, 1, block->digest()));
    CHECK(rig.nodes[1]->decided.empty());
    rig.deliver(1, 0, rig.propose(0, 0, block));
    CHECK(rig.nodes[1]->decided.at(1) == block->digest());
}

TEST_CASE("what is lost is said again", "[pbft]") {
    const Kind kind = GENERATE(Kind::propose, Kind::prepare, Kind::commit);
    Committees rig(4);
    rig.start();
    rig.passes = [&](auto, auto, const Message& message) { // the first sendings of a kind
        return std::get<Signed>(message.body).statement.kind != kind ||
               rig.time().time_since_epoch() > std::chrono::hours(1) + milliseconds(200);
    };
    rig.want(3);
    CHECK(rig.run(milliseconds(490), [&] { return rig.all_decided(3); }));
    CHECK(rig.views_failed == 0);
}

TEST_CASE("a replica that missed everything is brought up by the others' votes", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.crash(3);
    rig.want(5);
    CHECK(rig.run(seconds(1), [&] { return rig.all_decided(5); }));
    rig.run(seconds(2));
    rig.restart(3);
    CHECK(rig.run(seconds(5), [&] { return rig.all_decided(5); }));
    CHECK(rig.nodes[3]->decided.size() == 5);
    CHECK(rig.fetched > 0);
}

TEST_CASE("what a checkpoint has made superfluous is gone from memory and disk", "[pbft]") {
    Committees rig(4, {.checkpoint_every = kCheckpointInterval});
    rig.start();
    rig.want(kCheckpointInterval);
    CHECK(rig.run(seconds(2), [&] { return rig.engine(0).status().stable == kCheckpointInterval; }));
    rig.run(milliseconds(100));
    for (const auto& node : rig.nodes) {
        CHECK(node->disk.size() == 1); // the checkpoint
        CHECK(node->disk.contains("stable"));
    }
    const Hash256 old = rig.agreed.at(1);
    CHECK(rig.engine(0).content(1, old) == nullptr);
}

TEST_CASE("decided elsewhere: the engine goes on from there", "[pbft]") {
    Committees rig(4);
    rig.start();
    for (std::size_t at = 0; at < 4; ++at) {
        rig.give(at, DecidedElsewhere{20});
        rig.nodes[at]->upto = 20;
    }
    CHECK(rig.engine(0).next_slot() == 21);
    rig.want(22);
    CHECK(rig.run(seconds(1), [&] { return rig.all_decided(22); }));
    CHECK(rig.nodes[1]->decided.size() == 2);
    CHECK(rig.nodes[1]->decided.contains(21));
}

TEST_CASE("stale, foreign, repeated and far messages change nothing", "[pbft]") {
    Committees rig(4);
    rig.rules.hellos = false;
    rig.start();
    rig.want(3);
    rig.run(milliseconds(50));
    REQUIRE(rig.all_decided(3));
    const auto disk = rig.nodes[1]->disk;
    const auto sent = rig.sent;

    const BlockRef again = rig.block(kWindow + 4, "far");
    rig.deliver(1, 0, rig.propose(0, 0, rig.block(kWindow + 1, "over the window")));
    rig.deliver(1, 2, rig.vote(2, Kind::prepare, 0, kWindow + 1, again->digest()));
    rig.deliver(1, 2, rig.vote(2, Kind::commit, 0, 2, rig.agreed.at(2)));
    rig.deliver(1, 2, rig.vote(2, Kind::commit, 0, 2, rig.agreed.at(2)));
    rig.deliver(1, 0, rig.propose(0, 4, rig.block(4, "a view that is far")));
    CHECK(rig.invalid == 0);
    rig.deliver(1, 2, rig.propose(2, 0, rig.block(4, "not the leader")));
    CHECK(rig.invalid == 1);
    rig.deliver(1, 0, rig.vote(0, Kind::prepare, 0, 4, again->digest())); // a leader does not prepare
    CHECK(rig.invalid == 2);
    rig.deliver(1, 0, rig.propose(0, 0, rig.block(4, "bad"))); // not acceptable
    CHECK(rig.invalid == 3);
    CHECK(rig.nodes[1]->disk == disk);
    CHECK(rig.sent == sent);
    CHECK(rig.evidence.empty());

    CHECK(rig.engine(1).status().decided == 3);
}

TEST_CASE("a leader with two values is convicted once and decides at most one", "[pbft]") {
    Committees rig(4);
    rig.nodes[0]->honest = false;
    rig.start();
    rig.crash(0);
    const BlockRef left = rig.block(1, "left");
    const BlockRef right = rig.block(1, "right");
    rig.want(2);
    rig.deliver(1, 0, rig.propose(0, 0, left));
    rig.deliver(2, 0, rig.propose(0, 0, right));
    rig.deliver(3, 0, rig.propose(0, 0, left));
    rig.deliver(1, 0, rig.vote(0, Kind::commit, 0, 1, left->digest()));
    rig.deliver(2, 0, rig.vote(0, Kind::commit, 0, 1, right->digest()));
    rig.deliver(1, 0, rig.propose(0, 0, right));
    rig.deliver(1, 0, rig.propose(0, 0, right));
    REQUIRE(rig.evidence.size() == 1);
    CHECK(rig.evidence[0].first.signer == 0);
    CHECK(rig.evidence[0].first.kind == Kind::propose);
    CHECK_FALSE(rig.engine(1).status().active); // it does not wait for such a leader
    CHECK(rig.run(seconds(10), [&] { return rig.all_decided(2); }));
}

TEST_CASE("a voter with two values is convicted", "[pbft]") {
    const Kind kind = GENERATE(Kind::prepare, Kind::commit);
    Committees rig(4);
    rig.start();
    rig.deliver(1, 2, rig.vote(2, kind, 0, 1, rig.block(1, "a")->digest()));
    rig.deliver(1, 2, rig.vote(2, kind, 0, 1, rig.block(1, "b")->digest()));
    rig.deliver(1, 2, rig.vote(2, kind, 0, 2, rig.block(2, "a")->digest()));
    rig.deliver(1, 2, rig.vote(2, kind, 0, 2, rig.block(2, "b")->digest()));
    REQUIRE(rig.evidence.size() == 1);
    CHECK(rig.evidence[0].second.signer == 2);
    CHECK(rig.engine(1).status().active);
}

TEST_CASE("nothing is committed above the end of an epoch, nor above what may become one", "[pbft]") {
    Committees rig(4);
    check_nothing_is_committed_above_the_end_of_an_epoch(rig, GENERATE(false, true));
}
