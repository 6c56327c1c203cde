// Each promise of the Workload state machine, one event at a time.
#include "actors/manager/workload.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace dwcp;
using namespace dwcp::manager;
using namespace std::chrono_literals;

namespace {

const std::vector<Hash256> kNothing;
const std::vector<Hash256> kOne{Hash256{{1}}};
const std::vector<Hash256> kTwo{Hash256{{1}}, Hash256{{2}}};

struct Case {
    explicit Case(std::vector<NodeName> placement, WorkloadTiming timing = {50ms, 1s, 5s})
        : workload("a", std::move(placement), timing, 7) {}

    Workload workload;
    TimePoint now{1000s};

    TimePoint later(Duration time) { return now += time; }
};

template<class T>
std::vector<T> all(const Actions& actions) {
    std::vector<T> found;
    for (const auto& action : actions) {
        if (const auto* one = std::get_if<T>(&action)) found.push_back(*one);
    }
    return found;
}

template<class T>
T only(const Actions& actions) {
    REQUIRE(actions.size() == 1);
    REQUIRE(std::holds_alternative<T>(actions[0]));
    return std::get<T>(actions[0]);
}

std::vector<NodeName> asked(const Actions& actions) {
    std::vector<NodeName> peers;
    for (const auto& ask : all<ConfirmReplica>(actions))
        peers.push_back(ask.peer);
    return peers;
}

using Names = std::vector<NodeName>;

} // namespace

TEST_CASE("a workload that is placed here only, or nowhere, commits at once") {
    for (const Names& placement : {Names{"a"}, Names{}}) {
        Case c(placement);
        only<CommitManifest>(c.workload.start(c.now));
        CHECK(c.workload.phase() == Workload::Phase::committing);
        CHECK(c.workload.committed().empty());
        CHECK(c.workload.phase() == Workload::Phase::done);
    }
}

TEST_CASE("every replica but this node is asked, and the commit waits for all of them") {
    Case c({"a", "b", "c"});
    CHECK(asked(c.workload.start(c.now)) == Names{"b", "c"});
    CHECK(c.workload.confirmed("c", kNothing, c.now).empty());
    CHECK(c.workload.phase() == Workload::Phase::replicating);
    only<CommitManifest>(c.workload.confirmed("b", kNothing, c.now));
}

TEST_CASE("a replica gets exactly the blocks that it lacks, and is asked again") {
    Case c({"a", "b"});
    c.workload.start(c.now);
    const auto ship = only<ShipBlocks>(c.workload.confirmed("b", kTwo, c.now));
    CHECK(ship.peer == "b");
    CHECK(ship.hashes == kTwo);
    CHECK(only<ConfirmReplica>(c.workload.shipped("b", c.now)).peer == "b");
    CHECK(only<ShipBlocks>(c.workload.confirmed("b", kOne, c.now)).hashes == kOne);
    c.workload.shipped("b", c.now);
    only<CommitManifest>(c.workload.confirmed("b", kNothing, c.now));
}

TEST_CASE("a replica that fails is retried with a growing pause") {
    Case c({"a", "b"});
    c.workload.start(c.now);
    Duration longest{};
    for (int failure = 0; failure < 8; ++failure) {
        const auto wake = only<WakeAt>(c.workload.peer_failed("b", c.now));
        const Duration pause = wake.when - c.now;
        const auto full = std::min<Duration>(50ms * (1 << failure), 1s);
        CHECK(pause >= full / 2);
        CHECK(pause <= full);
        CHECK(c.workload.tick(wake.when - 1ns).empty());
        c.now = wake.when;
        longest = std::max(longest, pause);
        const auto actions = c.workload.tick(c.now);
        CHECK(asked(actions) == Names{"b"});
        if (!all<Reroute>(actions).empty()) c.workload.reroute_failed(c.now);
    }
    CHECK(longest >= 500ms);
    only<CommitManifest>(c.workload.confirmed("b", kNothing, c.now));
}

TEST_CASE("progress ends the pause's growth") {
    Case c({"a", "b"});
    c.workload.start(c.now);
    for (int failure = 0; failure < 4; ++failure) {
        c.now = only<WakeAt>(c.workload.peer_failed("b", c.now)).when;
        c.workload.tick(c.now);
    }
    c.workload.confirmed("b", kTwo, c.now);
    CHECK(only<WakeAt>(c.workload.peer_failed("b", c.now)).when - c.now <= 50ms);
}

TEST_CASE("a replica that takes blocks and loses them is not sent them without a pause") {
    Case c({"a", "b"});
    c.workload.start(c.now);
    only<ShipBlocks>(c.workload.confirmed("b", kTwo, c.now));
    only<ConfirmReplica>(c.workload.shipped("b", c.now));
    const auto wake = only<WakeAt>(c.workload.confirmed("b", kTwo, c.now));
    CHECK(wake.when > c.now);
    CHECK(asked(c.workload.tick(wake.when)) == Names{"b"});
    only<ShipBlocks>(c.workload.confirmed("b", kTwo, wake.when));
}

TEST_CASE("a replica that stays away is replaced, and the new placement is journaled before it is asked") {
    Case c({"a", "b", "c"});
    c.workload.start(c.now);
    c.workload.confirmed("c", kNothing, c.now);
    const auto since = c.now;
    Actions actions;
    while (all<Reroute>(actions).empty()) {
        REQUIRE(c.now - since < 10s);
        c.now = only<WakeAt>(c.workload.peer_failed("b", c.now)).when;
        actions = c.workload.tick(c.now);
    }
    CHECK(c.now - since >= 5s);
    CHECK(all<Reroute>(actions)[0].away == "b");

    const auto rerouted = c.workload.rerouted({"a", "c", "d"}, c.now);
    REQUIRE(rerouted.size() == 2);
    CHECK(std::holds_alternative<JournalPlacement>(rerouted[0]));
    CHECK(std::get<ConfirmReplica>(rerouted[1]).peer == "d"); // c is complete and is not asked again
    CHECK(c.workload.placement() == Names{"a", "c", "d"});
    only<CommitManifest>(c.workload.confirmed("d", kNothing, c.now));
}

TEST_CASE("a replica that answers but cannot keep its blocks is replaced too") {
    Case c({"a", "b"});
    c.workload.start(c.now);
    const auto since = c.now;
    Actions actions;
    while (all<Reroute>(actions).empty()) {
        REQUIRE(c.now - since < 10s);
        only<ShipBlocks>(
            c.workload.confirmed("b", kTwo, c.now)); // its disk is full: it answers, and takes nothing
        c.now = only<WakeAt>(c.workload.peer_failed("b", c.now)).when;
        actions = c.workload.tick(c.now);
    }
    CHECK(c.now - since >= 5s);
}

TEST_CASE("without another node the replica is retried on, and the allocator is asked now and then") {
    Case c({"a", "b"});
    c.workload.start(c.now);
    std::size_t reroutes = 0;
    const auto until = c.now + 60s;
    while (c.now < until) {
        c.now = only<WakeAt>(c.workload.peer_failed("b", c.now)).when;
        const auto actions = c.workload.tick(c.now);
        CHECK(asked(actions) == Names{"b"});
        if (all<Reroute>(actions).empty()) continue;
        ++reroutes;
        if (reroutes % 2 == 0)
            CHECK(c.workload.reroute_failed(c.now).empty());
        else
            CHECK(c.workload.rerouted({"a", "b"}, c.now).empty()); // no better idea: nothing to journal
    }
    CHECK(reroutes >= 8);
    CHECK(reroutes <= 12);
    only<CommitManifest>(c.workload.confirmed("b", kNothing, c.now));
}

TEST_CASE("while a replacement is sought nothing is committed") {
    Case c({"a", "b"}, {50ms, 1s, 0s});
    c.workload.start(c.now);
    c.now = only<WakeAt>(c.workload.peer_failed("b", c.now)).when;
    REQUIRE_FALSE(all<Reroute>(c.workload.tick(c.now)).empty());
    SECTION("the replica comes back and the search fails") {
        CHECK(c.workload.confirmed("b", kNothing, c.now).empty());
        only<CommitManifest>(c.workload.reroute_failed(c.now));
    }
    SECTION("the replica comes back and is replaced all the same") {
        CHECK(c.workload.confirmed("b", kNothing, c.now).empty());
        CHECK(asked(c.workload.rerouted({"a", "d"}, c.now)) == Names{"d"});
        only<CommitManifest>(c.workload.confirmed("d", kNothing, c.now));
    }
    SECTION("it is placed here alone") {
        const auto actions = c.workload.rerouted({"a"}, c.now);
        REQUIRE(actions.size() == 2);
        CHECK(std::holds_alternative<JournalPlacement>(actions[0]));
        CHECK(std::holds_alternative<CommitManifest>(actions[1]));
    }
}

TEST_CASE("a replica that was replaced while it was asked and is placed again is not asked twice at once") {
    Case c({"a", "b", "c"}, {50ms, 1s, 0s});
    c.workload.start(c.now);
    c.now = only<WakeAt>(c.workload.peer_failed("c", c.now)).when;
    c.workload.tick(c.now); // b and c are both asked, and a place instead of c is sought
    CHECK(asked(c.workload.rerouted({"a", "c", "d"}, c.now)) == Names{"d"}); // instead, b lost its place
    c.now = only<WakeAt>(c.workload.peer_failed("d", c.now)).when;
    c.workload.tick(c.now);
    CHECK(asked(c.workload.rerouted({"a", "b", "c"}, c.now)).empty()); // b's answer is still to come
    CHECK(c.workload.confirmed("b", kNothing, c.now).empty());
    only<CommitManifest>(c.workload.confirmed("c", kNothing, c.now));
}

TEST_CASE("the late answer of a replica that lost its place changes nothing") {
    Case c({"a", "b"}, {50ms, 1s, 0s});
    c.workload.start(c.now);
    c.now = only<WakeAt>(c.workload.peer_failed("b", c.now)).when;
    c.workload.tick(c.now);
    c.workload.rerouted({"a", "d"}, c.now);
    CHECK(c.workload.confirmed("b", kTwo, c.now).empty());
    CHECK(c.workload.confirmed("b", kNothing, c.now).empty());
    CHECK(c.workload.peer_failed("b", c.now).empty());
    CHECK(c.workload.peer_up("b", c.now).empty());
    only<CommitManifest>(c.workload.confirmed("d", kNothing, c.now));
}

TEST_CASE("a peer that comes up is tried at once") {
    Case c({"a", "b"});
    c.workload.start(c.now);
    CHECK(c.workload.peer_up("b", c.now).empty()); // asked already
    const auto wake = only<WakeAt>(c.workload.peer_failed("b", c.now));
    CHECK(c.workload.peer_up("stranger", c.now).empty());
    CHECK(only<ConfirmReplica>(c.workload.peer_up("b", c.now)).peer == "b");
    CHECK(c.workload.tick(wake.when).empty()); // the pause was cut short
}

TEST_CASE("a commit that fails is proposed again, once at a time") {
    Case c({"a"});
    c.workload.start(c.now);
    const auto wake = only<WakeAt>(c.workload.commit_failed(c.now));
    CHECK(c.workload.commit_failed(c.now).empty()); // reported twice
    CHECK(c.workload.tick(wake.when - 1ns).empty());
    only<CommitManifest>(c.workload.tick(wake.when));
    CHECK(c.workload.tick(wake.when).empty());
    only<WakeAt>(c.workload.commit_failed(wake.when));
    only<CommitManifest>(c.workload.peer_up("b", wake.when)); // there may be a quorum again
    CHECK(c.workload.peer_up("c", wake.when).empty());
    CHECK(c.workload.committed().empty());
}

TEST_CASE("events that come late, twice or from strangers are ignored") {
    Case c({"a", "b"});
    CHECK(c.workload.shipped("z", c.now).empty());
    c.workload.start(c.now);
    CHECK(c.workload.confirmed("z", kNothing, c.now).empty());
    CHECK(c.workload.peer_failed("z", c.now).empty());
    CHECK(c.workload.rerouted({"a", "z"}, c.now).empty());
    CHECK(c.workload.reroute_failed(c.now).empty());
    CHECK(c.workload.commit_failed(c.now).empty());
    CHECK(c.workload.placement() == Names{"a", "b"});
    only<CommitManifest>(c.workload.confirmed("b", kNothing, c.now));
    CHECK(c.workload.confirmed("b", kNothing, c.now).empty());
    CHECK(c.workload.confirmed("b", kTwo, c.now).empty());
    CHECK(c.workload.shipped("b", c.now).empty());
    CHECK(c.workload.peer_failed("b", c.now).empty());
    c.workload.committed();
    CHECK(c.workload.commit_failed(c.now).empty());
    CHECK(c.workload.peer_up("b", c.now).empty());
    CHECK(c.workload.tick(c.later(1h)).empty());
    CHECK(c.workload.phase() == Workload::Phase::done);
}

TEST_CASE("a workload whose answers are void asks every replica again that owed one") {
    Case c({"a", "b", "c"});
    CHECK(asked(c.workload.start(c.now)) == Names{"b", "c"});
    CHECK(only<ShipBlocks>(c.workload.confirmed("b", kOne, c.now)).peer == "b");
    CHECK(c.workload.confirmed("c", kNothing, c.now).empty());
    CHECK(asked(c.workload.ask_again(c.now)) == Names{"b"});
    only<CommitManifest>(c.workload.confirmed("b", kNothing, c.now));
    CHECK(c.workload.ask_again(c.now).empty());
}
