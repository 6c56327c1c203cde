#include "actors/allocator/least_allocated.hpp"
#include "protocols/base/random.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <limits>
#include <set>

using namespace dwcp;
using namespace dwcp::allocator;

namespace {

using Names = std::vector<NodeName>;

Node up(NodeName name, std::string site, std::uint64_t capacity_bytes, std::uint64_t used_bytes) {
    return {std::move(name), std::move(site), capacity_bytes, used_bytes, true, false};
}

Node down(Node node) {
    node.up = false;
    return node;
}

Node draining(Node node) {
    node.draining = true;
    return node;
}

} // namespace

TEST_CASE("replicas go to distinct sites, the emptiest nodes first") {
    struct Row {
        const char* what;
        std::vector<Node> nodes;
        Request request;
        Names expected;
    };
    const Row rows[] = {
        {"the most free share wins",
         {up("a", "x", 100, 50), up("b", "y", 100, 20), up("c", "z", 100, 30)},
         {10, 2, ""},
         {"b", "c"}},
        {"share counts, not bytes", {up("a", "x", 1000, 500), up("b", "y", 100, 20)}, {10, 1, ""}, {"b"}},
        {"the placement itself counts", {up("a", "x", 20, 0), up("b", "y", 1000, 100)}, {10, 1, ""}, {"b"}},
        {"one node a site",
         {up("a1", "x", 100, 0), up("a2", "x", 100, 1), up("b", "y", 100, 90)},
         {5, 2, ""},
         {"a1", "b"}},
        {"ties go to the ingest node",
         {up("a", "x", 100, 0), up("b", "y", 100, 0), up("c", "z", 100, 0)},
         {10, 2, "c"},
         {"c", "a"}},
        {"less than a point apart is a tie",
         {up("a", "x", 1000, 1), up("b", "y", 1000, 9)},
         {0, 1, "b"},
         {"b"}},
        {"the ingest node does not win over an emptier one",
         {up("a", "x", 100, 0), up("b", "y", 100, 50)},
         {10, 1, "b"},
         {"a"}},
        {"other ties go by name", {up("b", "y", 100, 0), up("a", "x", 100, 0)}, {10, 1, ""}, {"a"}},
        {"down and draining nodes take nothing",
         {down(up("a", "x", 100, 0)), draining(up("b", "y", 100, 0)), up("c", "z", 100, 80)},
         {20, 1, "a"},
         {"c"}},
        {"a site's second node stands in for its first",
         {down(up("a1", "x", 100, 0)), up("a2", "x", 100, 70), up("b", "y", 100, 0)},
         {10, 2, ""},
         {"b", "a2"}},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        const auto placement = place(row.nodes, row.request);
        REQUIRE(placement);
        CHECK(placement->nodes == row.expected);
    }
}

TEST_CASE("a placement that is impossible names the constraint and the node") {
    struct Row {
        std::vector<Node> nodes;
        Request request;
        Errc code;
        std::string message;
        std::string remedy;
    };
    const Row rows[] = {
        {{up("a", "x", 9, 0)},
         {1, 0, ""},
         Errc::invalid_argument,
         "a placement of 0 replicas stores nothing",
         "ask for at least 1 replica"},
        {{},
         {1, 1, ""},
         Errc::precondition_failed,
         "needs 1 distinct sites, the cluster has 0",
         "add a site"},
        {{up("a1", "x", 9, 0), up("a2", "x", 9, 0)},
         {1, 2, ""},
         Errc::precondition_failed,
         "needs 2 distinct sites, the cluster has 1",
         "add a site, or ask for at most 1 replica"},
        {{up("a", "x", 9, 0), up("b", "y", 9, 0), down(up("c", "z", 9, 0))},
         {1, 3, ""},
         Errc::unavailable,
         "needs 3 distinct sites, only 2 are up: c at z is down",
         "bring a node back, or ask for at most 2 replicas"},
        {{up("a", "x", 9, 4), draining(up("b", "y", 9, 0)), up("c", "z", 9, 9)},
         {5, 3, ""},
         Errc::unavailable,
         "needs 3 distinct sites, only 2 are up: b at y is draining, c at z has 0 of 9 bytes free",
         "bring a node back, or ask for at most 1 replica"},
        {{up("a", "x", 9, 4), up("b", "y", 9, 5), up("c", "z", 9, 10)},
         {5, 2, ""},
         Errc::resource_exhausted,
         "needs 2 distinct sites, only 1 have space for 5 bytes: b at y has 4 of 9 bytes free, "
         "c at z has 0 of 9 bytes free",
         "free or add capacity, or ask for at most 1 replica"},
        {{up("a", "x", 9, 9), up("b", "y", 9, 9)},
         {5, 1, ""},
         Errc::resource_exhausted,
         "needs 1 distinct sites, only 0 have space for 5 bytes: a at x has 0 of 9 bytes free, "
         "b at y has 0 of 9 bytes free",
         "free or add capacity"},
    };
    for (const Row& row : rows) {
        const auto placement = place(row.nodes, row.request);
        REQUIRE_FALSE(placement);
        CHECK(placement.error().code == row.code);
        CHECK(placement.error().message == row.message);
        CHECK(placement.error().remedy == row.remedy);
    }
}

TEST_CASE("an error of a large cluster names a few nodes and counts the rest") {
    std::vector<Node> nodes;
    for (int i = 0; i < 20; ++i)
        nodes.push_back(down(up(std::to_string(i), std::to_string(i), 9, 0)));
    const auto placement = place(nodes, {1, 1, ""});
    REQUIRE_FALSE(placement);
    CHECK(placement.error().message.ends_with(" and 12 more"));
}

TEST_CASE("explain gives every node its score or the constraint that rules it out") {
    const std::vector<Node> nodes{down(up("d", "w", 100, 0)), up("a", "x", 100, 33), up("b", "y", 100, 95)};
    const auto verdicts = explain(nodes, {10, 1, ""});
    REQUIRE(verdicts.size() == 3);
    CHECK(verdicts[0].name == "a");
    CHECK(verdicts[0].site == "x");
    CHECK(verdicts[0].score == 57U);
    CHECK(verdicts[0].reason == "would have 57 of 100 bytes free");
    CHECK(verdicts[1].name == "b");
    CHECK_FALSE(verdicts[1].score);
    CHECK(verdicts[1].reason == "has 5 of 100 bytes free");
    CHECK(verdicts[2].reason == "is down");
}

TEST_CASE("scores of the largest numbers do not overflow") {
    constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
    CHECK(explain(std::vector{up("a", "x", kMax, 0)}, {0, 1, ""})[0].score == 100U);
    CHECK(explain(std::vector{up("a", "x", kMax, kMax / 2)}, {0, 1, ""})[0].score == 50U);
    CHECK_FALSE(explain(std::vector{up("a", "x", kMax, 1)}, {kMax, 1, ""})[0].score);
}

TEST_CASE("placements equal the best one found by trying every set of nodes") {
    Random random(test::seed());
    CAPTURE(test::seed());
    for (int round = 0; round < 3000; ++round) {
        std::vector<Node> nodes;
        for (std::uint64_t i = 0, count = random.below(8); i < count; ++i) {
            const std::uint64_t capacity_bytes = random.below(200);
            nodes.push_back({std::string(1, static_cast<char>('a' + i)), std::to_string(random.below(4)),
                             capacity_bytes, random.below(capacity_bytes + 10), random.below(6) != 0,
                             random.below(6) == 0});
        }
        const Request request{random.below(40), 1 + static_cast<std::uint32_t>(random.below(4)), "b"};
        const auto free = [](const Node& node) {
            return node.capacity_bytes - std::min(node.used_bytes, node.capacity_bytes);
        };
        const auto fits = [&](const Node& node) {
            return node.up && !node.draining && node.capacity_bytes > 0 && request.bytes <= free(node);
        };
        const auto points = [&](const Node& node) {
            return 100 * (free(node) - request.bytes) / node.capacity_bytes;
        };

        std::int64_t best = -1;
        for (unsigned set = 0; set < 1U << nodes.size(); ++set) {
            if (static_cast<std::uint32_t>(std::popcount(set)) != request.replicas) continue;
            std::set<std::string> sites;
            std::int64_t total = 0;
            bool possible = true;
            for (std::size_t i = 0; i < nodes.size(); ++i) {
                if ((set >> i & 1U) == 0) continue;
                possible = possible && fits(nodes[i]) && sites.insert(nodes[i].site).second;
                if (possible) total += static_cast<std::int64_t>(points(nodes[i]));
            }
            if (possible) best = std::max(best, total);
        }

        const auto placement = place(nodes, request);
        REQUIRE(placement.has_value() == (best >= 0));
        if (!placement) continue;
        std::set<std::string> sites;
        std::int64_t total = 0;
        for (const NodeName& name : placement->nodes) {
            const auto node = std::ranges::find(nodes, name, &Node::name);
            REQUIRE(fits(*node));
            REQUIRE(sites.insert(node->site).second);
            total += static_cast<std::int64_t>(points(*node));
        }
        REQUIRE(placement->nodes.size() == request.replicas);
        REQUIRE(total == best);

        std::ranges::reverse(nodes);
        REQUIRE(place(nodes, request)->nodes == placement->nodes);
    }
}
