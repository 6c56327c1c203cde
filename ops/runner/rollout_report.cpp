#include "ops/runner/rollout_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace dwcp::runner {
namespace {

using nlohmann::json;

constexpr std::int64_t kRestoredLimitMs = 1'000;

std::string text_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t count_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

std::int64_t time_of(const json& object) { return object.value("at_ms", std::int64_t{0}); }

/// What has no figure, only a yes or no.
bool has_threshold(const json& verdict) {
    static const std::set<std::string> without{"health",     "recovery", "byzantine", "node_failure",
                                               "monitoring", "burn_in",  "attested",  "backup_restore"};
    return !without.contains(text_of(verdict, "check"));
}

/// Passed although the figure is beyond the limit: the samples do not show that it is more than chance, or
/// nobody would notice.
bool is_lenient(const json& verdict) {
    const auto measured = verdict.find("measured"), limit = verdict.find("limit");
    return text_of(verdict, "check") == "latency_against_stable" && measured != verdict.end() &&
           measured->is_number() && limit != verdict.end() && limit->is_number() &&
           measured->get<double>() > limit->get<double>();
}

std::string shown(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_number()) return "-";
    const double value = found->get<double>();
    const std::string unit = text_of(object, "unit");
    if (unit == "s") return fmt::format("{:.1f} ms", value * 1000);
    if (unit == "ratio" || unit == "share") return fmt::format("{:.3g} %", value * 100);
    return fmt::format("{:.4g}", value);
}

/// The last judgement of each gate, in the order of the plan.
std::vector<const json*> judged_gates(const RolloutReport& report) {
    std::map<std::pair<std::uint64_t, std::uint64_t>, const json*> last;
    for (const auto& record : report.records) {
        const auto verdicts = record.find("verdicts");
        if (verdicts == record.end() || !verdicts->is_array() || verdicts->empty()) continue;
        last[{count_of(record, "step"), count_of(record, "stage")}] = &record;
    }
    std::vector<const json*> gates;
    for (const auto& [where, record] : last)
        gates.push_back(record);
    return gates;
}

std::string verdict_table(const RolloutReport& report) {
    std::string text;
    for (const json* gate : judged_gates(report)) {
        const auto step = count_of(*gate, "step"), stage = count_of(*gate, "stage");
        text +=
            fmt::format("\n  {}{}\n",
                        step < report.titles.size() ? report.titles[step] : fmt::format("step {}", step + 1),
                        stage > 0 ? fmt::format(", stage {}", stage + 1) : "");
        text += fmt::format("    {:<44} {:>10} {:>10} {:>8} {:>8}  {}\n", "criterion", "threshold",
                            "measured", "n canary", "n stable", "verdict");
        for (const auto& verdict : (*gate)["verdicts"]) {
            text += fmt::format("    {:<44} {:>10} {:>10} {:>8} {:>8}  {}\n", text_of(verdict, "criterion"),
                                has_threshold(verdict) ? shown(verdict, "limit") : "-",
                                shown(verdict, "measured"), count_of(verdict, "n_canary"),
                                count_of(verdict, "n_stable"), text_of(verdict, "outcome"));
            if (text_of(verdict, "outcome") != "pass" || is_lenient(verdict))
                text += fmt::format("      {}\n", text_of(verdict, "reason"));
        }
    }
    return text;
}

const json* find_record(const RolloutReport& report, const char* kind) {
    for (auto record = report.records.rbegin(); record != report.records.rend(); ++record)
        if (text_of(*record, "kind") == kind) return &*record;
    return nullptr;
}

/// Milliseconds from the trigger until every node was on stable, drained and verified; -1: it did not come to
/// that.
std::int64_t restored_ms(const RolloutReport& report) {
    const json* begun = find_record(report, "rollback_begun");
    const json* ended = find_record(report, "rolled_back");
    return begun && ended ? time_of(*ended) - time_of(*begun) : -1;
}

std::string rollback_time_line(const RolloutReport& report) {
    const json* begun = find_record(report, "rollback_begun");
    if (!begun) return {};
    const auto zero = time_of(*begun);
    std::vector<std::pair<std::int64_t, std::string>> moments;
    if (report.injected_ms != 0)
        moments.emplace_back(report.injected_ms, "injected " + report.inject + " into the canary");
    moments.emplace_back(zero, "trigger: " + text_of(*begun, "reason") + "; all nodes told to go to stable");
    for (const auto& system : report.status.value("systems", json::array()))
        for (const auto& node : system.value("nodes", json::array()))
            if (const auto last = node.value("canary_last_ms", std::int64_t{0}); last != 0)
                moments.emplace_back(last, fmt::format("last request to the canary of {} at {}",
                                                       text_of(system, "system"), text_of(node, "node")));
    if (const json* ended = find_record(report, "rolled_back"))
        moments.emplace_back(time_of(*ended), "restored: " + text_of(*ended, "reason"));
    std::ranges::stable_sort(moments, {}, &std::pair<std::int64_t, std::string>::first);
    std::string text = "\n  time line of the rollback, from the trigger:\n";
    for (const auto& [at, what] : moments)
        text += fmt::format("    {:+8} ms  {}\n", at - zero, what);
    return text;
}

/// What a short day does to times and samples, in the plan's own words.
std::string notes(const RolloutReport& report) {
    std::string text;
    for (const auto& note : report.status.value("notes", json::array()))
        if (note.is_string()) text += fmt::format("    {}\n", note.get<std::string>());
    return text;
}

std::string skips(const RolloutReport& report) {
    std::string text;
    for (const auto& skipped : report.status.value("skipped", json::array()))
        text += fmt::format("    {}: {}\n", text_of(skipped, "step"), text_of(skipped, "reason"));
    return text.empty() ? text : "\n  steps that were skipped:\n" + text;
}

Check check_kept(const RolloutReport& report) {
    const auto& verdict = report.verdict;
    return {"nothing acknowledged during the rollout was lost or reordered within its key", verdict.good(),
            fmt::format("{} puts of {} keys acknowledged in {:.0f} s, {} read back at once; {} keys lost, {} "
                        "reordered, {} "
                        "damaged",
                        report.traffic.acknowledged, verdict.keys, report.traffic.seconds,
                        report.traffic.read_back, verdict.lost, verdict.reordered, verdict.damaged)};
}

std::vector<Check> check_rolled_back(const RolloutReport& report) {
    const json* begun = find_record(report, "rollback_begun");
    const auto took = restored_ms(report);
    return {
        {"the ramp noticed the fault and rolled back by itself",
         report.phase == "rolled_back" && begun && text_of(*begun, "by") == "ramp",
         begun ? fmt::format("{} ms after the injection: {}", time_of(*begun) - report.injected_ms,
                             text_of(*begun, "reason"))
               : "it did not; " + (report.problem.empty() ? "it ended as " + report.phase : report.problem)},
        {"from the trigger until every node was verified on stable in under 1 s",
         took >= 0 && took < kRestoredLimitMs, took >= 0 ? fmt::format("{} ms", took) : "never"},
    };
}

std::vector<Check> check_completed(const RolloutReport& report) {
    std::map<std::string, std::size_t> outcomes;
    std::size_t overridden = 0;
    const auto gates = judged_gates(report);
    for (const json* gate : gates)
        for (const auto& verdict : (*gate)["verdicts"]) {
            ++outcomes[text_of(verdict, "outcome")];
            overridden += verdict.value("overridden", false);
        }
    std::string counts;
    for (const auto& [outcome, count] : outcomes)
        counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, outcome);
    const std::size_t apart = outcomes["fail"] + outcomes["inconclusive"] + outcomes["no_data"];
    return {
        {"the plan ran from its first step to the hand-over",
         report.phase == "completed" && report.problem.empty(),
         report.problem.empty()
             ? fmt::format("{} after {:.0f} s, a day in {}", report.phase, report.seconds, report.day)
             : report.problem},
        {"every criterion that applies passed, none was overridden",
         !gates.empty() && apart == 0 && overridden == 0,
         fmt::format("{} gates: {}; {} overridden", gates.size(), counts, overridden)},
    };
}

} // namespace

std::vector<Check> judge(const RolloutReport& report) {
    auto checks = report.inject.empty() ? check_completed(report) : check_rolled_back(report);
    checks.push_back(check_kept(report));
    return checks;
}

std::string to_text(const RolloutReport& report) {
    std::string text = fmt::format(
        "  rollout      a day in {}: {} after {:.0f} s, {} nodes killed at its wish; {:.0f} puts/s, "
        "{} refusals, {} broken connections\n",
        report.day, report.phase, report.seconds, report.nodes_killed,
        report.traffic.seconds > 0 ? static_cast<double>(report.traffic.acknowledged) / report.traffic.seconds
                                   : 0.0,
        report.traffic.refusals, report.traffic.broken_connections);
    text += notes(report) + verdict_table(report) + skips(report) + rollback_time_line(report);
    for (const auto& problem : report.verdict.problems)
        text += "  " + problem + "\n";
    return text;
}

json to_json(const RolloutReport& report) {
    return {{"day", report.day},
            {"inject", report.inject},
            {"phase", report.phase},
            {"problem", report.problem},
            {"seconds", report.seconds},
            {"restored_ms", restored_ms(report)},
            {"nodes_killed", report.nodes_killed},
            {"acknowledged", report.traffic.acknowledged},
            {"refusals", report.traffic.refusals},
            {"broken_connections", report.traffic.broken_connections},
            {"keys", report.verdict.keys},
            {"lost", report.verdict.lost},
            {"reordered", report.verdict.reordered},
            {"damaged", report.verdict.damaged},
            {"status", report.status},
            {"records", report.records}};
}

} // namespace dwcp::runner
