#include "ops/runner/cluster.hpp"

#include <fmt/format.h>

#include <csignal>
#include <fstream>
#include <set>
#include <thread>

namespace dwcp::runner {
namespace {

constexpr std::size_t kLogLinesShown = 15;

} // namespace

std::atomic<bool> interrupted{false};

bool eventually(std::chrono::milliseconds limit, const std::function<bool()>& condition,
                std::chrono::milliseconds pause) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (interrupted || std::chrono::steady_clock::now() >= end) return false;
        std::this_thread::sleep_for(pause);
    }
    return true;
}

Node::Node(std::filesystem::path directory, config::NodeConfig config, bool outlive_owner)
    : directory_(std::move(directory)), outlive_owner_(outlive_owner) {
    set_config(std::move(config));
}

void Node::set_config(config::NodeConfig config) {
    config_ = std::move(config);
    std::ofstream(config_file()) << config::print_config(config_);
}

Result<void> Node::start() {
    auto process = Process::start({.program = program_path("dwcp-node"),
                                   .arguments = {"--config", config_file().string()},
                                   .output = log_file(),
                                   .outlive_owner = outlive_owner_});
    if (!process) return std::unexpected(process.error());
    process_ = std::move(*process);
    started_ = std::chrono::steady_clock::now();
    return {};
}

Result<void> Node::wait_ready(std::chrono::milliseconds limit) {
    NodeClient http = client();
    std::string answer = "no answer";
    const bool ready = eventually(limit, [&] {
        if (!process_.running()) return true;
        const Answer last = http.get("/ready");
        answer = last.describe();
        return last.ok();
    });
    if (ready && process_.running()) {
        ready_ms_ =
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started_).count();
        return {};
    }
    const std::string what = process_.running()
                                 ? "is not ready after " + std::to_string(limit.count()) + " ms: " + answer
                                 : "ended: " + process_.how_it_ended();
    return fail(Errc::unavailable, fmt::format("{} {}", name(), what),
                fmt::format("its last log lines, from {}:\n{}", log_file().string(),
                            last_lines(log_file(), kLogLinesShown)));
}

bool Node::sees_all_peers() const {
    const Answer answer = client().get("/v1/nodes");
    if (!answer.ok()) return false;
    std::size_t connected = 0;
    for (const auto& node : answer.json.value("nodes", nlohmann::json::array())) {
        const bool data_up = node.contains("data") && node["data"].value("up", false);
        if (!node.value("self", false) && node.value("up", false) && data_up) ++connected;
    }
    return connected == config_.peers.size();
}

Cluster::Cluster(const std::filesystem::path& directory, std::vector<config::NodeConfig> configs,
                 bool outlive_owner) {
    for (auto& config : configs)
        nodes_.push_back(std::make_unique<Node>(directory, std::move(config), outlive_owner));
}

Result<void> Cluster::start_all(std::chrono::milliseconds limit) {
    for (auto& node : nodes_)
        if (auto started = node->start(); !started) return started;
    return wait_connected(limit);
}

Result<void> Cluster::wait_connected(std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    const auto left = [&] {
        return std::max(std::chrono::milliseconds(0), std::chrono::duration_cast<std::chrono::milliseconds>(
                                                          end - std::chrono::steady_clock::now()));
    };
    for (auto& node : nodes_) {
        if (auto ready = node->wait_ready(left()); !ready) return ready;
        if (!eventually(left(), [&] { return node->sees_all_peers(); }))
            return fail(Errc::deadline_exceeded,
                        fmt::format("{} does not see all its peers: {}", node->name(),
                                    node->client().get("/v1/nodes").json.dump()),
                        fmt::format("look into {}", node->log_file().string()));
    }
    return {};
}

void Cluster::stop_all(std::chrono::milliseconds grace) {
    for (auto& node : nodes_)
        node->process().signal(SIGTERM);
    const auto end = std::chrono::steady_clock::now() + grace;
    for (auto& node : nodes_) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
        if (!node->process().wait(std::max(left, std::chrono::milliseconds(0)))) node->process().kill();
    }
}

void Cluster::leave_running() {
    for (auto& node : nodes_)
        node->process().leave_running();
}

std::vector<std::string> assign_free_ports(std::vector<config::NodeConfig>& configs, bool all) {
    std::vector<std::string> changes;
    std::set<std::uint16_t> used;
    const auto move_if_taken = [&](const std::string& node, const char* what, config::Endpoint& endpoint) {
        const std::uint16_t wanted = endpoint.port;
        if (all || used.contains(wanted) || !port_is_free(wanted)) {
            do
                endpoint.port = free_port();
            while (used.contains(endpoint.port));
            changes.push_back(fmt::format("{} {} {} -> {}", node, what, wanted, endpoint.port));
        }
        used.insert(endpoint.port);
    };
    for (auto& config : configs) {
        move_if_taken(config.name, "control", config.control);
        move_if_taken(config.name, "data", config.data);
        move_if_taken(config.name, "http", config.http);
    }
    for (auto& config : configs)
        for (auto& peer : config.peers)
            for (const auto& other : configs)
                if (other.name == peer.name) {
                    peer.control = other.control;
                    peer.data = other.data;
                }
    return changes;
}

} // namespace dwcp::runner
