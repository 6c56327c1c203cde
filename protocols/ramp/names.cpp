// The words of the plan's file, the journal, events and the shell.
#include "protocols/ramp/ramp.hpp"

#include <array>

namespace dwcp::ramp {
namespace {

template<class Enum, std::size_t kCount>
std::string_view name_of(const std::array<std::string_view, kCount>& names, Enum value) {
    const auto index = static_cast<std::size_t>(value);
    return index < kCount ? names[index] : "unknown";
}

} // namespace

std::string_view to_string(Check check) {
    static constexpr std::array<std::string_view, static_cast<std::size_t>(kCheckLast) + 1> kNames{
        "error_rate",   "availability",       "latency_p50",  "latency_p99", "latency_against_stable",
        "health",       "critical_incidents", "recovery",     "quorum",      "byzantine",
        "optimisation", "load_balance",       "node_failure", "throughput",  "cost",
        "monitoring",   "finality",           "burn_in",      "attested",    "backup_restore"};
    return name_of(kNames, check);
}

std::string_view to_string(Trigger::What what) {
    static constexpr std::array<std::string_view, static_cast<std::size_t>(kTriggerLast) + 1> kNames{
        "error_rate",        "latency_p99",  "consensus_failures", "corruptions",
        "security_breaches", "resource_use", "degradation",        "sla",
        "crash_loop"};
    return name_of(kNames, what);
}

std::string_view to_string(Phase phase) {
    static constexpr std::array<std::string_view, static_cast<std::size_t>(kPhaseLast) + 1> kNames{
        "idle",   "starting",     "approval",    "soaking",   "gate",   "paused",
        "review", "rolling_back", "rolled_back", "completed", "aborted"};
    return name_of(kNames, phase);
}

std::string_view to_string(Record::Kind kind) {
    static constexpr std::array<std::string_view, static_cast<std::size_t>(kRecordKindLast) + 1> kNames{
        "took_over",      "started",       "step_skipped", "approval_wanted", "approved",
        "stage_begun",    "gate_reached",  "gate_judged",  "stage_passed",    "attested",
        "overridden",     "exercise_done", "paused",       "resumed",         "review_begun",
        "rollback_begun", "rolled_back",   "aborted",      "completed",       "kill_switch"};
    return name_of(kNames, kind);
}

std::string_view to_string(Command::Verb verb) {
    static constexpr std::array<std::string_view, static_cast<std::size_t>(Command::Verb::kill_switch) + 1>
        kNames{"start",    "pause",    "resume",  "promote", "abort",
               "rollback", "override", "approve", "attest",  "kill-switch"};
    return name_of(kNames, verb);
}

bool is_at_rest(Phase phase) {
    return phase == Phase::idle || phase == Phase::rolled_back || phase == Phase::completed ||
           phase == Phase::aborted;
}

bool is_exercise(Check check) {
    return check == Check::recovery || check == Check::byzantine || check == Check::node_failure ||
           check == Check::backup_restore;
}

} // namespace dwcp::ramp
