// What a node costs by role: time from exec to /ready, and resident memory. A fresh node each time, alone on
// free ports.
#include "bench/runtime_bench.hpp"
#include "bench/transport_process.hpp"
#include "bench/work_directory.hpp"
#include "ops/runner/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <vector>

namespace dwcp::bench {
namespace {

struct Role {
    const char* name;
    const char* roles; ///< The [roles] table.
};

constexpr Role kRoles[] = {
    {"node_all_roles", "manager = 3\ncompression = 2\nallocator = 1\nconsensus = true\ngateway = true\n"},
    {"node_one_of_each", "manager = 1\ncompression = 1\nallocator = 1\nconsensus = true\ngateway = true\n"},
    {"node_consensus_only",
     "manager = 0\ncompression = 0\nallocator = 0\nconsensus = true\ngateway = false\n"},
};

config::NodeConfig make_config(const Role& role, const std::filesystem::path& directory) {
    const auto text =
        fmt::format("[node]\nname = 'bench'\nsite = 'here'\ncluster_id = 'bench'\ndata_dir = '{}/data'\n"
                    "[listen]\ncontrol = '127.0.0.1:1'\ndata = '127.0.0.1:2'\nhttp = '127.0.0.1:3'\n"
                    "[manager]\nreplicas_default = 1\n[roles]\n{}",
                    directory.string(), role.roles);
    auto config = config::load_text(text, role.name);
    if (!config) throw std::runtime_error(config.error().list.front());
    std::vector<config::NodeConfig> configs{*config};
    runner::assign_free_ports(configs, true);
    return configs.front();
}

bool maps_torch(pid_t pid) {
    std::ifstream maps(fmt::format("/proc/{}/maps", pid));
    std::string line;
    while (std::getline(maps, line)) {
        if (line.find("libtorch") != std::string::npos) return true;
    }
    return false;
}

struct Sample {
    double ready_ms;
    double resident_mib;
    bool torch;
};

Sample start_once(const Role& role) {
    const WorkDirectory directory("node");
    runner::Node node(directory.path(), make_config(role, directory.path()));
    if (auto started = node.start(); !started) throw std::runtime_error(started.error().render());
    if (auto ready = node.wait_ready(std::chrono::seconds(20)); !ready) {
        throw std::runtime_error(ready.error().render());
    }
    const Sample sample{node.ready_ms(), static_cast<double>(node.process().resident_bytes()) / (1U << 20),
                        maps_torch(node.process().pid())};
    node.process().stop(std::chrono::seconds(10));
    return sample;
}

template<class Get>
double median(std::vector<Sample> samples, Get get) {
    std::ranges::sort(samples, {}, get);
    return get(samples[samples.size() / 2]);
}

} // namespace

void measure_nodes(const RuntimeSettings& settings, const Wanted& wanted, const RuntimeReport& report) {
    const int rounds = settings.quick ? 3 : 9;
    for (const auto& role : kRoles) {
        if (!wanted(role.name)) continue;
        std::vector<Sample> samples;
        for (int i = 0; i < rounds && !interrupted(); ++i) {
            fmt::print(stderr, "{}: start {} of {}\n", role.name, i + 1, rounds);
            samples.push_back(start_once(role));
        }
        if (samples.empty()) return;
        const nlohmann::json conditions{{"starts", samples.size()},
                                        {"statistic", "median"},
                                        {"store", "new"},
                                        {"peers", 0},
                                        {"libtorch_loaded", samples.front().torch}};
        report.add(role.name, "start_to_ready_ms",
                   median(samples, [](const Sample& s) { return s.ready_ms; }), "ms", conditions);
        report.add(role.name, "resident_mib", median(samples, [](const Sample& s) { return s.resident_mib; }),
                   "MiB", conditions);
    }
}

} // namespace dwcp::bench
