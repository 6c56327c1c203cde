#include "tests/cluster/cluster_fixture.hpp"

#include "protocols/base/random.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>

namespace dwcp::testing {

TempDirectory::TempDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "dwcp-test-XXXXXX").string();
    REQUIRE(mkdtemp(path.data()) != nullptr);
    path_ = path;
}

TempDirectory::~TempDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
}

std::vector<config::NodeConfig> test_configs(std::size_t nodes, const std::filesystem::path& directory) {
    std::vector<config::NodeConfig> configs;
    for (std::size_t i = 0; i < nodes; ++i) {
        const char letter = static_cast<char>('a' + i);
        const auto text =
            fmt::format("[node]\nname = 'site-{0}'\nsite = 'place-{0}'\ncluster_id = 'test'\n"
                        "data_dir = '{1}/site-{0}'\n"
                        "[listen]\ncontrol = '127.0.0.1:1'\ndata = '127.0.0.1:2'\nhttp = '127.0.0.1:3'\n"
                        // Faster than a real cluster, so that the tests need not wait long for a peer.
                        "[control]\nheartbeat_interval_ms = 200\nheartbeat_timeout_ms = 1000\n"
                        "reconnect_min_ms = 20\nreconnect_max_ms = 200\n"
                        "[manager]\nreplicas_default = 1\n", // peers come below
                        letter, directory.string());
        auto config = config::load_text(text, "test");
        if (!config) FAIL(config.error().list.front());
        config->replicas_default = static_cast<std::uint32_t>(std::min<std::size_t>(2, nodes));
        configs.push_back(std::move(*config));
    }
    for (auto& config : configs)
        for (const auto& other : configs)
            if (other.name != config.name)
                config.peers.push_back({other.name, other.site, other.control, other.data, "", ""});
    runner::assign_free_ports(configs, true);
    return configs;
}

namespace {

std::vector<config::NodeConfig> adjusted(std::vector<config::NodeConfig> configs, const Adjust& adjust) {
    if (adjust) adjust(configs);
    return configs;
}

} // namespace

TestCluster::TestCluster(std::size_t nodes, const Adjust& adjust)
    : cluster_(directory_.path(), adjusted(test_configs(nodes, directory_.path()), adjust)) {}

std::unique_ptr<TestCluster> TestCluster::running(std::size_t nodes, const Adjust& adjust) {
    auto cluster = std::make_unique<TestCluster>(nodes, adjust);
    if (auto started = cluster->all().start_all(kStartLimit); !started) FAIL(started.error().render());
    return cluster;
}

void TestCluster::restart(std::size_t index) {
    if (auto started = cluster_[index].start(); !started) FAIL(started.error().render());
    if (auto connected = cluster_.wait_connected(kStartLimit); !connected) FAIL(connected.error().render());
}

runner::Headers as_operator(const runner::Node& node) {
    std::string token;
    std::ifstream(node.config().data_dir + "/operator.token") >> token;
    REQUIRE_FALSE(token.empty());
    return {{"Authorization", "Bearer " + token}};
}

std::string noise(std::uint64_t seed, std::size_t size_bytes) {
    Random random(seed);
    std::string bytes(size_bytes, '\0');
    for (std::size_t i = 0; i < size_bytes; i += 8) {
        const std::uint64_t word = random.next();
        std::memcpy(bytes.data() + i, &word, std::min<std::size_t>(8, size_bytes - i));
    }
    return bytes;
}

std::string body_of(NodeClient& client, const std::string& key) {
    const Answer answer = client.get(object_path(key));
    INFO(answer.status << " " << answer.problem);
    if (!answer.ok()) FAIL(answer.describe());
    return answer.body;
}

nlohmann::json workload_of(NodeClient& client, const std::string& key) {
    const Answer answer = client.get("/v1/workloads");
    for (const auto& workload : answer.json.value("workloads", nlohmann::json::array()))
        if (workload.value("key", "") == key) return workload;
    return nullptr;
}

bool has_event(NodeClient& client, const std::string& name, const std::string& text) {
    const Answer answer = client.get("/v1/events?limit=1000");
    for (const auto& event : answer.json.value("events", nlohmann::json::array()))
        if (event.value("name", "") == name && event.dump().find(text) != std::string::npos) return true;
    return false;
}

} // namespace dwcp::testing
