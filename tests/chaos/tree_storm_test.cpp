// Any actor of the tree is killed under load, supervisors among them, often again while it starts: each of
// these kills is one restart in the metrics, no more and no less, and the tree is whole afterwards.
#include "tests/chaos/load.hpp"

#include <iostream>
#include <random>

using namespace dwcp::testing;

namespace {

constexpr std::uint64_t kKillsDefault = 150;
constexpr std::size_t kClients = 3;
/// Before the first kill. Kills are fast: without these a node's caches are empty when its memory is first
/// read.
constexpr std::uint64_t kPutsToWarmUp = 600;
constexpr auto kWarmUpLimit = 60s;
/// Of a killed actor, with all below it, until it can be killed again.
constexpr auto kBackLimit = 20s;
constexpr auto kHealthyLimit = 20s;

struct Seen {
    std::uint64_t life = 0;
    std::string parent;
    std::string state;
};

std::map<std::string, Seen> tree_of(NodeClient& client) {
    std::map<std::string, Seen> tree;
    for (const auto& actor : actors_of(client))
        tree[actor.value("path", "")] = {actor.value("life", std::uint64_t{0}), actor.value("parent", ""),
                                         actor.value("state", "")};
    return tree;
}

std::uint64_t restarts_in_metrics(NodeClient& client) {
    double sum = 0;
    const Answer answer = client.get("/v1/metrics?grep=dwcp_supervisor_restarts_total&limit=1000");
    for (const auto& series : answer.json.value("series", nlohmann::json::array()))
        sum += series.value("value", 0.0);
    return static_cast<std::uint64_t>(sum);
}

/// Whether it, and whatever is below it, lives again after `before`: starting is enough, so that the next
/// kill may hit it there.
bool is_back(NodeClient& client, const std::map<std::string, Seen>& before, const std::string& path) {
    const auto now = tree_of(client);
    return std::ranges::all_of(before, [&](const auto& entry) {
        if (entry.first != path && entry.second.parent != path) return true;
        const auto found = now.find(entry.first);
        return found != now.end() && found->second.life > entry.second.life &&
               (found->second.state == "running" || found->second.state == "starting");
    });
}

} // namespace

TEST_CASE(
    "kills all over the tree, of supervisors too and while actors start, are all restarts and no losses") {
    const std::uint64_t kills = env_number("DWCP_CHAOS_KILLS", kKillsDefault);
    const std::uint64_t seed = env_number("DWCP_SEED", std::random_device()());
    std::cout << "seed " << seed << " (DWCP_SEED replays it), " << kills << " kills\n";
    dwcp::Random random(seed);
    auto cluster = TestCluster::running(3, without_damping);
    std::vector<NodeClient> nodes;
    for (std::size_t i = 0; i < 3; ++i)
        nodes.push_back(cluster->client(i));
    Loads loads(*cluster, kClients, seed);
    REQUIRE(eventually(kWarmUpLimit, [&] { return loads.acknowledged() >= kPutsToWarmUp; }));

    const auto resident = [&](std::size_t i) { return (*cluster)[i].process().resident_bytes(); };
    std::array<std::uint64_t, 3> memory_before{};
    std::array<std::uint64_t, 3> done{};
    std::uint64_t supervisors = 0;
    std::uint64_t all = 0;
    while (all < kills) {
        if (all >= kills / 5 && memory_before[0] == 0)
            memory_before = {resident(0), resident(1), resident(2)};
        const std::size_t where = random.below(nodes.size());
        NodeClient& node = nodes[where];
        const auto whole = tree_of(node);
        REQUIRE_FALSE(whole.empty());
        const std::string victim =
            std::next(whole.begin(), static_cast<std::ptrdiff_t>(random.below(whole.size())))->first;
        // One in three is hit again as soon as it lives: while it starts, or reads its journal.
        for (std::uint64_t times = 1 + (random.below(3) == 0 ? random.below(3) : 0); times > 0; --times) {
            const auto before = tree_of(node);
            const Answer answer = node.kill_actor(victim);
            if (!answer.ok()) continue; // it is down, e.g. as its supervisor still waits for another
            ++done[where];
            ++all;
            if (victim.starts_with("supervisor/")) ++supervisors;
            CAPTURE(where, victim, all);
            REQUIRE(eventually(kBackLimit, [&] { return is_back(node, before, victim); }));
        }
    }

    for (std::size_t i = 0; i < 3; ++i) {
        CAPTURE(i);
        CHECK(eventually(kHealthyLimit, [&] { return all_running(nodes[i]); }));
        CHECK(eventually(kHealthyLimit,
                         [&] { return nodes[i].get("/v1/health").json.value("status", "") == "healthy"; }));
        CHECK(restarts_in_metrics(nodes[i]) == done[i]);
        CHECK(restarts_of(nodes[i]) == done[i]);
        CHECK(resident(i) < memory_before[i] + kGrowthMaxBytes);
    }
    CHECK(loads.acknowledged() > kPutsToWarmUp);
    for (auto& load : loads)
        load->stop();
    CHECK(supervisors > 0);
    std::cout << fmt::format("{} kills, {} of them of supervisors; {} puts acknowledged\n", all, supervisors,
                             loads.acknowledged());
    for (auto& load : loads) {
        load->verify(*cluster);
        for (const auto& problem : load->problems())
            FAIL_CHECK(problem);
    }
}
