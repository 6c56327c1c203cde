#include "protocols/pbft/new_view.hpp"
#include "tests/unit/pbft/rig.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::pbft::test;
using std::chrono::seconds;

Kind kind_of(const Message& message) { return std::get<Signed>(message.body).statement.kind; }

/// Three view changes for view 1, replica 1 with `certificates`.
NewView new_view(const Committees& rig, std::vector<Certificate> certificates) {
    NewView out;
    for (const ReplicaId id : {1, 2, 3}) {
        ViewChange change;
        if (id == 1) change.prepared = certificates;
        const Signed said = rig.change(id, 1, change);
        out.changes.push_back({id, change, said.signature});
    }
    for (const auto& [slot, digest] : pbft::plan(rig.committee, out.changes).values)
        out.proposals.push_back({slot, digest, rig.sign(1, Kind::propose, 1, slot, digest).signature});
    return out;
}

Signed signed_new_view(const Committees& rig, View view, NewView body) {
    Signed out = rig.sign(rig.committee.leader(view), Kind::new_view, view, 0, digest_of(body));
    out.body = std::move(body);
    return out;
}

} // namespace

TEST_CASE("a silent leader costs a view, and the next one goes on", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.passes = [](std::size_t from, std::size_t to, auto&) { return from != 0 || to == 1; };
    rig.want(5); // its proposals reach one replica
    rig.crash(0);
    CHECK(rig.run(seconds(5), [&] { return rig.all_decided(5); }));
    CHECK(rig.engine(1).status().view == 1);
    CHECK(rig.engine(2).status().active);
    CHECK(rig.views_failed == 3);
}

TEST_CASE("leaders that are silent one after the other are passed with growing patience", "[pbft]") {
    Committees rig(7);
    rig.start();
    rig.crash(0);
    rig.crash(1);
    rig.want(3);
    CHECK(rig.run(seconds(10), [&] { return rig.all_decided(3); }));
    CHECK(rig.engine(2).status().view == 2);
    CHECK(rig.engine(3).status().leader == 2);
}

TEST_CASE("without work nobody is suspected", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.crash(0);
    rig.run(seconds(100));
    CHECK(rig.views_failed == 0);
}

TEST_CASE("a prepared value survives the view change", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.passes = [&](auto, auto, const Message& message) { // nobody sees a commit of view 0
        return kind_of(message) != Kind::commit || std::get<Signed>(message.body).statement.view > 0;
    };
    rig.give(0, WorkWaits{true});
    const BlockRef first = rig.block(1, "first");
    const BlockRef third = rig.block(3, "third");
    rig.give(0, ProposeBlock{first});
    // Slot 2 reaches nobody, slot 3 is prepared: the gap is filled with the empty block.
    auto others = rig.passes;
    rig.passes = [](auto, auto, const auto&) { return false; };
    rig.give(0, ProposeBlock{rig.block(2, "second")});
    rig.passes = others;
    rig.give(0, ProposeBlock{third});
    rig.run(milliseconds(100));
    rig.crash(0);
    rig.want(3);
    CHECK(rig.run(seconds(5), [&] { return rig.all_decided(3); }));
    CHECK(rig.agreed.at(1) == first->digest());
    CHECK(rig.agreed.at(2) == Block::empty(1, 2).digest());
    CHECK(rig.agreed.at(3) == third->digest());
    CHECK(rig.engine(1).next_slot() == 4);
}

TEST_CASE("content that a new view names and a replica lacks is fetched", "[pbft]") {
    Committees rig(4);
    rig.start();
    const BlockRef block = rig.block(1, "one");
    rig.passes = [&](std::size_t, std::size_t to, const Message& message) {
        const auto& what = std::get<Signed>(message.body).statement;
        if (what.view > 0) return what.kind != Kind::propose; // only new views name it
        return what.kind != Kind::commit && to != 1; // replica 1, the next leader, sees nothing of view 0
    };
    rig.give(0, ProposeBlock{block});
    rig.run(milliseconds(50));
    REQUIRE(rig.engine(2).content(1, block->digest()));
    REQUIRE_FALSE(rig.engine(1).content(1, block->digest()));
    for (const std::size_t at : {1, 2, 3})
        rig.give(at, SuspectLeader{});
    CHECK(rig.run(seconds(5), [&] { return rig.all_decided(1); }));
    CHECK(rig.agreed.at(1) == block->digest());
    CHECK(rig.fetched >= 1);
    CHECK(rig.engine(1).content(1, block->digest()));
}

TEST_CASE("a replica goes with f + 1 others, to the view that so many have reached", "[pbft]") {
    Committees rig(7, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    rig.deliver(0, 2, rig.change(2, 9, {}));
    rig.deliver(0, 3, rig.change(3, 4, {}));
    CHECK(rig.engine(0).status().view == 0);
    rig.deliver(0, 4, rig.change(4, 6, {}));
    CHECK(rig.engine(0).status().view == 4);
    CHECK_FALSE(rig.engine(0).status().active);
    rig.deliver(0, 4, rig.change(4, 8, {})); // one replica's further changes count once
    CHECK(rig.engine(0).status().view == 4);
}

TEST_CASE("a lone replica in a later view does not stop the others and is taken along", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.give(3, SuspectLeader{});
    rig.want(4);
    CHECK(rig.run(seconds(2), [&] { return rig.all_decided(4); }));
    CHECK(rig.engine(1).status().view == 0);
    CHECK(rig.nodes[3]->decided.size() == 4); // by the others' commits
    rig.crash(0);
    rig.want(8);
    CHECK(rig.run(seconds(10), [&] { return rig.all_decided(8); }));
}

TEST_CASE("a replica that is behind the others does not blame the leader", "[pbft]") {
    Committees rig(4, {.hellos = false});
    rig.start();
    rig.passes = [](std::size_t, std::size_t to, auto&) { return to != 3; };
    rig.want(4);
    rig.run(milliseconds(100));
    REQUIRE(rig.nodes[1]->decided.size() == 4);
    rig.give(3, PeerStands{1, 0, 4}); // one alone may lie
    rig.give(3, PeerStands{1, 0, 4});
    CHECK_FALSE(rig.run(milliseconds(300), [&] { return rig.views_failed > 0; }));
    rig.give(3, PeerStands{2, 0, 4});
    CHECK_FALSE(rig.run(milliseconds(1500), [&] { return rig.views_failed > 0; }));
    CHECK(rig.run(seconds(2), [&] { return rig.views_failed > 0; })); // nobody helps

    Committees alone(4, {.hellos = false});
    alone.start();
    alone.passes = rig.passes;
    alone.want(4);
    alone.give(3, PeerStands{1, 0, 4});
    CHECK(alone.run(milliseconds(600), [&] { return alone.views_failed > 0; }));
}

TEST_CASE("a new view that is lost comes again", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.crash(3);
    std::size_t lost = 0;
    rig.passes = [&](auto, std::size_t to, const Message& message) {
        return kind_of(message) != Kind::new_view || to != 2 || ++lost > 1;
    };
    rig.want(1);
    REQUIRE(rig.run(seconds(1), [&] { return rig.all_decided(1); }));
    for (const std::size_t at : {0, 1, 2})
        rig.give(at, SuspectLeader{});
    rig.want(3);
    CHECK(rig.run(seconds(3), [&] { return rig.all_decided(3); }));
    CHECK(lost > 1);
    CHECK(rig.engine(2).status().view == 1);
}

TEST_CASE("proposals and votes that overtake the new view are kept", "[pbft]") {
    Committees rig(4, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    const BlockRef block = rig.block(1, "early");
    rig.deliver(2, 1, rig.propose(1, 1, block));
    rig.deliver(2, 3, rig.vote(3, Kind::prepare, 1, 1, block->digest()));
    rig.deliver(2, 1, rig.vote(1, Kind::commit, 1, 1, block->digest()));
    rig.deliver(2, 3, rig.vote(3, Kind::commit, 1, 1, block->digest()));
    CHECK(rig.nodes[2]->decided.empty());
    rig.deliver(2, 1, signed_new_view(rig, 1, new_view(rig, {})));
    CHECK(rig.engine(2).status().view == 1);
    CHECK(rig.nodes[2]->decided.contains(1));
}

TEST_CASE("a new view must propose what its view changes demand", "[pbft]") {
    Committees rig(4, {.hellos = false});
    rig.start();
    const BlockRef block = rig.block(1, "prepared");
    const auto certificate = rig.prepared(0, 1, block->digest(), {2, 3});

    NewView right = new_view(rig, {certificate});
    REQUIRE(right.proposals.size() == 1);
    REQUIRE(right.proposals[0].digest == block->digest());

    NewView drops = right;
    drops.proposals.clear();
    NewView swaps = right;
    const Hash256 empty = Block::empty(1, 1).digest();
    swaps.proposals[0] = {1, empty, rig.sign(1, Kind::propose, 1, 1, empty).signature};
    NewView invents = new_view(rig, {});
    invents.proposals.push_back({1, empty, rig.sign(1, Kind::propose, 1, 1, empty).signature});
    NewView few = right;
    few.changes.pop_back();
    std::size_t refused = 0;
    for (const NewView& wrong : {drops, swaps, invents, few}) {
        rig.deliver(2, 1, signed_new_view(rig, 1, wrong));
        CHECK(rig.invalid == ++refused);
        CHECK(rig.engine(2).status().view == 0);
    }
    Signed not_the_leader = rig.sign(3, Kind::new_view, 1, 0, digest_of(invents));
    not_the_leader.body = invents;
    not_the_leader.body = new_view(rig, {});
    rig.deliver(2, 1, signed_new_view(rig, 1, right));
    CHECK(rig.engine(2).status().view == 1);
    CHECK(rig.engine(2).status().active);
}

TEST_CASE("of several certificates for a slot that of the highest view counts", "[pbft]") {
    Committees rig(4);
    const Hash256 older = rig.block(1, "older")->digest();
    const Hash256 newer = rig.block(1, "newer")->digest();
    std::vector<SignedViewChange> changes(3);
    changes[0].change.prepared = {rig.prepared(2, 1, newer, {0, 3})};
    changes[1].change.prepared = {rig.prepared(1, 1, older, {2, 3})};
    const auto plan = pbft::plan(rig.committee, changes);
    REQUIRE(plan.values.size() == 1);
    CHECK(plan.values[0].second == newer);

    changes[2].change.stable = 1; // a checkpoint covers it
    CHECK(pbft::plan(rig.committee, changes).values.empty());
    CHECK(pbft::plan(rig.committee, changes).last() == 1);
}

TEST_CASE("a view change is refused unless its certificates and its checkpoint hold", "[pbft]") {
    Committees rig(4);
    const Hash256 digest = rig.block(5, "five")->digest();
    const auto refused = [&](const ViewChange& change) {
        return !pbft::check_change(rig.committee, 2, change).has_value();
    };
    ViewChange good;
    good.prepared = {rig.prepared(1, 5, digest, {0, 2}), rig.prepared(0, 6, digest, {1, 2, 3})};
    CHECK_FALSE(refused(good));

    ViewChange few = good;
    few.prepared[0].votes.pop_back();
    CHECK(refused(few));
    ViewChange no_leader = good;
    no_leader.prepared[0].leader_signature.reset();
    CHECK(refused(no_leader));
    ViewChange twice = good;
    twice.prepared[0].votes[1] = twice.prepared[0].votes[0];
    CHECK(refused(twice));
    ViewChange leader_votes; // the leader's own vote does not count beside its proposal
    leader_votes.prepared = {rig.prepared(1, 5, digest, {0, 1})};
    CHECK(refused(leader_votes));
    ViewChange of_the_view = good;
    of_the_view.prepared[0] = rig.prepared(2, 5, digest, {0, 1});
    CHECK(refused(of_the_view));
    ViewChange order = good;
    std::swap(order.prepared[0], order.prepared[1]);
    CHECK(refused(order));
    ViewChange far = good;
    far.prepared[1].slot = kWindow + 1;
    CHECK(refused(far));
    ViewChange commit = good;
    commit.prepared[0].kind = Kind::commit;
    CHECK(refused(commit));
    ViewChange epoch = good;
    epoch.prepared[0].epoch = 2;
    CHECK(refused(epoch));

    ViewChange stable;
    stable.stable = 64;
    CHECK(refused(stable));
    stable.stable_proof = rig.checkpoint(64);
    CHECK_FALSE(refused(stable));
    stable.stable_proof.votes.pop_back();
    CHECK(refused(stable));
    stable.stable_proof = rig.checkpoint(128);
    CHECK(refused(stable));
}

TEST_CASE("a view change with nonsense is counted and does not count", "[pbft]") {
    Committees rig(4, {.hellos = false});
    rig.start();
    ViewChange wrong;
    wrong.prepared = {rig.prepared(0, 1, rig.block(1, "x")->digest(), {1})};
    rig.deliver(0, 1, rig.change(1, 1, wrong));
    rig.deliver(0, 2, rig.change(2, 1, wrong));
    rig.deliver(0, 3, rig.change(3, 1, wrong));
    CHECK(rig.invalid == 3);
    CHECK(rig.engine(0).status().view == 0);
}

TEST_CASE("two view changes of one replica for one view convict it", "[pbft]") {
    Committees rig(4, {.hellos = false});
    rig.start();
    ViewChange other;
    other.prepared = {rig.prepared(0, 1, rig.block(1, "x")->digest(), {1, 2})};
    rig.deliver(0, 2, rig.change(2, 1, {}));
    rig.deliver(0, 2, rig.change(2, 1, other));
    REQUIRE(rig.evidence.size() == 1);
    CHECK(rig.evidence[0].first.kind == Kind::view_change);
}

TEST_CASE("a new view from beyond the own window is entered, and its slots voted for once it reaches them",
          "[pbft]") {
    Committees rig(4, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    const Height slot = kCheckpointInterval + kWindow;
    const BlockRef block = rig.block(slot, "far");
    NewView body;
    for (const ReplicaId id : {0, 1, 3}) {
        ViewChange change;
        change.stable = kCheckpointInterval;
        change.stable_proof = rig.checkpoint(kCheckpointInterval);
        change.prepared = {rig.prepared(0, slot, block->digest(), {1, 3})};
        body.changes.push_back({id, change, rig.change(id, 1, change).signature});
    }
    for (const auto& [at, digest] : pbft::plan(rig.committee, body.changes).values)
        body.proposals.push_back({at, digest, rig.sign(1, Kind::propose, 1, at, digest).signature});
    REQUIRE(body.proposals.size() == kWindow);
    rig.deliver(2, 1, signed_new_view(rig, 1, body));
    CHECK(rig.engine(2).status().view == 1);
    CHECK(rig.engine(2).status().active);
    rig.give(2, StableCheckpoint{rig.checkpoint(kCheckpointInterval)});
    const auto before = rig.sent[Kind::prepare];
    rig.give(2, ContentCame{block});
    CHECK(rig.sent[Kind::prepare] > before);
}

TEST_CASE("a flood of views and slots leaves memory bounded", "[pbft]") {
    Committees rig(4, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    const Hash256 digest = rig.block(1, "x")->digest();
    for (View view = 1; view < 2000; ++view) {
        for (const Height slot : {Height{1}, kWindow, kWindow + view, Height{1} << 60})
            rig.deliver(1, 2, rig.vote(2, Kind::prepare, view, slot, digest));
        rig.deliver(1, 2, rig.change(2, view, {}));
        rig.deliver(1, rig.committee.leader(view),
                    rig.propose(rig.committee.leader(view), view, rig.block(1, "x")));
    }
    CHECK(rig.nodes[1]->disk.empty());
    CHECK(rig.engine(1).status().view == 0);
    CHECK(rig.engine(1).content(1, digest) == nullptr);
    CHECK(rig.evidence.empty());
    // Its own votes alone are displaced: the others still decide.
    rig.passes = nullptr;
    rig.want(3);
    CHECK(rig.run(seconds(3), [&] { return rig.all_decided(3); }));
}

TEST_CASE("a replica that lost its memory waits for a later view and goes along with it", "[pbft]") {
    Committees rig(4);
    rig.start();
    rig.want(2);
    REQUIRE(rig.run(seconds(1), [&] { return rig.all_decided(2); }));
    rig.crash(3);
    rig.nodes[3]->disk.clear();
    EngineOptions options = rig.options(3);
    options.earliest_view = 1;
    auto made = pbft::make_pbft(options, {});
    REQUIRE(made);
    rig.nodes[3]->engine = std::move(*made);
    rig.give(3, EngineStart{});
    rig.give(3, DecidedElsewhere{2});
    CHECK_FALSE(rig.engine(3).status().active);
    rig.crash(0);
    const auto before = rig.time();
    rig.want(4);
    CHECK(rig.run(seconds(20), [&] { return rig.all_decided(4); }));
    CHECK(rig.time() > before);
    CHECK(rig.engine(3).status().active);
    CHECK(rig.engine(3).status().view >= 1);
}

TEST_CASE("a replica that lost its memory enters the others' view without a change of views", "[pbft]") {
    Committees rig(4);
    rig.start();
    for (std::size_t at = 0; at < 4; ++at)
        rig.give(at, SuspectLeader{});
    rig.want(2);
    REQUIRE(rig.run(seconds(2), [&] { return rig.all_decided(2); }));
    rig.crash(3);
    EngineOptions options = rig.options(3);
    options.earliest_view = 1;
    auto made = pbft::make_pbft(options, {});
    REQUIRE(made);
    rig.nodes[3]->disk.clear();
    rig.nodes[3]->engine = std::move(*made);
    rig.give(3, EngineStart{});
    CHECK(rig.run(seconds(3), [&] { return rig.engine(3).status().active; }));
    CHECK(rig.engine(3).status().view == 1);
    rig.crash(0);
    rig.want(4);
    CHECK(rig.run(milliseconds(400), [&] { return rig.all_decided(4); }));
}
