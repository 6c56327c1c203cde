// The judge: does what was measured meet a criterion, does it pull a trigger? Pure; the same evidence gives
// the same verdict.
//
// A measured criterion passes only if its absolute limit is shown to hold AND the canary is shown to be not
// worse than stable in the same window AND there are enough samples. Both are asked of intervals that stay
// valid however often one peeks (statistics.hpp): of rates, and of quantiles by the share of slower requests
// and by the ratio of canary's quantile to stable's, with an absolute floor below which nobody would notice.
//   pass          the interval lies on the good side
//   fail          the interval lies on the bad side
//   inconclusive  it does not say: more samples are needed, or people. So too when stable breaks the limit
//                 as well: that is not the canary's doing.
//   no_data       fewer samples than samples_min, a silent node, an exercise that has not ended
// inconclusive and no_data never promote.
//
// What is true of a moment (a failing health check, a missing metric) is inconclusive at first and fails once
// it lasted kPatienceMs. The sums of cost and bytes carry no spread: optimisation, cost and throughput go by
// the measured value, and fail only if it misses by more than so few requests may.
//
// A rehearsal (scale < 1) has hundreds of requests a stage where a real day has a hundred thousand. No rule
// can show 0.1 % from 500 requests, so there it is turned round, and every reason says so: a criterion passes
// unless it is shown to be broken, with the measured rate within the limit but for one single request (a
// rate above it that may be chance is inconclusive), and the canary not shown to be worse than stable. A
// latency limit that stable breaks as well on that machine does not count, and neither do slow requests for
// a trigger while stable's are as slow. What is shown with so few (a canary that fails 2 % of 500 requests,
// or whose p99 is twice what a trigger allows) still fails. The samples that the real clock would need are
// part of the reason.
//
// Triggers are looked at in the recent window. A rate fires when it is above its limit and so many would be
// a chance of kTriggerDoubt at most if it were at the limit: 1 error among 50 is nothing. What is too rare
// for the recent window is seen in the whole one, by the same interval as the gates'. Corruption, breaches
// and crash loops fire by count, at once. Resource use and degradation must last.
#pragma once

#include "protocols/ramp/history.hpp"
#include "protocols/ramp/measure.hpp"
#include "protocols/ramp/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dwcp::ramp {

/// A failing check is looked at for so long before it fails a gate: the restart of an actor takes less.
inline constexpr std::int64_t kPatienceMs = 60'000;
/// Of a trigger in the recent window, a look. At a tenth of the limit the chance is below 1e-9.
inline constexpr double kTriggerDoubt = 1e-3;
/// What is always busy in a rehearsal is the machine that plays all nodes: resource use must last this long
/// there, however short the plan's window became.
inline constexpr std::int64_t kRehearsalBusyMs = 300'000;

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
    double latency_margin = 0.10;   ///< Allowed slowdown where a criterion names only an absolute limit.
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
