// A cluster of real dwcp-node processes on this machine, for ops/run and for the tests over real sockets.
//
// Life cycle: made from configurations, start_all(), then nodes are killed, started and stopped at will; the
// destructor kills what still runs. All calls from one long-living thread (see Process::start).
#pragma once

#include "ops/runner/node_client.hpp"
#include "ops/runner/process.hpp"
#include "runtime/config/config.hpp"

#include <atomic>
#include <functional>
#include <memory>

namespace dwcp::runner {

class Node {
  public:
    /// Writes the configuration to DIRECTORY/NAME.toml; the log goes to DIRECTORY/NAME.log.
    Node(std::filesystem::path directory, config::NodeConfig config, bool outlive_owner = false);

    const std::string& name() const { return config_.name; }
    const config::NodeConfig& config() const { return config_; }
    /// For the next start().
    void set_config(config::NodeConfig config);

    Result<void> start();
    /// Until /ready says yes, or the process ended, or the time is over; an error carries the last lines of
    /// the log.
    Result<void> wait_ready(std::chrono::milliseconds limit);
    /// Every peer is up and its data link works.
    bool sees_all_peers() const;
    /// From start() until /ready, as the last wait_ready() saw it.
    double ready_ms() const { return ready_ms_; }
    Process& process() { return process_; }
    NodeClient client() const { return NodeClient(config_.http.port, config_.data_dir); }
    std::filesystem::path config_file() const { return directory_ / (config_.name + ".toml"); }
    std::filesystem::path log_file() const { return directory_ / (config_.name + ".log"); }

  private:
    std::filesystem::path directory_;
    config::NodeConfig config_;
    bool outlive_owner_;
    Process process_;
    std::chrono::steady_clock::time_point started_;
    double ready_ms_ = 0;
};

class Cluster {
  public:
    Cluster(const std::filesystem::path& directory, std::vector<config::NodeConfig> configs,
            bool outlive_owner = false);

    /// Starts every node and waits until all are ready and see all their peers, control and data.
    Result<void> start_all(std::chrono::milliseconds limit);
    Result<void> wait_connected(std::chrono::milliseconds limit);
    /// SIGTERM to all, then SIGKILL to who is still there after the grace.
    void stop_all(std::chrono::milliseconds grace);
    void leave_running();

    std::size_t size() const { return nodes_.size(); }
    Node& operator[](std::size_t index) { return *nodes_.at(index); }

  private:
    std::vector<std::unique_ptr<Node>> nodes_;
};

/// Gives each node a free port wherever `all` or the one it has is taken, in its peers' view too. Returns
/// what was changed, as "site-a control 7101 -> 20133".
std::vector<std::string> assign_free_ports(std::vector<config::NodeConfig>& configs, bool all);

/// Set by a signal handler: eventually() gives up at once, so that a program can end in order.
extern std::atomic<bool> interrupted;

/// Polls until the condition holds; false when the time is over. For conditions that only a query can tell.
bool eventually(std::chrono::milliseconds limit, const std::function<bool()>& condition,
                std::chrono::milliseconds pause = std::chrono::milliseconds(5));

} // namespace dwcp::runner
