#include "tests/unit/probft/rig.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::probft::test;
using std::chrono::seconds;

/// Two blocks that the leader of view 0 signs for slot 1.
struct TwoValues {
    explicit TwoValues(const Committees& rig) : first(rig.block(1, "one")), second(rig.block(1, "other")) {}
    BlockRef first;
    BlockRef second;
};

/// The liars vote for both values, to everybody.
void vote_for_both(Committees& rig, const std::vector<ReplicaId>& liars, const TwoValues& values) {
    for (const auto liar : liars)
        for (const auto kind : {Kind::prepare, Kind::commit})
            for (const auto& block : {values.first, values.second})
                for (std::size_t to = 0; to < rig.nodes.size(); ++to)
                    if (rig.nodes[to]->honest)
                        rig.deliver(to, liar, rig.vote(liar, kind, 0, 1, block->digest()));
}

void split(const std::vector<ReplicaId>& liars, std::uint32_t mask) {
    Committees rig(7, {.seed = mask + 1, .delay_max = milliseconds(20)});
    rig.start();
    for (const auto liar : liars) {
        rig.nodes[liar]->honest = false;
        rig.crash(liar);
    }
    const TwoValues values(rig);
    bool both[2] = {false, false};
    std::uint32_t at = 0;
    for (std::size_t to = 0; to < 7; ++to) {
        if (!rig.nodes[to]->honest) continue;
        const bool second = (mask >> at++ & 1) != 0;
        both[second] = true;
        rig.deliver(to, 0, rig.propose(0, 0, second ? values.second : values.first));
    }
    const bool shown = (both[0] && both[1]) || liars.size() > 1;
    if (shown) vote_for_both(rig, liars, values);
    rig.want(2);
    INFO("mask " << mask << ", liars " << liars.size());
    CHECK(rig.run(seconds(60), [&] { return rig.all_decided(2); })); // the rig holds agreement
    CHECK(rig.evidence.empty() != shown);
    for (const auto& proof : rig.evidence) {
        CHECK((proof.first.signer == 0 || proof.first.signer == 6));
        if (proof.first.kind == Kind::propose) CHECK(proof.first.signer == 0);
    }
    if (shown) {
        CHECK(rig.accusations > 0);
        for (const auto& node : rig.nodes)
            if (node->honest) CHECK(node->engine->status().view > 0);
    }
}

} // namespace

TEST_CASE("a leader that signs two values splits n = 7 in no way, and is convicted", "[probft]") {
    for (std::uint32_t mask = 0; mask < 64; ++mask)
        split({0}, mask);
}

TEST_CASE("nor does it with a second liar that votes for both", "[probft]") {
    for (std::uint32_t mask = 0; mask < 32; ++mask)
        split({0, 6}, mask);
}

TEST_CASE("whoever is shown two values of a leader votes and decides no more in its view", "[probft]") {
    Committees rig(7, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    const TwoValues values(rig);
    rig.deliver(3, 0, rig.propose(0, 0, values.first));
    REQUIRE(rig.sent[Kind::prepare] == 6);
    const auto first = rig.propose(0, 0, values.first);
    const auto second = rig.propose(0, 0, values.second);
    rig.hear(3, 5, Accuse{{first.statement, first.signature, second.statement, second.signature}});
    CHECK_FALSE(rig.engine(3).status().active);
    CHECK(rig.accusations == 6); // it tells the others
    CHECK(rig.sent[Kind::wish] == 6);
    CHECK(rig.evidence.size() == 1);
    for (const ReplicaId id : {1, 2, 4, 5, 6})
        for (const auto kind : {Kind::prepare, Kind::commit})
            rig.deliver(3, id, rig.vote(id, kind, 0, 1, values.first->digest()));
    CHECK(rig.sent[Kind::commit] == 0);
    CHECK(rig.agreed.empty());
    rig.crash(3);
    rig.restart(3);
    CHECK_FALSE(rig.engine(3).status().active);
    CHECK(rig.engine(3).status().note.find("signed two values") != std::string::npos);
}

TEST_CASE("a value that a vote carries convicts as well as a proposal, and is known without one",
          "[probft]") {
    Committees rig(7, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    const TwoValues values(rig);
    rig.deliver(3, 1, rig.vote(1, Kind::prepare, 0, 1, values.first->digest()));
    CHECK(rig.engine(3).status().active);
    rig.deliver(3, 2, rig.vote(2, Kind::prepare, 0, 1, values.second->digest()));
    CHECK_FALSE(rig.engine(3).status().active);
    CHECK(rig.evidence.size() == 1);
}

TEST_CASE("a replica that never got the proposal fetches the block that others vote for", "[probft]") {
    Committees rig(7);
    rig.start();
    rig.passes = [](std::size_t, std::size_t to, const Message& message) {
        const auto* said = std::get_if<Signed>(&message.body);
        return to != 5 || !said || said->statement.kind != Kind::propose;
    };
    rig.want(1);
    CHECK(rig.run(seconds(2), [&] { return rig.all_decided(1); }));
    CHECK(rig.fetched > 0);
    CHECK(rig.views_failed == 0);
}

TEST_CASE("a replica that votes twice is shown once", "[probft]") {
    Committees rig(7, {.hellos = false});
    rig.start();
    rig.passes = [](auto, auto, const auto&) { return false; };
    const auto mine = rig.block(1, "mine");
    rig.deliver(3, 0, rig.propose(0, 0, mine));
    // Only together with its leader can it: the value travels in the vote.
    rig.deliver(3, 2, rig.vote(2, Kind::prepare, 0, 1, mine->digest()));
    rig.deliver(3, 2, rig.vote(2, Kind::prepare, 0, 1, rig.block(1, "other")->digest()));
    CHECK(rig.evidence.size() == 1);
    CHECK(rig.evidence.front().first.signer == 0);
}
