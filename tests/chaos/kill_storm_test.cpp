// A thousand actors are killed, one after another, while clients put and read. Nothing that was acknowledged
// may be lost, every kill must be followed by a counted restart, and memory must not grow with the number of
// kills.
#include "tests/chaos/load.hpp"

#include <iostream>
#include <random>
#include <set>

using namespace dwcp::testing;

namespace {

constexpr std::uint64_t kKillsDefault = 1000;
constexpr std::size_t kClients = 4;

} // namespace

TEST_CASE("a thousand actor kills under load lose nothing acknowledged and do not grow memory") {
    const std::uint64_t kills = env_number("DWCP_CHAOS_KILLS", kKillsDefault);
    const std::uint64_t seed = env_number("DWCP_SEED", std::random_device()());
    std::cout << "seed " << seed << " (DWCP_SEED replays it), " << kills << " kills\n";
    dwcp::Random random(seed);

    auto cluster = TestCluster::running(3, without_damping);
    std::vector<NodeClient> nodes;
    for (std::size_t i = 0; i < 3; ++i)
        nodes.push_back(cluster->client(i));
    Loads loads(*cluster, kClients, seed);
    std::uint64_t done = 0;
    std::set<std::pair<std::uint64_t, std::string>> dying;
    const auto kill_one = [&] {
        const std::uint64_t where = random.below(nodes.size());
        NodeClient& node = nodes[where];
        auto actors = actors_of(node);
        std::erase_if(actors, [](const auto& actor) { return actor.contains("strategy"); });
        if (actors.empty()) return;
        const std::string victim = actors[random.below(actors.size())]["path"];
        // One that is still dying would be killed twice and be restarted once.
        if (!dying.emplace(where, victim).second) return;
        if (node.kill_actor(victim).ok()) ++done;
        if (random.below(4) == 0) return; // the next one at once: kills may overlap
        dying.clear();
        const std::uint64_t before = loads.acknowledged();
        const bool serves = eventually(20s, [&] { return loads.acknowledged() >= before + kClients; });
        if (!serves)
            FAIL("kill " << done << ", of " << victim << ": no put was acknowledged for 20 s after it");
    };
    const auto resident = [&](std::size_t i) { return (*cluster)[i].process().resident_bytes(); };

    const std::uint64_t warm_up =
        kills * 2 / 5; // the store's memory fills with what is put, until it is full
    while (done < warm_up)
        kill_one();
    const std::array before{resident(0), resident(1), resident(2)};
    while (done < kills)
        kill_one();

    for (std::size_t i = 0; i < 3; ++i) {
        INFO("node " << i);
        CHECK(eventually(20s, [&] { return all_running(nodes[i]); }));
        const std::uint64_t after = resident(i);
        CHECK(after > 0);
        CHECK(after < before[i] + kGrowthMaxBytes);
        std::cout << fmt::format("node {}: {} MB after the warm-up, {} MB at the end\n", i, before[i] >> 20,
                                 after >> 20);
    }
    std::uint64_t refused = 0;
    for (auto& load : loads) {
        load->stop();
        refused += load->refused();
    }
    std::cout << fmt::format("{} puts acknowledged, {} refused and not counted on\n", loads.acknowledged(),
                             refused);
    CHECK(restarts_of(nodes[0]) + restarts_of(nodes[1]) + restarts_of(nodes[2]) >= kills);
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(eventually(10s, [&] { return nodes[i].put(object_path("chaos/after"), "x").ok(); }));
    for (auto& load : loads) {
        load->verify(*cluster);
        for (const auto& problem : load->problems())
            FAIL_CHECK(problem);
    }
}
