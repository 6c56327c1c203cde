// A rollout plan as data: which system gets how much traffic when, and what must hold before it goes on.
//
// Life cycle: read from a file (runtime/release/plan_file.hpp; node_configs/rollout.toml is this product's),
// checked by check(), then constant: the journal names the plan by its digest, and a ramp under way never
// changes plans.
//
// The clock: the plan speaks of days. `day_ms` says how long one is; a rehearsal makes it short. Everything
// that the plan states in time (stages, review clock, windows) and in samples is scaled with it by scaled(),
// and the report says so.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/ramp/measure.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::ramp {

inline constexpr std::uint64_t kRealDayMs = 86'400'000;
/// Roles as runtime/identity orders them; each includes those before it.
inline constexpr std::array<std::string_view, 4> kRoles{"viewer", "writer", "operator", "admin"};

/// What a criterion looks at.
enum class Check : std::uint8_t {
    error_rate,             ///< Canary's errors / requests: below `limit`, and not worse than stable.
    availability,           ///< 1 - error rate of both releases together: at least `limit`.
    latency_p50,            ///< Canary's, seconds: below `limit`.
    latency_p99,            ///< The same at 0.99.
    latency_against_stable, ///< p99 of the canary within (1 + `limit`) of stable's in the same window.
    health,                 ///< No failing health check on any node, no silent node.
    critical_incidents,     ///< At most `limit`.
    recovery,               ///< The ramp killed an actor and saw it come back (exercise).
    quorum,                 ///< Share of looks at which every lane had its quorum: at least `limit`.
    byzantine,              ///< An injected Byzantine fault was tolerated (exercise of a BFT engine).
    optimisation,           ///< Saved cost a byte against stable: above `limit`.
    load_balance,           ///< Busiest node's share of the requests / its fair share: below `limit`.
    node_failure,           ///< A node went away and came back during the ramp (exercise or seen).
    throughput, ///< Canary's bytes a second of latency per request against stable's: at least `limit`.
    cost,       ///< Canary's cost a byte / stable's: at most `limit`.
    monitoring, ///< Every metric that the rules name is there, on every node.
    finality,   ///< p99 of a lane's commit, seconds: below `limit`.
    burn_in,    ///< The stage has lasted its whole time without a trigger, a review or a critical incident.
    attested,   ///< An operator vouched for it (`ramp attest`), with a reason, not expired.
    backup_restore, ///< A backup was taken, read back in full and restored into a scratch store (exercise).
};

inline constexpr Check kCheckLast = Check::backup_restore;
/// As the plan's file names it: "error_rate".
std::string_view to_string(Check check);
/// recovery, byzantine, node_failure, backup_restore: the ramp does something and sees what comes of it.
bool is_exercise(Check check);

struct Criterion {
    std::string name; ///< As people read it: "error rate < 0.1 %".
    Check check = Check::error_rate;
    double limit = 0;
    std::uint64_t samples_min = 0; ///< Of each release that is measured; fewer: no_data. At the real clock.
    std::vector<System> systems; ///< Whose canary it is about; empty: the stage's. None of them has one: not
                                 ///< applicable, said so, and not a pass.
    std::string subject;         ///< Of `attested`: what is vouched for ("runbooks").
};

/// Triggers: looked at in the recent window, at every look, also while waiting at a gate.
struct Trigger {
    std::string name;
    enum class What : std::uint8_t {
        error_rate,
        latency_p99,
        consensus_failures,
        corruptions,
        security_breaches,
        resource_use,
        degradation,
        sla,
        crash_loop,
    } what = What::error_rate;
    double limit = 0; ///< Above it the trigger fires.
    std::uint64_t samples_min = 0;
    std::uint64_t window_ms = 300'000; ///< Of counts: consensus failures in 5 minutes.
    bool at_once =
        true; ///< Rolls back at once; else a review begins, and its clock rolls back if nobody answers.
};

inline constexpr Trigger::What kTriggerLast = Trigger::What::crash_loop;
std::string_view to_string(Trigger::What what);

struct Target {
    System system;
    std::uint32_t instances =
        1; ///< So many of `of` run the canary, at least one; scaled to what the cluster has, rounded up.
    std::uint32_t of = 1;
};

/// One weight for a time, then a gate.
struct Stage {
    double percent = 10;
    double days = 1;
    std::string gate;    ///< Name of a criteria list of the plan.
    bool shadow = false; ///< The share is mirrored to the canary, which answers nobody.
};

struct Step {
    std::string name;  ///< "manager-10"; letters, digits, '-'.
    std::string title; ///< "Day 1: manager, 1 of 3 at 10 %".
    std::vector<Target>
        targets; ///< Empty: all systems that have a canary, on all their nodes. Validation steps too.
    std::vector<Stage> stages;
    std::string approval; ///< Role that must approve before it begins; empty: none.
};

// Limits of a plan: what a person can still review, and what fits a record of the journal.
inline constexpr std::size_t kStepsMax = 64;
inline constexpr std::size_t kStagesMax = 16;
inline constexpr std::size_t kGatesMax = 16;
inline constexpr std::size_t kCriteriaMax = 32;
inline constexpr std::size_t kTriggersMax = 32;
inline constexpr std::size_t kNameBytesMax = 96;

// Floors of a rehearsal: shorter, and nothing could be measured or answered at all.
inline constexpr std::uint64_t kStageMsMin = 2'000;  ///< Two looks of a host.
inline constexpr std::uint64_t kRecentMsMin = 2'000; ///< Two looks of a host.
inline constexpr std::uint64_t kReviewMsMin = 5'000; ///< A script's answer.
inline constexpr std::uint64_t kWaitMsMin = 30'000;  ///< An exercise that restarts an actor or a node.
inline constexpr std::uint64_t kSamplesMin = 20;     ///< Fewer say nothing about a release.

struct Plan {
    std::string name;
    std::uint64_t day_ms = kRealDayMs;
    std::vector<Step> steps;
    std::map<std::string, std::vector<Criterion>> gates;
    std::vector<Trigger> triggers;
    std::uint64_t review_ms = 900'000; ///< The clock of a manual review.
    std::uint64_t recent_ms = 60'000;  ///< The recent window.
    double wait_days_max =
        1; ///< At a gate that is inconclusive or has no data, before the ramp pauses for people.

    /// Everything that is wrong with it, each with its place.
    Result<void> check() const;
    /// The plan with a day of `day_ms`: times and samples scaled alike, not below the floors above. A longer
    /// day only takes longer. A scaled plan is not scaled again.
    Plan scaled(std::uint64_t day_ms) const;
    /// What a scaled plan does otherwise than the plan as written, for the report; empty at the real clock.
    std::vector<std::string> rehearsal_notes() const;
    std::uint64_t stage_ms(const Stage& stage) const;
    std::uint64_t wait_ms() const; ///< wait_days_max in this plan's days.
    /// SHA-256 over its meaning.
    Hash256 digest() const;
};

} // namespace dwcp::ramp
