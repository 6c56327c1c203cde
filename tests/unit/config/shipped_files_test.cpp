// The files in node_configs/, which people start from.
#include "tests/unit/config/config_fixture.hpp"

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

namespace dwcp::config {
namespace {

const std::string kFolder = DWCP_SOURCE_DIR "/node_configs/";

NodeConfig shipped(const std::string& name) {
    auto config = load_file(kFolder + name);
    if (!config) FAIL(fmt::format("{}", fmt::join(config.error().list, "\n")));
    return *config;
}

} // namespace

TEST_CASE("node_configs/example.toml is what print_example writes") {
    const std::string path = kFolder + "example.toml";
    if (std::getenv("DWCP_REGENERATE") != nullptr) std::ofstream(path, std::ios::binary) << print_example();
    std::ifstream file(path, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    INFO("after a change of the keys, write it anew: DWCP_REGENERATE=1 build/release/tests/unit_config, and "
         "commit it");
    CHECK(content.str() == print_example());
}

TEST_CASE("the example is itself a valid configuration with every key at its default") {
    const NodeConfig example = loaded(print_example());
    const NodeConfig minimal = loaded(kMinimal);
    CHECK(example.heartbeat_timeout_ms == minimal.heartbeat_timeout_ms);
    CHECK(example.capacity_bytes == minimal.capacity_bytes);
    CHECK(example.peers.size() == 1);
}

TEST_CASE("the three shipped sites form one cluster") {
    std::map<std::string, NodeConfig> nodes;
    for (const char* name : {"site-a", "site-b", "site-c"})
        nodes[name] = shipped(fmt::format("{}.toml", name));
    for (const auto& [name, node] : nodes) {
        INFO(name);
        CHECK(node.name == name);
        CHECK(node.cluster_id == "demo");
        CHECK(node.peers.size() == 2);
        CHECK(node.consensus);
        CHECK(node.gateway);
        CHECK(node.heartbeat_interval_ms == nodes["site-a"].heartbeat_interval_ms);
        CHECK(node.heartbeat_timeout_ms == nodes["site-a"].heartbeat_timeout_ms);
        CHECK(node.sequencer == nodes["site-a"].sequencer);
        for (const Peer& peer : node.peers) {
            REQUIRE(nodes.contains(peer.name));
            const NodeConfig& other = nodes[peer.name];
            CHECK(peer.site == other.site);
            CHECK(peer.site != node.site);
            CHECK(peer.control == other.control);
            CHECK(peer.data == other.data);
            CHECK(node.data_dir != other.data_dir);
            CHECK(node.http != other.http);
        }
    }
    CHECK(nodes["site-a"].manager_instances == 3);
}

} // namespace dwcp::config
