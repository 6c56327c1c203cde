// The suite "ramp": does the judge judge rightly, and how fast is a rollback. A case is a name and a function
// in a file of its own; list it in ramp_bench.cpp.
#pragma once

#include "bench/command_line.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <string>

namespace dwcp::bench {

/// Prints figures: a line of JSON each, or a table.
class RampReport {
  public:
    explicit RampReport(const SuiteSettings& settings);

    void add(const std::string& name, const std::string& metric, double value, const std::string& unit,
             const nlohmann::json& conditions) const;

  private:
    const SuiteSettings& settings_;
};

/// Says which of a suite's case names were asked for.
using RampWanted = std::function<bool(const std::string&)>;

} // namespace dwcp::bench
