#include "actors/ramp/ramp_json.hpp"

#include <algorithm>
#include <cmath>

namespace dwcp::ramp {
namespace {

using nlohmann::json;

json optional_number(const std::optional<double>& value) {
    return value && std::isfinite(*value) ? json(*value) : json();
}

json weights_json(const std::vector<Weight>& weights) {
    json list = json::array();
    for (const Weight& weight : weights)
        list.push_back({{"system", weight.system},
                        {"percent", weight.percent},
                        {"nodes", weight.nodes},
                        {"shadow", weight.shadow}});
    return list;
}

json step_json(const State& state) {
    const Step* step = state.step_at_hand();
    if (step == nullptr) return {};
    return {{"index", state.step},
            {"name", step->name},
            {"title", step->title},
            {"count", state.plan->steps.size()}};
}

json stage_json(const State& state) {
    const Stage* stage = state.stage_at_hand();
    if (stage == nullptr) return {};
    return {{"index", state.stage},
            {"percent", stage->percent},
            {"since_ms", state.stage_since_ms},
            {"duration_ms", state.stage_ms()},
            {"gate", stage->gate},
            {"count", state.step_at_hand()->stages.size()}};
}

/// By system: its releases, and what each node that has one does.
json systems_json(const Observation& observation) {
    std::map<System, json> systems;
    for (const NodeReport& node : observation.nodes) {
        for (const auto& [name, report] : node.systems) {
            json& system = systems[name];
            if (system.is_null())
                system = {{"system", name},
                          {"stable", report.stable},
                          {"canary", report.canary},
                          {"nodes", json::array()}};
            if (system["canary"].get<std::string>().empty()) system["canary"] = report.canary;
            const auto requests = [&](Release release) {
                return report.total[static_cast<std::size_t>(release)].requests;
            };
            system["nodes"].push_back({{"node", node.node},
                                       {"percent", report.canary_percent},
                                       {"in_flight", report.canary_in_flight},
                                       {"canary_requests", requests(Release::canary)},
                                       {"stable_requests", requests(Release::stable)},
                                       {"canary_last_ms", report.canary_last_ms},
                                       {"forced", report.forced},
                                       {"unsettled", report.unsettled}});
        }
    }
    json list = json::array();
    for (auto& [name, system] : systems)
        list.push_back(std::move(system));
    return list;
}

json approvals_json(const std::map<std::string, Attestation>& all) {
    json list = json::array();
    for (const auto& [subject, given] : all)
        list.push_back({{"subject", subject},
                        {"by", given.by},
                        {"role", given.role},
                        {"reason", given.reason},
                        {"until_ms", given.until_ms}});
    return list;
}

json attestations_json(const std::vector<Attestation>& all) {
    json list = json::array();
    for (const Attestation& given : all)
        list.push_back({{"subject", given.subject},
                        {"by", given.by},
                        {"role", given.role},
                        {"reason", given.reason},
                        {"until_ms", given.until_ms}});
    return list;
}

} // namespace

json to_json(const Verdict& verdict) {
    return {{"criterion", verdict.criterion},
            {"check", to_string(verdict.check)},
            {"outcome", to_string(verdict.outcome)},
            {"limit", optional_number(verdict.limit)},
            {"measured", optional_number(verdict.measured)},
            {"unit", verdict.unit},
            {"n_canary", verdict.n_canary},
            {"n_stable", verdict.n_stable},
            {"effect", optional_number(verdict.effect)},
            {"low", optional_number(verdict.low)},
            {"high", optional_number(verdict.high)},
            {"reason", verdict.reason},
            {"overridden", verdict.overridden}};
}

json to_json(const std::vector<Verdict>& verdicts) {
    json list = json::array();
    for (const Verdict& verdict : verdicts)
        list.push_back(to_json(verdict));
    return list;
}

json to_json(const Alarm& alarm) {
    return {{"trigger", alarm.trigger},
            {"at_once", alarm.at_once},
            {"limit", alarm.limit},
            {"measured", optional_number(alarm.measured)},
            {"n", alarm.n},
            {"system", alarm.system},
            {"reason", alarm.reason}};
}

json to_json(const ExerciseResult& exercise) {
    return {{"what", to_string(exercise.what)},
            {"done", exercise.done},
            {"ok", exercise.ok},
            {"took_ms", exercise.took_ms},
            {"detail", exercise.detail}};
}

json to_json(const Record& record) {
    json object{{"seq", record.seq},
                {"term", record.term},
                {"at_ms", record.at_ms},
                {"kind", to_string(record.kind)},
                {"step", record.step},
                {"stage", record.stage},
                {"by", record.by.name},
                {"role", record.by.role},
                {"reason", record.reason.empty() ? record.by.reason : record.reason},
                {"verdicts", to_json(record.verdicts)},
                {"alarm", record.alarm ? to_json(*record.alarm) : json()}};
    if (!record.node.empty()) object["node"] = record.node;
    if (record.day_ms > 0) object["day_ms"] = record.day_ms;
    if (record.directive) {
        object["weights"] = weights_json(record.directive->weights);
        object["directive"] = record.directive->seq;
    }
    if (record.exercise) object["exercise"] = to_json(*record.exercise);
    if (record.attestation) {
        object["subject"] = record.attestation->subject;
        object["until_ms"] = record.attestation->until_ms;
    }
    if (record.on) object["on"] = true;
    return object;
}

json status_json(const RampView& view) {
    const State& state = view.state;
    json skipped = json::array();
    for (const auto& [step, reason] : state.skipped)
        skipped.push_back({{"step", step}, {"reason", reason}});
    json exercises = json::array();
    for (const ExerciseResult& exercise : state.exercises)
        exercises.push_back(to_json(exercise));
    // The host judges anew at each look; others know what was written down.
    const auto& verdicts = view.verdicts.empty() ? state.verdicts : view.verdicts;
    return {{"phase", to_string(state.phase)},
            {"phase_since_ms", state.phase_since_ms},
            {"plan", state.plan ? state.plan->name : ""},
            {"day_ms", state.plan ? state.plan->day_ms : 0},
            {"rehearsal", state.plan && state.plan->day_ms < kRealDayMs},
            {"notes", state.plan ? state.plan->rehearsal_notes() : std::vector<std::string>()},
            {"host", state.host},
            {"host_heard", view.host_heard},
            {"term", state.term},
            {"seq", state.seq},
            {"step", step_json(state)},
            {"stage", stage_json(state)},
            {"weights", weights_json(state.directive.weights)},
            {"reason", state.reason},
            {"explanation", view.explanation},
            {"review_until_ms", state.review_until_ms ? json(*state.review_until_ms) : json()},
            {"kill_switch", state.kill_switch},
            {"alarm", state.alarm ? to_json(*state.alarm) : json()},
            {"verdicts", to_json(verdicts)},
            {"skipped", std::move(skipped)},
            {"approvals", approvals_json(state.approvals)},
            {"overrides", approvals_json(state.overrides)},
            {"attestations", attestations_json(state.attestations)},
            {"exercises", std::move(exercises)},
            {"systems", view.observation ? systems_json(*view.observation) : json::array()},
            {"silent", view.silent}};
}

json plan_json(const Plan& plan) {
    json steps = json::array();
    for (const Step& step : plan.steps) {
        json targets = json::array();
        for (const Target& target : step.targets)
            targets.push_back(
                {{"system", target.system}, {"instances", target.instances}, {"of", target.of}});
        json stages = json::array();
        for (const Stage& stage : step.stages)
            stages.push_back({{"percent", stage.percent},
                              {"days", stage.days},
                              {"duration_ms", plan.stage_ms(stage)},
                              {"gate", stage.gate},
                              {"shadow", stage.shadow}});
        steps.push_back({{"name", step.name},
                         {"title", step.title},
                         {"approval", step.approval},
                         {"targets", std::move(targets)},
                         {"stages", std::move(stages)}});
    }
    json gates = json::object();
    for (const auto& [name, criteria] : plan.gates) {
        json list = json::array();
        for (const Criterion& criterion : criteria)
            list.push_back({{"name", criterion.name},
                            {"check", to_string(criterion.check)},
                            {"limit", criterion.limit},
                            {"samples_min", criterion.samples_min}});
        gates[name] = std::move(list);
    }
    json triggers = json::array();
    for (const Trigger& trigger : plan.triggers)
        triggers.push_back({{"name", trigger.name},
                            {"what", to_string(trigger.what)},
                            {"limit", trigger.limit},
                            {"samples_min", trigger.samples_min},
                            {"window_ms", trigger.window_ms},
                            {"at_once", trigger.at_once}});
    return {{"plan", plan.name},
            {"day_ms", plan.day_ms},
            {"rehearsal", plan.day_ms < kRealDayMs},
            {"notes", plan.rehearsal_notes()},
            {"digest", plan.digest().hex()},
            {"review_ms", plan.review_ms},
            {"recent_ms", plan.recent_ms},
            {"wait_ms", plan.wait_ms()},
            {"steps", std::move(steps)},
            {"gates", std::move(gates)},
            {"triggers", std::move(triggers)}};
}

json explain_json(const RampView& view) {
    const State& state = view.state;
    std::vector<std::string> sentences;
    if (!view.explanation.empty()) sentences.push_back(view.explanation);
    if (state.alarm)
        sentences.push_back("Last trigger: " + state.alarm->trigger + ", " + state.alarm->reason);
    for (const auto& [step, reason] : state.skipped)
        sentences.push_back("Step " + step + " was skipped: " + reason);
    if (!view.host_heard && !state.host.empty())
        sentences.push_back("The host " + state.host + " was not heard of lately.");
    json criteria = json::array();
    for (const Verdict& verdict : view.verdicts.empty() ? state.verdicts : view.verdicts)
        criteria.push_back({{"criterion", verdict.criterion},
                            {"outcome", to_string(verdict.outcome)},
                            {"reason", verdict.reason}});
    return {{"phase", to_string(state.phase)},
            {"host", state.host},
            {"sentences", std::move(sentences)},
            {"criteria", std::move(criteria)}};
}

} // namespace dwcp::ramp
