#include "protocols/ramp/history.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::ramp;

namespace {

Observation look(UnixMillis at_ms, std::uint64_t failures, Incarnation incarnation = 1,
                 std::uint64_t seq = 1) {
    NodeReport node;
    node.node = "site-a";
    node.incarnation = incarnation;
    node.seq = seq;
    node.total.consensus_failures = failures;
    return {at_ms, {node}, {}};
}

} // namespace

TEST_CASE("each look has the consensus failures that are new since the one before") {
    History history;
    history.add(look(1'000, 2));
    history.add(look(2'000, 2));
    history.add(look(3'000, 5));
    REQUIRE(history.glances().size() == 3);
    CHECK(history.glances()[0].consensus_failures == 2);
    CHECK(history.glances()[1].consensus_failures == 0);
    CHECK(history.glances()[2].consensus_failures == 3);
}

TEST_CASE("a node that began anew counts from zero: none of its failures is lost, none is counted twice") {
    History history;
    history.add(look(1'000, 5));
    history.add(look(2'000, 7, 2));    // restarted, and already past the old count
    history.add(look(3'000, 1, 2, 2)); // a new window
    CHECK(history.glances()[1].consensus_failures == 7);
    CHECK(history.glances()[2].consensus_failures == 1);
}

TEST_CASE("old looks are forgotten, and there are never too many") {
    History history;
    for (int i = 0; i < 3'000; ++i)
        history.add(look(i, 0));
    CHECK(history.glances().size() == History::kGlancesMax);
    history.add(look(History::kKeptMs + 10'000, 0));
    CHECK(history.glances().size() == 1);
    history.clear();
    CHECK(history.glances().empty());
}

TEST_CASE("a clock that goes back does not turn the looks around") {
    History history;
    history.add(look(5'000, 0));
    history.add(look(4'000, 0));
    CHECK(history.glances().back().at_ms == 5'000);
}
