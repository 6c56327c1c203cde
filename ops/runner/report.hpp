// What a run has found: figures for a person and for a program, and the checks that decide its exit code.
#pragma once

#include "ops/runner/collect.hpp"
#include "ops/runner/incidents.hpp"
#include "ops/runner/rollout_report.hpp"
#include "ops/runner/shipment.hpp"

#include <string>
#include <vector>

namespace dwcp::runner {

/// One node at the end of the run, in its own words.
struct NodeEnd {
    std::string name;
    bool ready = false;
    bool connected = false;
    std::uint64_t restarts = 0; ///< Of its actors, since it was started last.
    std::uint64_t corruptions = 0;
    std::uint64_t resident_peak_bytes = 0;
    double start_ms = 0; ///< From the start of its process until /ready, at the beginning of the run.
};

struct Report {
    std::string source;
    const Collection* collection = nullptr;
    const std::vector<Shipped>* outcomes = nullptr;
    std::vector<std::string> sites;
    std::map<std::string, CodecTotal> codecs;
    Progress put; ///< With the retries of this phase.
    Progress get;
    double put_seconds = 0;
    double get_seconds = 0;
    std::vector<ActorKill> actor_kills;
    std::uint64_t restarts_before_node_kill = 0; ///< Of the node that was killed: its counters start anew.
    NodeKill node_kill;
    std::optional<RolloutReport> rollout;
    std::vector<NodeEnd> nodes;
};

std::vector<Check> judge(const Report& report);
bool all_held(const std::vector<Check>& checks);
std::string to_text(const Report& report, const std::vector<Check>& checks);
nlohmann::json to_json(const Report& report, const std::vector<Check>& checks);

} // namespace dwcp::runner
