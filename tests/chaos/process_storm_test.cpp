// Whole nodes are killed (SIGKILL) and frozen (SIGSTOP, then SIGCONT) under load, also while they start: what
// was acknowledged is there afterwards, on every node, and the cluster is healthy by itself.
#include "tests/chaos/load.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>

using namespace dwcp::testing;

namespace {

constexpr std::uint64_t kBlowsDefault = 8;
constexpr std::size_t kClients = 3;
constexpr auto kHealthyLimit = 30s;
/// Until the others notice that a node is frozen: their heartbeat's timeout and more.
constexpr auto kNoticeLimit = 20s;
/// What a node writes while it starts, in this order.
constexpr std::array<const char*, 3> kStages{"node_starting", "lane_started", "node_started"};

bool healthy(NodeClient& client) { return client.get("/v1/health").json.value("status", "") == "healthy"; }

bool sees_up(NodeClient& client, const std::string& peer) {
    const Answer answer = client.get("/v1/nodes");
    for (const auto& node : answer.json.value("nodes", nlohmann::json::array()))
        if (node.value("name", "") == peer) return node.value("up", true);
    return true;
}

/// Whether the node has written this since the file was `from` bytes long.
bool has_written(const dwcp::runner::Node& node, std::uintmax_t from, const std::string& what) {
    std::ifstream file(node.log_file());
    file.seekg(static_cast<std::streamoff>(from));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    return text.find(what) != std::string::npos;
}

} // namespace

TEST_CASE("nodes that are killed and frozen under load lose nothing acknowledged") {
    const std::uint64_t blows = env_number("DWCP_CHAOS_BLOWS", kBlowsDefault);
    const std::uint64_t seed = env_number("DWCP_SEED", std::random_device()());
    std::cout << "seed " << seed << " (DWCP_SEED replays it), " << blows << " blows\n";
    dwcp::Random random(seed);
    auto cluster = TestCluster::running(3);
    Loads loads(*cluster, kClients, seed);

    std::map<std::string, int> dealt;
    for (std::uint64_t blow = 0; blow < blows; ++blow) {
        const std::size_t where = random.below(3);
        const std::uint64_t kind = blow % 4; // each kind is dealt in every run, the order of nodes is random
        auto& node = (*cluster)[where];
        CAPTURE(blow, where, kind);
        if (kind == 3) {
            ++dealt["frozen"];
            node.process().signal(SIGSTOP);
            auto other = cluster->client((where + 1) % 3);
            CHECK(eventually(kNoticeLimit, [&] { return !sees_up(other, node.name()); }));
            node.process().signal(SIGCONT);
        } else {
            ++dealt["killed"];
            node.process().kill();
            if (kind == 2) { // and again while it starts
                ++dealt["killed while it started"];
                const auto written = std::filesystem::file_size(node.log_file());
                const std::string stage = kStages.at(random.below(kStages.size()));
                if (auto started = node.start(); !started) FAIL(started.error().render());
                CHECK(eventually(kHealthyLimit, [&] { return has_written(node, written, stage); }));
                node.process().kill();
            }
            if (auto started = node.start(); !started) FAIL(started.error().render());
        }
        if (auto connected = cluster->all().wait_connected(kHealthyLimit); !connected)
            FAIL(connected.error().render());
        const std::uint64_t before = loads.acknowledged();
        CHECK(eventually(kHealthyLimit, [&] { return loads.acknowledged() >= before + kClients; }));
    }

    for (std::size_t i = 0; i < 3; ++i) {
        CAPTURE(i);
        auto client = cluster->client(i);
        CHECK(eventually(kHealthyLimit, [&] { return healthy(client) && all_running(client); }));
    }
    for (auto& load : loads)
        load->stop();
    for (const auto& [what, times] : dealt)
        std::cout << fmt::format("{}: {}\n", what, times);
    std::cout << loads.acknowledged() << " puts acknowledged\n";
    for (auto& load : loads) {
        load->verify(*cluster);
        for (const auto& problem : load->problems())
            FAIL_CHECK(problem);
    }
}
