// The suite "runtime": what a node's runtime costs. A case is a name and a function that measures and
// reports; to add one, write the function in a file of its own and list it in runtime_bench.cpp.
#pragma once

#include "bench/command_line.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace dwcp::bench {

using RuntimeSettings = SuiteSettings;

/// Prints figures: a line of JSON each, or a table.
class RuntimeReport {
  public:
    explicit RuntimeReport(const RuntimeSettings& settings);

    void add(const std::string& name, const std::string& metric, double value, const std::string& unit,
             const nlohmann::json& conditions) const;

  private:
    const RuntimeSettings& settings_;
};

/// Called with a predicate that says which of its case names are wanted. Throws std::runtime_error if it
/// cannot measure.
using Wanted = std::function<bool(const std::string&)>;

/// Round trips inside a process and between two, ours and bare CAF in turn. Must run before this process has
/// threads.
void measure_round_trips(const RuntimeSettings& settings, const Wanted& wanted, const RuntimeReport& report);

/// One step recorded for `trace`: of a new kind, and once more of a known one.
void measure_tracing(const RuntimeSettings& settings, const Wanted& wanted, const RuntimeReport& report);

/// Start time and memory of a node by the roles it hosts; starts dwcp-node processes.
void measure_nodes(const RuntimeSettings& settings, const Wanted& wanted, const RuntimeReport& report);

} // namespace dwcp::bench
