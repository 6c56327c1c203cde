#include "protocols/probft/safe_proposal.hpp"
#include "tests/unit/probft/rig.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::probft::test;
using std::chrono::seconds;

const std::vector<ReplicaId> kFive{0, 1, 2, 3, 4};

SignedViewChange word(const Committees& rig, ReplicaId replica, View view, ViewChange change) {
    const auto said = rig.change(replica, view, change);
    return {replica, std::move(change), said.signature};
}
ViewChange with(std::vector<Certificate> prepared) {
    return {.stable = 0, .stable_proof = {}, .prepared = std::move(prepared)};
}
Certificate of(const Committees& rig, ReplicaId reporter, View view, Height slot, const BlockRef& block) {
    return rig.prepared(view, slot, block->digest(), kFive, reporter);
}
bool sound(const Committees& rig, View view, const SignedViewChange& change) {
    return probft::sound(rig.committee, sample_sizes(rig.committee).quorum, view, change);
}
bool sound(const Committees& rig, View view, const NewView& new_view) {
    return probft::sound(rig.committee, sample_sizes(rig.committee).quorum, view, new_view);
}
/// Words of replicas 1 .. 5 for `view`, replica i with what `reports` has for it, and what they demand.
NewView new_view(const Committees& rig, View view,
                 const std::map<ReplicaId, std::vector<Certificate>>& reports) {
    NewView out;
    for (ReplicaId id = 1; id <= 5; ++id) {
        const auto it = reports.find(id);
        out.changes.push_back(
            word(rig, id, view, with(it == reports.end() ? std::vector<Certificate>{} : it->second)));
    }
    for (const auto& [slot, digest] : probft::safe_proposals(rig.committee, out.changes).digests)
        out.proposals.push_back(
            {slot, digest,
             rig.sign(rig.committee.leader(view), Kind::propose, view, slot, digest).signature});
    return out;
}
Signed said(const Committees& rig, View view, NewView body) {
    Signed out = rig.sign(rig.committee.leader(view), Kind::new_view, view, 0, digest_of(body));
    out.body = std::move(body);
    return out;
}

} // namespace

TEST_CASE("a silent leader costs a view", "[probft]") {
    const std::size_t n = GENERATE(4, 7, 10);
    Committees rig(n);
    rig.start();
    rig.crash(0);
    rig.want(5);
    CHECK(rig.run(seconds(5), [&] { return rig.all_decided(5); }));
    CHECK(rig.engine(1).status().view == 1);
    CHECK(rig.all_in_view(1));
    CHECK(rig.views_failed == n - 1);
}

TEST_CASE("f silent leaders one after the other are passed", "[probft]") {
    Committees rig(7);
    rig.start();
    rig.crash(0);
    rig.crash(1);
    rig.want(3);
    CHECK(rig.run(seconds(20), [&] { return rig.all_decided(3); }));
    CHECK(rig.engine(2).status().view == 2);
}

TEST_CASE("without work nobody is suspected in ProBFT", "[probft]") {
    Committees rig(7);
    rig.start();
    rig.crash(0);
    rig.run(seconds(100));
    CHECK(rig.views_failed == 0);
}

TEST_CASE("f + 1 wishes are joined, a quorum of them moves, and fewer do nothing", "[probft]") {
    Committees rig(7, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    const auto wish = [&](ReplicaId from, View view) {
        auto wished = rig.sign(from, Kind::wish, view, 0, {});
        wished.body = Wish{};
        rig.deliver(6, from, wished);
    };
    wish(0, 9);
    wish(1, 4);
    CHECK(rig.sent[Kind::wish] == 0);
    wish(2, 3);
    CHECK(rig.sent[Kind::wish] == 6); // for view 3, which f + 1 want
    CHECK(rig.engine(6).status().view == 0);
    wish(3, 3);
    CHECK(rig.engine(6).status().view == 3);
    CHECK_FALSE(rig.engine(6).status().active);
    CHECK(rig.sent[Kind::view_change] == 1);
}

TEST_CASE("what was prepared survives the view change, and gaps are filled", "[probft]") {
    Committees rig(7);
    rig.start();
    rig.passes = [](auto, auto, const Message& message) {
        const auto* what = std::get_if<Signed>(&message.body);
        return !what || what->statement.view > 0 ||
               (what->statement.kind != Kind::commit && what->statement.slot != 2);
    };
    const BlockRef first = rig.block(1, "first");
    const BlockRef third = rig.block(3, "third");
    rig.give(0, ProposeBlock{first});
    rig.give(0, ProposeBlock{rig.block(2, "second")});
    rig.give(0, ProposeBlock{third});
    rig.run(milliseconds(50));
    rig.crash(0);
    rig.want(3);
    CHECK(rig.run(seconds(5), [&] { return rig.all_decided(3); }));
    CHECK(rig.agreed.at(1) == first->digest());
    CHECK(rig.agreed.at(2) == Block::empty(1, 2).digest());
    CHECK(rig.agreed.at(3) == third->digest());
}

TEST_CASE("the value of the highest view is safe, and among several of it the one reported most",
          "[probft]") {
    Committees rig(7);
    const auto a = rig.block(1, "a");
    const auto b = rig.block(1, "b");
    const auto c = rig.block(1, "c");
    const auto safe = [&](const std::map<ReplicaId, std::vector<Certificate>>& reports) {
        return probft::safe_proposals(rig.committee, new_view(rig, 3, reports).changes).digests.at(1);
    };
    CHECK(safe({{1, {of(rig, 1, 0, 1, a)}}, {2, {of(rig, 2, 2, 1, b)}}, {3, {of(rig, 3, 0, 1, a)}}}) ==
          b->digest());
    CHECK(safe({{1, {of(rig, 1, 2, 1, a)}}, {2, {of(rig, 2, 2, 1, b)}}, {3, {of(rig, 3, 2, 1, a)}}}) ==
          a->digest());
    CHECK(safe({{1, {of(rig, 1, 1, 1, a)}}, {2, {of(rig, 2, 1, 1, c)}}}) ==
          std::min(a->digest(), c->digest()));
    const auto nothing = new_view(rig, 3, {});
    CHECK(probft::safe_proposals(rig.committee, nothing.changes).digests.empty());
    CHECK(probft::safe_proposals(rig.committee, nothing.changes).upto() == 0);
}

TEST_CASE("words of replicas that lie are not sound", "[probft]") {
    Committees rig(7);
    const auto block = rig.block(1, "block");
    const auto two = rig.block(2, "two");
    const auto good = of(rig, 4, 1, 1, block);
    REQUIRE(sound(rig, 3, word(rig, 4, 3, with({good, of(rig, 4, 0, 2, two)}))));

    const auto lies = [&](auto change) {
        auto lie = good;
        change(lie);
        return !sound(rig, 3, word(rig, 4, 3, with({lie})));
    };
    CHECK(lies([](Certificate& lie) { lie.recipient = 5; }));    // another's certificate
    CHECK(lies([](Certificate& lie) { lie.votes.pop_back(); })); // q - 1
    CHECK(lies([](Certificate& lie) { lie.view = 3; }));
    CHECK(lies([](Certificate& lie) { lie.epoch = 2; }));
    CHECK(lies([](Certificate& lie) { lie.kind = Kind::commit; }));
    CHECK(lies([](Certificate& lie) { lie.slot = kWindow + 1; }));
    CHECK(lies([](Certificate& lie) { lie.slot = 0; }));
    CHECK(lies([](Certificate& lie) { lie.leader_signature.reset(); }));
    CHECK_FALSE(sound(rig, 3, word(rig, 4, 3, with({good, good})))); // twice
    ViewChange stable;
    stable.stable = 64;
    CHECK_FALSE(sound(rig, 3, word(rig, 4, 3, stable))); // without proof
    stable.stable_proof = rig.checkpoint(64);
    CHECK(sound(rig, 3, word(rig, 4, 3, stable)));
    stable.stable_proof.votes.pop_back();
    CHECK_FALSE(sound(rig, 3, word(rig, 4, 3, stable)));
}

TEST_CASE("a new view needs the deterministic quorum of words, and exactly what they demand", "[probft]") {
    Committees rig(7);
    const auto block = rig.block(1, "block");
    const auto good = new_view(rig, 1, {{2, {of(rig, 2, 0, 1, block)}}});
    REQUIRE(good.proposals.size() == 1);
    REQUIRE(sound(rig, 1, good));
    auto few = good;
    few.changes.pop_back();
    CHECK_FALSE(sound(rig, 1, few));
    auto doubled = good;
    doubled.changes[4] = doubled.changes[3];
    CHECK_FALSE(sound(rig, 1, doubled));
    auto omitted = good;
    omitted.proposals.clear();
    CHECK_FALSE(sound(rig, 1, omitted));
    auto other = good;
    other.proposals[0].digest = rig.block(1, "other")->digest();
    CHECK_FALSE(sound(rig, 1, other));
    auto more = good;
    more.proposals.push_back({2, Block::empty(1, 2).digest(), {}});
    CHECK_FALSE(sound(rig, 1, more));
}

TEST_CASE("a new leader that omits what was prepared is passed, and the value stays", "[probft]") {
    Committees rig(7, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const Message& message) {
        const auto* what = std::get_if<Signed>(&message.body);
        return !what || what->statement.view > 0 || what->statement.kind != Kind::commit;
    };
    const auto block = rig.block(1, "prepared");
    rig.give(0, ProposeBlock{block});
    rig.run(milliseconds(20));
    rig.crash(0);
    rig.nodes[1]->honest = false;
    rig.crash(1); // leads view 1, and lies
    for (const std::size_t at : {2, 3, 4, 5, 6})
        rig.give(at, SuspectLeader{});
    rig.run(milliseconds(5));
    REQUIRE(rig.engine(4).status().view == 1);
    auto lie = new_view(rig, 1, {{2, {of(rig, 2, 0, 1, block)}}});
    lie.proposals[0].digest = rig.block(1, "lie")->digest();
    lie.proposals[0].signature = rig.sign(1, Kind::propose, 1, 1, lie.proposals[0].digest).signature;
    rig.deliver(4, 1, said(rig, 1, lie));
    CHECK_FALSE(rig.engine(4).status().active);
    CHECK(rig.invalid == 1);
    rig.want(2);
    CHECK(rig.run(seconds(20), [&] { return rig.all_decided(2); }));
    CHECK(rig.agreed.at(1) == block->digest());
}

TEST_CASE("a leader that signs another value than it had to propose again is convicted", "[probft]") {
    Committees rig(7, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    const auto block = rig.block(1, "prepared");
    rig.deliver(4, 1, said(rig, 1, new_view(rig, 1, {{2, {of(rig, 2, 0, 1, block)}}})));
    CHECK(rig.engine(4).status().active);
    CHECK(rig.engine(4).status().view == 1); // most are there
    rig.deliver(4, 1, rig.propose(1, 1, rig.block(1, "other")));
    CHECK_FALSE(rig.engine(4).status().active);
    CHECK(rig.evidence.size() == 1);
}

TEST_CASE("a replica that lost its memory waits in its view for a new view of the others", "[probft]") {
    Rules rules{.hellos = false};
    rules.tune = [](EngineOptions& options) {
        if (options.self == 4) options.earliest_view = 1;
    };
    Committees rig(7, rules);
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    CHECK(rig.engine(4).status().view == 1);
    CHECK_FALSE(rig.engine(4).status().active);
    CHECK(rig.sent[Kind::view_change] == 0);
    rig.deliver(4, 0, rig.propose(0, 0, rig.block(1, "old")));
    CHECK(rig.sent[Kind::prepare] == 0);
    rig.deliver(4, 1, said(rig, 1, new_view(rig, 1, {})));
    CHECK(rig.engine(4).status().active);
    rig.crash(4);
    rig.restart(4);
    CHECK(rig.engine(4).status().active);
}
