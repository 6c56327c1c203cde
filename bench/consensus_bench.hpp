// The suite "consensus": what a decision costs, and how long a client waits for it. A case is a name and a
// function that measures and reports.
#pragma once

#include "bench/command_line.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace dwcp::bench {

/// Prints figures: a line of JSON each, or a row of a table a load.
class ConsensusReport {
  public:
    explicit ConsensusReport(const SuiteSettings& settings);

    struct Figure {
        std::string metric;
        double value = 0;
        std::string unit;
    };
    void add(const std::string& name, const std::vector<Figure>& figures,
             const nlohmann::json& conditions) const;

  private:
    const SuiteSettings& settings_;
};

/// Called with a predicate that says which of its case names are wanted. Throws std::runtime_error if it
/// cannot measure.
using ConsensusWanted = std::function<bool(const std::string&)>;

/// Large committees of ProBFT in a simulation: "committees/n=N/f=F".
void measure_committees(const SuiteSettings& settings, const ConsensusWanted& wanted,
                        const ConsensusReport& report);

} // namespace dwcp::bench
