// What a run found of the rollout: the verdict table, the rollback's time line, and the checks that decide.
#pragma once

#include "ops/runner/traffic.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace dwcp::runner {

struct Check {
    std::string name;
    bool held = false;
    std::string detail;
};

struct RolloutReport {
    std::string day;
    std::string inject;              ///< Empty: nothing was.
    std::vector<std::string> titles; ///< Of the plan's steps.
    std::string phase;               ///< At the end: "completed", "rolled_back", ...
    std::string problem;             ///< Why it did not end by itself; empty: it did.
    double seconds = 0;
    nlohmann::json records;         ///< The ramp's journal, as `ramp history` gives it.
    nlohmann::json status;          ///< The last.
    std::int64_t injected_ms = 0;   ///< Unix time; 0: nothing was.
    std::uint64_t nodes_killed = 0; ///< Because a gate asked for a node failure.
    TrafficTotals traffic;
    TrafficVerdict verdict;
};

/// Without an injected fault the plan must end with the hand-over, with one it must roll back by itself.
std::vector<Check> judge(const RolloutReport& report);
/// Each criterion of each gate with threshold, measured value, n and verdict; of a rollback its time line.
std::string to_text(const RolloutReport& report);
nlohmann::json to_json(const RolloutReport& report);

} // namespace dwcp::runner
