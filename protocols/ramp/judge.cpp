#include "protocols/ramp/judge.hpp"

#include "protocols/ramp/judging.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace dwcp::ramp {

namespace {

/// The systems whose latency is that of a commit, and that tolerate Byzantine members.
constexpr std::array kEngines{"probft", "tpbft", "bullshark"};

int gravity(Outcome outcome) {
    switch (outcome) {
    case Outcome::fail:
        return 4;
    case Outcome::no_data:
        return 3;
    case Outcome::inconclusive:
        return 2;
    case Outcome::pass:
        return 1;
    case Outcome::not_applicable:
        return 0;
    }
    return 3;
}

/// The criterion as it would be if it named the engines itself.
Criterion about_engines(const Criterion& criterion) {
    Criterion about = criterion;
    if (about.systems.empty()) about.systems.assign(kEngines.begin(), kEngines.end());
    return about;
}

Verdict judge_of_engines(const Case& of, const std::function<Verdict(const Case&)>& rest) {
    const Criterion about = about_engines(of.criterion);
    const Case engines{about, of.evidence, of.strictness};
    return rest(engines);
}

Verdict judge_exercise_of_systems(const Case& of) {
    if (!of.criterion.systems.empty() && systems_of(of).empty()) return decisive(of, {}, nullptr);
    return judge_exercise(of);
}

Verdict judge_finality(const Case& of) {
    return decisive(of, systems_of(of),
                    [](const Case& one, const System& system) { return judge_latency(one, system, 0.99); });
}

/// Availability is promised to users whether there is a canary or not.
std::vector<System> systems_with_traffic(const Case& of) {
    std::vector<System> systems = systems_of(of);
    if (!systems.empty() || !of.criterion.systems.empty()) return systems;
    for (const NodeReport& node : of.evidence.observation.nodes) {
        for (const auto& [system, report] : node.systems)
            if (std::ranges::find(systems, system) == systems.end()) systems.push_back(system);
    }
    return systems;
}

Verdict dispatch(const Case& of) {
    const auto each = [&of](Verdict (*judge_one)(const Case&, const System&)) {
        return decisive(of, systems_of(of), judge_one);
    };
    const auto latency = [&of](double q) {
        return decisive(of, systems_of(of),
                        [q](const Case& one, const System& system) { return judge_latency(one, system, q); });
    };
    switch (of.criterion.check) {
    case Check::error_rate:
        return each(judge_error_rate);
    case Check::availability:
        return decisive(of, systems_with_traffic(of), judge_availability);
    case Check::latency_p50:
        return latency(0.5);
    case Check::latency_p99:
        return latency(0.99);
    case Check::latency_against_stable:
        return each(judge_against_stable);
    case Check::optimisation:
        return each(judge_optimisation);
    case Check::cost:
        return each(judge_cost);
    case Check::throughput:
        return each(judge_throughput);
    case Check::load_balance:
        return decisive(of, systems_with_traffic(of), judge_load_balance);
    case Check::finality:
        return judge_of_engines(of, judge_finality);
    case Check::byzantine:
        return judge_of_engines(of, judge_exercise_of_systems);
    case Check::recovery:
    case Check::node_failure:
    case Check::backup_restore:
        return judge_exercise_of_systems(of);
    case Check::health:
        return judge_health(of);
    case Check::critical_incidents:
        return judge_incidents(of);
    case Check::quorum:
        return judge_quorum(of);
    case Check::monitoring:
        return judge_monitoring(of);
    case Check::burn_in:
        return judge_burn_in(of);
    case Check::attested:
        return judge_attested(of);
    }
    Verdict verdict = of.verdict("count");
    verdict.reason = "this version does not know the check";
    return verdict;
}

} // namespace

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
    case Outcome::pass:
        return "pass";
    case Outcome::fail:
        return "fail";
    case Outcome::inconclusive:
        return "inconclusive";
    case Outcome::no_data:
        return "no_data";
    case Outcome::not_applicable:
        return "not_applicable";
    }
    return "unknown";
}

Work sum(const Observation& observation, const System& system, Release release, bool recent) {
    Work all;
    for (const NodeReport& node : observation.nodes) {
        const auto it = node.systems.find(system);
        if (it == node.systems.end()) continue;
        const SystemReport& report = it->second;
        all.add((recent ? report.recent : report.total)[static_cast<std::size_t>(release)]);
        if (release == Release::canary && !recent) all.add(report.shadow);
    }
    return all;
}

Facts facts_of(const Observation& observation) {
    Facts facts;
    for (const NodeReport& node : observation.nodes)
        facts.add(node.total);
    return facts;
}

bool has_canary(const Observation& observation, const System& system) {
    return std::ranges::any_of(observation.nodes, [&](const NodeReport& node) {
        const auto it = node.systems.find(system);
        return it != node.systems.end() && !it->second.canary.empty();
    });
}

bool serves_stable(const Observation& observation, const System& system) {
    return std::ranges::any_of(observation.nodes, [&](const NodeReport& node) {
        const auto it = node.systems.find(system);
        return it != node.systems.end() && !(it->second.canary_percent >= 100);
    });
}

std::vector<System> systems_of(const Case& of) {
    const auto& wanted = of.criterion.systems.empty() ? of.evidence.systems : of.criterion.systems;
    std::vector<System> systems;
    for (const System& system : wanted)
        if (has_canary(of.evidence.observation, system)) systems.push_back(system);
    return systems;
}

Verdict Case::verdict(std::string unit) const {
    Verdict verdict;
    verdict.criterion = criterion.name;
    verdict.check = criterion.check;
    verdict.limit = criterion.limit;
    verdict.unit = std::move(unit);
    return verdict;
}

Verdict decisive(const Case& of, const std::vector<System>& systems,
                 const std::function<Verdict(const Case&, const System&)>& judge_one) {
    std::optional<Verdict> worst;
    for (const System& system : systems) {
        Verdict verdict = judge_one(of, system);
        verdict.reason = system + ": " + verdict.reason;
        const bool graver = !worst || gravity(verdict.outcome) > gravity(worst->outcome) ||
                            (verdict.outcome == worst->outcome && verdict.n_canary < worst->n_canary);
        if (graver) worst = std::move(verdict);
    }
    if (worst) return *worst;
    Verdict verdict = of.verdict("count");
    // Nobody who has answered names a system: that is silence, not the lack of a canary.
    const bool blind = of.evidence.observation.nodes.empty();
    verdict.outcome = blind ? Outcome::no_data : Outcome::not_applicable;
    verdict.reason = blind ? "no node has reported"
                           : fmt::format("{} no canary on any node that answered",
                                         of.criterion.systems.empty()
                                             ? "the stage's systems have"
                                             : fmt::format("{} has", fmt::join(of.criterion.systems, ", ")));
    return verdict;
}

Verdict judge(const Criterion& criterion, const Evidence& evidence, const Strictness& strictness) {
    const Case of{criterion, evidence, strictness};
    if (!std::isfinite(criterion.limit)) {
        Verdict verdict = of.verdict("count");
        verdict.limit = 0;
        verdict.outcome = Outcome::inconclusive;
        verdict.reason = "the criterion's limit is not a number";
        return verdict;
    }
    return dispatch(of);
}

std::vector<Verdict> judge_gate(const std::vector<Criterion>& gate, const Evidence& evidence,
                                const Strictness& strictness) {
    std::vector<Verdict> verdicts;
    for (const Criterion& criterion : gate)
        verdicts.push_back(judge(criterion, evidence, strictness));
    return verdicts;
}

Outcome overall(const std::vector<Verdict>& verdicts) {
    Outcome all = Outcome::not_applicable;
    for (const Verdict& verdict : verdicts) {
        const Outcome outcome = verdict.overridden ? Outcome::pass : verdict.outcome;
        if (gravity(outcome) > gravity(all)) all = outcome;
    }
    // A gate of which nothing applies has shown nothing.
    return all == Outcome::not_applicable ? Outcome::no_data : all;
}

} // namespace dwcp::ramp
