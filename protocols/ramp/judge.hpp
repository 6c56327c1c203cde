// The judge: does what was measured meet a criterion, does it pull a trigger? Pure; the same evidence gives
// the same verdict.
//
// A measured criterion passes only if its absolute limit holds AND the canary is not worse than stable in the
// same window AND there are enough samples. Proportions are compared by a sequential non-inferiority test,
// valid however often one peeks (an always-valid confidence sequence; Johari et al. 2017, Howard et al.
// 2021); quantiles by their difference with a bootstrap confidence interval from a seed, an effect size and
// an absolute floor below which nobody would notice. inconclusive and no_data never promote.
#pragma once

#include "protocols/ramp/history.hpp"
#include "protocols/ramp/measure.hpp"
#include "protocols/ramp/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dwcp::ramp {

enum class Outcome : std::uint8_t { pass, fail, inconclusive, no_data, not_applicable };

std::string_view to_string(Outcome outcome);

struct Verdict {
    std::string criterion;
    Check check = Check::error_rate;
    Outcome outcome = Outcome::no_data;
    double limit = 0;
    std::optional<double> measured;
    std::string unit; ///< "ratio", "s", "count", "share"
    std::uint64_t n_canary = 0;
    std::uint64_t n_stable = 0;
    std::optional<double>
        effect; ///< Canary against stable: difference (proportions) or relative change (quantiles).
    std::optional<double> low, high; ///< Interval of the effect.
    std::string reason;              ///< One sentence: why this outcome.
    bool overridden = false;         ///< An operator let it pass; the reason says who and why.
};

/// What came of an exercise that the ramp ran, or of something it saw.
struct ExerciseResult {
    Check what = Check::recovery;
    bool done = false; ///< It ended; else it runs or was not begun.
    bool ok = false;
    std::uint64_t took_ms = 0;
    std::string detail;
};

struct Attestation {
    std::string subject;
    std::string by, role, reason;
    UnixMillis until_ms = 0;
};

struct Evidence {
    Observation observation;     ///< The latest; its totals are the window's.
    std::vector<System> systems; ///< The stage's, with a canary.
    std::uint64_t window_ms = 0;
    bool window_complete = false;
    std::uint64_t troubles = 0; ///< Reviews and triggers within the stage.
    std::vector<ExerciseResult> exercises;
    std::vector<Attestation> attestations;
    UnixMillis now_ms = 0;
    std::vector<Glance> history; ///< The looks of this window (History), the latest included. What must last
                                 ///< for a time never does without.
};

/// How strict, and how much less in a rehearsal.
struct Strictness {
    double confidence = 0.99;       ///< Of each comparison.
    double latency_floor_s = 0.002; ///< Differences below are nobody's concern.
    double error_margin = 0.0005;   ///< Non-inferiority margin of proportions.
    double scale = 1;               ///< plan.day_ms / kRealDayMs; below 1 it is a rehearsal and says so.
    std::uint64_t seed = 1;
};

/// Sums the releases of a system over the nodes.
Work sum(const Observation& observation, const System& system, Release release, bool recent);

Verdict judge(const Criterion& criterion, const Evidence& evidence, const Strictness& strictness);
/// Every criterion of a gate, in order.
std::vector<Verdict> judge_gate(const std::vector<Criterion>& gate, const Evidence& evidence,
                                const Strictness& strictness);
/// pass if all that apply pass; fail if one fails; else inconclusive or no_data.
Outcome overall(const std::vector<Verdict>& verdicts);

/// A trigger that fired: which, what was measured, n, why.
struct Alarm {
    std::string trigger;
    bool at_once = true;
    double limit = 0;
    double measured = 0;
    std::uint64_t n = 0;
    System system; ///< Empty: the cluster.
    std::string reason;
};
std::vector<Alarm> look(const std::vector<Trigger>& triggers, const Evidence& evidence,
                        const Strictness& strictness);

} // namespace dwcp::ramp
