// A stage of a ramp under synthetic traffic, judged by the real judge: how often does it abort a good canary,
// how often does it let a bad one through, and how long does it take? Simulated time; the same seed gives the
// same stage.
//
// Traffic of both releases: Poisson arrivals with bursts (three times the rate, everything 1.5 times slower,
// 30 s), log-normal latencies with one request in 200 from a Pareto tail, and a common drift of +-20 % over
// the stage. Stable's and a good canary's error rate is 0.01 %; the canary saves 30 % of the cost a byte. A
// fault is the canary's, or the cluster's where it says so.
//
// Used by bench/run ramp and by tests/sim/ramp_judge_sim_test.cpp.
#pragma once

#include "protocols/ramp/ramp.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::bench {

struct StageSettings {
    double requests_per_s = 400;
    double canary_percent = 10;
    std::int64_t stage_ms = 1'800'000;
    std::int64_t wait_ms = 1'800'000; ///< At the gate, before the ramp would pause for people.
    std::int64_t look_ms = 15'000;
    double scale = 1; ///< Of the plan's day; below 1 the judge judges a rehearsal.
};

/// What goes wrong, from when on. The defaults are a good canary in a good cluster.
struct Fault {
    std::string name;
    bool is_trigger = false;    ///< Begins some time in the first third of the stage; else at its start.
    double error_rate = 0.0001; ///< Of the canary.
    double stable_error_rate = 0.0001;
    double slower = 1;              ///< Factor of the canary's latencies.
    double cost = 0.7;              ///< Of a byte, against stable's.
    double busiest_share = 1 / 3.0; ///< Of the requests, on one of three nodes.
    double failures_in_5_min = 0.1; ///< Of consensus, on average.
    double lost_quorum = 0;         ///< Share of the looks.
    double resource_use = 0.6;
    std::uint64_t corruptions = 0, breaches = 0, incidents = 0, checks_failing = 0, metrics_missing = 0;
    bool crash_loop = false;
    bool shows_in_rehearsal = false; ///< Within some hundred requests and a few seconds.
};

struct StageResult {
    bool promoted = false;
    // Seconds since the fault began; since the stage began if there is none.
    std::optional<double> reviewed_s;    ///< A review began: nothing is promoted until people answer.
    std::optional<double> rolled_back_s; ///< A trigger at once, the gate failed, or nobody answered.
    std::string why;                     ///< Of the first of these, or why the gate waits.
};

/// No fault.
Fault good_canary();
/// Every trigger of the plan, and every criterion that samples decide, at twice what it allows.
std::vector<Fault> faults_at_twice_the_threshold();

/// What a stage is judged by: all triggers, and the criteria of all gates.
struct Rules {
    std::vector<ramp::Trigger> triggers;
    std::vector<ramp::Criterion> gate;
    std::uint64_t recent_ms = 60'000;
    std::uint64_t review_ms = 900'000;
};
/// Of a plan, with the criteria about absent systems made to be about this one.
Rules rules_of(const ramp::Plan& plan);

StageResult run_stage(const StageSettings& settings, const Fault& fault, const Rules& rules,
                      std::uint64_t seed);

} // namespace dwcp::bench
