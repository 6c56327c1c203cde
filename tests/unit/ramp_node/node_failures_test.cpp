#include "actors/ramp/node_failures.hpp"

#include <catch2/catch.hpp>

namespace dwcp::ramp {
namespace {

NodeReport report(const NodeName& node, Incarnation life, std::uint64_t failing = 0) {
    NodeReport report;
    report.node = node;
    report.incarnation = life;
    report.total.checks = 5;
    report.total.checks_failing = failing;
    return report;
}

} // namespace

TEST_CASE("a node that was silent and is well again has recovered") {
    NodeFailures failures;
    failures.look({1000, {report("a", 1), report("b", 1)}, {}});
    failures.look({2000, {report("a", 1)}, {"b"}});
    CHECK_FALSE(failures.result().done);
    CHECK(failures.result().detail == "b is gone");
    failures.look({3000, {report("a", 1), report("b", 2, 1)}, {}}); // back, and not well yet
    CHECK_FALSE(failures.result().done);
    failures.look({4000, {report("a", 1), report("b", 2)}, {}});
    CHECK(failures.result().done);
    CHECK(failures.result().ok);
    CHECK(failures.result().took_ms == 3000); // since it was last well
}

TEST_CASE("a node that came back between two looks is known by its new life") {
    NodeFailures failures;
    failures.look({1000, {report("b", 1)}, {}});
    failures.look({2000, {report("b", 2)}, {}});
    CHECK(failures.result().ok);
    CHECK(failures.result().took_ms == 1000);
}

TEST_CASE("a failing check alone is no failure of a node, and a new node no recovery") {
    NodeFailures failures;
    failures.look({1000, {report("b", 1)}, {}});
    failures.look({2000, {report("b", 1, 2)}, {}});
    failures.look({3000, {report("b", 1), report("c", 7)}, {}});
    CHECK_FALSE(failures.result().done);
    CHECK(failures.result().detail == "no node has failed during this ramp yet");
}

TEST_CASE("a node that was gone when the host began counts when it comes") {
    NodeFailures failures;
    failures.look({1000, {report("b", 1)}, {"a"}});
    failures.look({2500, {report("b", 1), report("a", 4)}, {}});
    CHECK(failures.result().ok);
    CHECK(failures.result().took_ms == 1500);
}

} // namespace dwcp::ramp
