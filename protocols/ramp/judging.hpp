// What the parts of the judge share; included by them alone.
#pragma once

#include "protocols/ramp/judge.hpp"
#include "protocols/ramp/statistics.hpp"

#include <functional>
#include <string>
#include <vector>

namespace dwcp::ramp {

/// One criterion and what it is judged by.
struct Case {
    const Criterion& criterion;
    const Evidence& evidence;
    const Strictness& strictness;

    bool rehearsal() const { return strictness.scale < 1; }
    std::uint64_t samples_min() const { return std::max<std::uint64_t>(criterion.samples_min, 1); }
    Verdict verdict(std::string unit) const;
};

// Words.
std::string percent(double ratio);         ///< "0.037 %"
std::string signed_percent(double ratio);  ///< "+2.5 %"
std::string percent_range(double, double); ///< "[-4, +9] %"
std::string seconds(double value);         ///< "24.1 ms", "1.25 s"
std::string span(std::uint64_t ms);        ///< "90 s", "12.0 h"
std::string count(std::uint64_t value);    ///< "7,204"

/// The systems with a canary that a criterion is about.
std::vector<System> systems_of(const Case& of);
bool has_canary(const Observation& observation, const System& system);
/// Whether any request of the system still goes to stable.
bool serves_stable(const Observation& observation, const System& system);
Facts facts_of(const Observation& observation);

/// The verdict of each system, and of them the one that decides.
Verdict decisive(const Case& of, const std::vector<System>& systems,
                 const std::function<Verdict(const Case&, const System&)>& judge_one);

// The parts.
Verdict judge_error_rate(const Case& of, const System& system);
Verdict judge_availability(const Case& of, const System& system);
Verdict judge_latency(const Case& of, const System& system, double q);
Verdict judge_against_stable(const Case& of, const System& system);
Verdict judge_optimisation(const Case& of, const System& system);
Verdict judge_cost(const Case& of, const System& system);
Verdict judge_throughput(const Case& of, const System& system);
Verdict judge_load_balance(const Case& of, const System& system);

Verdict judge_health(const Case& of);
Verdict judge_incidents(const Case& of);
Verdict judge_quorum(const Case& of);
Verdict judge_monitoring(const Case& of);
Verdict judge_burn_in(const Case& of);
Verdict judge_attested(const Case& of);
Verdict judge_exercise(const Case& of);

} // namespace dwcp::ramp
