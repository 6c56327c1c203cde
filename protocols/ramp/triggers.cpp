// Triggers: what rolls the canary back, or calls people.
#include "protocols/ramp/counts.hpp"
#include "protocols/ramp/judging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace dwcp::ramp {

namespace {

struct Look {
    const Trigger& trigger;
    const Evidence& evidence;
    const Strictness& strictness;

    std::uint64_t samples_min() const { return std::max<std::uint64_t>(trigger.samples_min, 1); }
    bool rehearsal() const { return strictness.scale < 1; }
    Alarm alarm(double measured, std::uint64_t n, System system, std::string reason) const {
        return {trigger.name,      trigger.at_once,  trigger.limit, measured, n,
                std::move(system), std::move(reason)};
    }
};

/// The bad ones of the recent window and of the whole one.
struct Bad {
    Proportion recent, total;
};

/// Which of the two windows shows a rate above `limit`, if one does.
const Proportion* shows(const Look& look, const Bad& bad, double limit) {
    const Proportion& recent = bad.recent;
    const bool fills = recent.n >= look.samples_min();
    if (fills && recent.rate() > limit && binomial_tail(recent, limit) < kTriggerDoubt) return &recent;
    // What is too rare for the recent window; not if the recent window says that it is over.
    const bool over = fills && recent.rate() <= limit / 2;
    if (over || bad.total.n < look.samples_min() || bad.total.rate() <= limit) return nullptr;
    return rate_interval(bad.total, limit, look.strictness.confidence).low > limit ? &bad.total : nullptr;
}

/// In a rehearsal all nodes share a machine, and its stalls hit both releases.
bool stable_is_no_better(const Look& look, const Proportion& canary, const Proportion& stable) {
    if (!look.rehearsal() || stable.n == 0) return false;
    const double typical = std::max(canary.rate() / 2, 1e-6);
    return difference_interval(canary, stable, typical, look.strictness.confidence).low <= 0;
}

Bad bad_of(const Look& look, const System& system, Release release,
           Proportion (*count)(const Work&, double)) {
    const Observation& seen = look.evidence.observation;
    return {count(sum(seen, system, release, true), look.trigger.limit),
            count(sum(seen, system, release, false), look.trigger.limit)};
}

Proportion failed(const Work& work, double) { return {work.errors, work.requests}; }
Proportion slow(const Work& work, double limit_s) { return slower_than(work.latency, limit_s); }

std::optional<Alarm> look_at_errors(const Look& look, const System& system) {
    const Bad canary = bad_of(look, system, Release::canary, failed);
    const Proportion* shown = shows(look, canary, look.trigger.limit);
    if (!shown) return std::nullopt;
    return look.alarm(shown->rate(), shown->n, system,
                      fmt::format("{}: {} of {} requests of the canary failed, {}; above {} beyond chance",
                                  system, count(shown->hits), count(shown->n), percent(shown->rate()),
                                  percent(look.trigger.limit)));
}

std::optional<Alarm> look_at_latency(const Look& look, const System& system) {
    constexpr double kShare = 0.01; // of a p99
    const Bad canary = bad_of(look, system, Release::canary, slow);
    const Proportion* shown = shows(look, canary, kShare);
    if (!shown) return std::nullopt;
    const bool is_recent = shown == &canary.recent;
    const Bad stable = bad_of(look, system, Release::stable, slow);
    if (stable_is_no_better(look, *shown, is_recent ? stable.recent : stable.total)) return std::nullopt;
    const double p99 =
        sum(look.evidence.observation, system, Release::canary, is_recent).latency.quantile(0.99);
    return look.alarm(p99, shown->n, system,
                      fmt::format("{}: p99 of the canary {}, {} of {} requests took longer than {}", system,
                                  seconds(p99), count(shown->hits), count(shown->n),
                                  seconds(look.trigger.limit)));
}

/// Slower than stable by more than the limit, in the recent window and in the whole one.
std::optional<Alarm> look_at_degradation(const Look& look, const System& system) {
    const Observation& seen = look.evidence.observation;
    for (const double q : {0.5, 0.99}) {
        const auto degraded = [&](bool recent) -> std::optional<Alarm> {
            const Sketch canary = sum(seen, system, Release::canary, recent).latency;
            const Sketch stable = sum(seen, system, Release::stable, recent).latency;
            if (std::min(canary.count(), stable.count()) < look.samples_min()) return std::nullopt;
            const double ours_s = canary.quantile(q), theirs_s = stable.quantile(q);
            const bool slower = ours_s > theirs_s * (1 + look.trigger.limit) &&
                                ours_s - theirs_s >= look.strictness.latency_floor_s;
            if (!slower) return std::nullopt; // as at nearly every look: the interval is the dear part
            const auto ratio = quantile_ratio(canary, stable, q, look.strictness.confidence);
            if (!ratio || !(ratio->low - 1 > look.trigger.limit)) return std::nullopt;
            return look.alarm(
                ratio->ratio - 1, canary.count(), system,
                fmt::format("{}: p{:g} of the canary {} against {} of stable, {} or more beyond chance",
                            system, q * 100, seconds(ours_s), seconds(theirs_s),
                            signed_percent(ratio->low - 1)));
        };
        if (!degraded(false)) continue;
        if (auto alarm = degraded(true)) return alarm;
    }
    return std::nullopt;
}

std::optional<Alarm> look_at_service(const Look& look) {
    Bad all;
    const auto take = [](Proportion& sum, const Work& work) {
        sum = {add_counts(sum.hits, work.errors), add_counts(sum.n, work.requests)};
    };
    for (const NodeReport& node : look.evidence.observation.nodes) {
        for (const auto& [system, report] : node.systems) {
            for (const Work& work : report.recent)
                take(all.recent, work);
            for (const Work& work : report.total)
                take(all.total, work);
        }
    }
    const Proportion* shown = shows(look, all, look.trigger.limit);
    if (!shown) return std::nullopt;
    return look.alarm(shown->rate(), shown->n, {},
                      fmt::format("{} of {} requests of all systems and releases failed, {}; above {} beyond "
                                  "chance",
                                  count(shown->hits), count(shown->n), percent(shown->rate()),
                                  percent(look.trigger.limit)));
}

std::optional<Alarm> above(const Look& look, std::uint64_t measured, std::string_view what) {
    if (!(static_cast<double>(measured) > look.trigger.limit)) return std::nullopt;
    return look.alarm(static_cast<double>(measured), measured, {},
                      fmt::format("{} {}, at most {:g} allowed", count(measured), what, look.trigger.limit));
}

std::uint64_t recent_failures(const Look& look) {
    const Evidence& evidence = look.evidence;
    std::uint64_t at_least = 0;
    for (const NodeReport& node : evidence.observation.nodes)
        at_least = add_counts(at_least, node.recent.consensus_failures);
    if (evidence.window_ms <= look.trigger.window_ms)
        return std::max(at_least, facts_of(evidence.observation).consensus_failures);
    const auto window_ms =
        static_cast<std::int64_t>(std::min<std::uint64_t>(look.trigger.window_ms, History::kKeptMs));
    std::uint64_t failures = 0;
    for (const Glance& glance : evidence.history)
        if (glance.at_ms > evidence.now_ms - window_ms)
            failures = add_counts(failures, glance.consensus_failures);
    return std::max(at_least, failures);
}

/// The resource was short at every look of the whole window.
std::optional<Alarm> look_at_resources(const Look& look) {
    const std::vector<Glance>& history = look.evidence.history;
    auto window_ms =
        static_cast<std::int64_t>(std::min<std::uint64_t>(look.trigger.window_ms, History::kKeptMs));
    if (look.rehearsal()) window_ms = std::max(window_ms, kRehearsalBusyMs);
    const auto eased = std::find_if(history.rbegin(), history.rend(), [&](const Glance& glance) {
        return glance.resource_use <= look.trigger.limit; // false of what is not a number
    });
    if (eased == history.rbegin()) return std::nullopt; // it is now, or there were no looks
    const std::int64_t busy_ms = history.back().at_ms - eased.base()->at_ms;
    if (busy_ms < window_ms) return std::nullopt;
    const double use = history.back().resource_use;
    return look.alarm(use, static_cast<std::uint64_t>(eased - history.rbegin()), {},
                      fmt::format("the scarcest resource of a node is used by {}, above {} for {}",
                                  std::isnan(use) ? "an unknown share" : percent(use),
                                  percent(look.trigger.limit), span(static_cast<std::uint64_t>(busy_ms))));
}

/// Nodes that keep to stable because their canary crashes.
std::optional<Alarm> look_at_crash_loops(const Look& look, const System& system) {
    std::uint64_t forced = 0;
    std::string why;
    for (const NodeReport& node : look.evidence.observation.nodes) {
        const auto it = node.systems.find(system);
        if (it == node.systems.end() || it->second.canary.empty() || it->second.forced.empty()) continue;
        ++forced;
        why = node.node + ": " + it->second.forced;
    }
    if (!(static_cast<double>(forced) > look.trigger.limit)) return std::nullopt;
    return look.alarm(static_cast<double>(forced), forced, system,
                      fmt::format("{}: {} nodes gave the canary up, last {}", system, forced, why));
}

void of_each_system(const Look& look, std::vector<Alarm>& alarms,
                    std::optional<Alarm> (*look_at)(const Look&, const System&)) {
    for (const System& system : look.evidence.systems)
        if (auto alarm = look_at(look, system)) alarms.push_back(std::move(*alarm));
}

void look_at(const Look& look, std::vector<Alarm>& alarms) {
    const auto take = [&alarms](std::optional<Alarm> alarm) {
        if (alarm) alarms.push_back(std::move(*alarm));
    };
    const Facts facts = facts_of(look.evidence.observation);
    switch (look.trigger.what) {
    case Trigger::What::error_rate:
        return of_each_system(look, alarms, look_at_errors);
    case Trigger::What::latency_p99:
        return of_each_system(look, alarms, look_at_latency);
    case Trigger::What::degradation:
        return of_each_system(look, alarms, look_at_degradation);
    case Trigger::What::crash_loop:
        return of_each_system(look, alarms, look_at_crash_loops);
    case Trigger::What::sla:
        return take(look_at_service(look));
    case Trigger::What::resource_use:
        return take(look_at_resources(look));
    case Trigger::What::consensus_failures:
        return take(above(look, recent_failures(look),
                          fmt::format("consensus failures within {}", span(look.trigger.window_ms))));
    case Trigger::What::corruptions:
        return take(above(look, facts.corruptions, "damaged blocks or records found"));
    case Trigger::What::security_breaches:
        return take(above(look, facts.security_breaches, "security breaches proven"));
    }
}

} // namespace

std::vector<Alarm> look(const std::vector<Trigger>& triggers, const Evidence& evidence,
                        const Strictness& strictness) {
    std::vector<Alarm> alarms;
    for (const Trigger& trigger : triggers)
        look_at({trigger, evidence, strictness}, alarms);
    std::ranges::stable_partition(alarms, [](const Alarm& alarm) { return alarm.at_once; });
    return alarms;
}

} // namespace dwcp::ramp
