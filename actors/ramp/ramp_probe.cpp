#include "actors/ramp/ramp_probe.hpp"

#include <array>
#include <map>
#include <string>

namespace dwcp::ramp {
namespace {

/// What a rollback can be begun by; an operator's is "operator".
constexpr std::array kTriggers{"operator",    "error_rate",        "latency_p99",  "consensus_failures",
                               "corruptions", "security_breaches", "resource_use", "degradation",
                               "sla",         "crash_loop",        "review",       "other"};

metrics::Gauge phase_gauge(Phase phase) {
    return metrics::gauge("dwcp_ramp_phase", "The ramp's phase: 1 at the one that it is in.",
                          {{"phase", std::string(to_string(phase))}});
}

metrics::Gauge weight_gauge(const System& system) {
    return metrics::gauge("dwcp_ramp_canary_weight_ratio",
                          "Share of a system's traffic that its canary gets on the nodes that run it.",
                          {{"system", system}});
}

metrics::Counter rollbacks(const std::string& trigger) {
    return metrics::counter("dwcp_ramp_rollbacks_total", "Rollbacks that began, by what began them.",
                            {{"trigger", trigger}});
}

/// Plans name their triggers as they like; a label keeps to what they look at.
std::string cause_of(const Record& record, const State& state) {
    if (!record.alarm) return record.by.name == kRampItself ? "review" : "operator";
    if (state.plan)
        for (const Trigger& trigger : state.plan->triggers)
            if (trigger.name == record.alarm->trigger) return std::string(to_string(trigger.what));
    return "other";
}

} // namespace

RampProbe::RampProbe()
    : rollback_seconds_(
          metrics::gauge("dwcp_ramp_last_rollback_duration_seconds",
                         "From the begin of the last rollback to stable everywhere, verified.")) {
    for (const char* trigger : kTriggers)
        rollbacks(trigger); // there from the start, at 0
    show(State{});
}

void RampProbe::show(const State& state) const {
    for (int number = 0; number <= static_cast<int>(kPhaseLast); ++number) {
        const auto phase = static_cast<Phase>(number);
        phase_gauge(phase).set(phase == state.phase);
    }
    std::map<System, double> weights{{"manager", 0}, {"selector", 0}};
    for (const auto& weight : state.directive.weights)
        weights[weight.system] = weight.percent / 100;
    for (const auto& [system, ratio] : weights)
        weight_gauge(system).set(ratio);
}

void RampProbe::show(const std::vector<Verdict>& verdicts) const {
    for (const Verdict& verdict : verdicts)
        metrics::gauge("dwcp_ramp_verdict",
                       "Last verdict on a criterion of the gate at hand: 1 pass, 0 fail, -1 not known.",
                       {{"criterion", verdict.criterion}})
            .set(verdict.outcome == Outcome::pass   ? 1
                 : verdict.outcome == Outcome::fail ? 0
                                                    : -1);
}

void RampProbe::count(const Record& record, const State& state) const {
    if (record.kind == Record::Kind::rollback_begun) {
        rollback_begun_ms_ = record.at_ms;
        rollbacks(cause_of(record, state)).add();
    }
    if (record.kind == Record::Kind::rolled_back && rollback_begun_ms_ > 0)
        rollback_seconds_.set(static_cast<double>(record.at_ms - rollback_begun_ms_) / 1000);
}

} // namespace dwcp::ramp
