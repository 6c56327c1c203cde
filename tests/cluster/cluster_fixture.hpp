// Nodes for one test: real processes on free ports, with their data in a directory of their own that goes
// with them.
#pragma once

#include "ops/runner/cluster.hpp"

#include <catch2/catch.hpp>

#include <functional>

namespace dwcp::testing {

using namespace std::chrono_literals;
using runner::Answer;
using runner::eventually;
using runner::NodeClient;
using runner::object_path;

constexpr auto kStartLimit = 20s;

class TempDirectory {
  public:
    TempDirectory();
    ~TempDirectory();
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }

  private:
    std::filesystem::path path_;
};

/// Configurations of `nodes` nodes "site-a", "site-b", ... that are each other's peers, each at its own site.
std::vector<config::NodeConfig> test_configs(std::size_t nodes, const std::filesystem::path& directory);

using Adjust = std::function<void(std::vector<config::NodeConfig>&)>;

class TestCluster {
  public:
    /// Not started; `adjust` may change the configurations first.
    explicit TestCluster(std::size_t nodes = 3, const Adjust& adjust = {});
    /// Started and connected, or the test fails with the node's log.
    static std::unique_ptr<TestCluster> running(std::size_t nodes = 3, const Adjust& adjust = {});

    runner::Node& operator[](std::size_t index) { return cluster_[index]; }
    runner::Cluster& all() { return cluster_; }
    NodeClient client(std::size_t index) { return cluster_[index].client(); }
    const std::filesystem::path& directory() const { return directory_.path(); }

    /// Starts a node that was killed or stopped, and waits until all see each other again.
    void restart(std::size_t index);

  private:
    TempDirectory directory_;
    runner::Cluster cluster_;
};

/// The operator's token of a node as a header, for GETs that ask for a role; NodeClient::operate() has it for
/// verbs.
runner::Headers as_operator(const runner::Node& node);

/// Pseudo-random, so incompressible, bytes of a seed.
std::string noise(std::uint64_t seed, std::size_t size_bytes);

/// The object's body as the node returns it; fails the test if it does not.
std::string body_of(NodeClient& client, const std::string& key);

/// GET /v1/workloads of the node: its entry for the key, or null.
nlohmann::json workload_of(NodeClient& client, const std::string& key);

/// Whether an event of this name, with this text somewhere in it, is in the node's list.
bool has_event(NodeClient& client, const std::string& name, const std::string& text = "");

} // namespace dwcp::testing
