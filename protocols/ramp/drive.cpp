// What the ramp does by itself: the next record that its state and what it saw ask for.
#include "protocols/ramp/ramp.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::ramp {
namespace {

using Kind = Record::Kind;

/// An exercise that takes longer than this holds a gate no more: the gate waits its time and the ramp pauses.
constexpr UnixMillis kExerciseMsMax = 600'000;

std::string names_of(const std::vector<NodeName>& nodes) {
    std::string names;
    for (const NodeName& node : nodes)
        names += (names.empty() ? "" : ", ") + node;
    return names;
}

std::string names_of(const std::vector<Verdict>& verdicts, Outcome outcome) {
    std::string names;
    for (const Verdict& verdict : verdicts) {
        if (verdict.outcome == outcome && !verdict.overridden)
            names += (names.empty() ? "" : "; ") + verdict.criterion;
    }
    return names;
}

/// What the gate comes to when what an operator let pass counts as passed.
Outcome outcome_of(const std::vector<Verdict>& verdicts) {
    std::vector<Verdict> left = verdicts;
    for (Verdict& verdict : left) {
        if (verdict.overridden) verdict.outcome = Outcome::pass;
    }
    return left.empty() ? Outcome::no_data : overall(left);
}

/// "manager from multi-stream-1 to one-stream-1": what a node has again.
std::string restored(const Observation& look) {
    std::map<System, std::string> systems;
    for (const NodeReport& report : look.nodes) {
        for (const auto& [system, of] : report.systems) {
            if (!of.canary.empty())
                systems[system] = fmt::format("{} from {} to {}", system, of.canary, of.stable);
        }
    }
    std::string text;
    for (const auto& entry : systems)
        text += (text.empty() ? "" : ", ") + entry.second;
    return text.empty() ? "stable everywhere" : text;
}

/// Where a system has no canary for the ramp (a release that the node's configuration pins), it shifted none.
bool is_drained(const NodeReport& report) {
    return std::ranges::all_of(report.systems, [](const auto& entry) {
        const SystemReport& of = entry.second;
        return of.canary.empty() ||
               (of.canary_percent <= 0 && of.canary_in_flight == 0 && of.unsettled.empty());
    });
}

/// Systems of a criterion that have a canary at work.
std::vector<const Weight*> weights_of(const Criterion& criterion, const Directive& directive,
                                      const std::vector<System>& stage_systems) {
    const auto& systems = criterion.systems.empty() ? stage_systems : criterion.systems;
    std::vector<const Weight*> weights;
    for (const Weight& weight : directive.weights) {
        const bool named = std::ranges::find(systems, weight.system) != systems.end();
        if (named && weight.percent > 0 && !weight.nodes.empty()) weights.push_back(&weight);
    }
    return weights;
}

} // namespace

void Ramp::keep(const Record& record, const Evidence& evidence, Effects& effects) const {
    const Step* step = state_.step_at_hand();
    KeepEvidence keep;
    keep.seq = state_.seq + 1;
    keep.phase =
        fmt::format("{}/{}/{}", step == nullptr ? "end" : step->name, state_.stage, to_string(record.kind));
    keep.evidence = evidence;
    keep.verdicts = record.verdicts;
    effects.push_back(std::move(keep));
}

void Ramp::drive(UnixMillis now_ms, Effects& effects) {
    if (!is_host() || pending_) return;
    if (withdrawal_) {
        // Once a number, not at each attempt while the lane is away: it stays the same.
        const bool kept = std::exchange(withdrawal_->kept_seq, state_.seq + 1) == state_.seq + 1;
        if (withdrawal_->evidence && !kept) keep(withdrawal_->record, *withdrawal_->evidence, effects);
        return propose(withdrawal_->record, effects);
    }
    while (!waiting_.empty() && !pending_ && !withdrawal_) {
        const Command next = waiting_.front();
        waiting_.pop_front();
        take(next, now_ms, effects);
    }
    if (pending_) return;
    if (withdrawal_) return drive(now_ms, effects);
    const bool may_review =
        !is_at_rest(state_.phase) && state_.phase != Phase::rolling_back && state_.phase != Phase::review;
    if (review_alarm_ && may_review) {
        Record record = blank(Kind::review_begun, now_ms);
        record.alarm = std::exchange(review_alarm_, std::nullopt);
        record.reason = record.alarm->trigger + ": " + record.alarm->reason;
        keep(record, evidence(now_ms, false), effects);
        return propose(std::move(record), effects);
    }
    switch (state_.phase) {
    case Phase::starting:
        return drive_starting(now_ms, effects);
    case Phase::soaking:
        return drive_soaking(now_ms, effects);
    case Phase::gate:
        return drive_gate(now_ms, effects);
    case Phase::review:
        return drive_review(now_ms, effects);
    case Phase::rolling_back:
        return drive_rolling_back(now_ms, effects);
    case Phase::approval:
    case Phase::paused:
    case Phase::idle:
    case Phase::rolled_back:
    case Phase::completed:
    case Phase::aborted:
        return;
    }
}

bool Ramp::has_waited_enough(UnixMillis now_ms) const {
    return now_ms - state_.phase_since_ms > static_cast<UnixMillis>(state_.plan->wait_ms());
}

void Ramp::pause_by_itself(UnixMillis now_ms, std::string why, std::vector<Verdict> verdicts,
                           Effects& effects) {
    Record record = blank(Kind::paused, now_ms);
    record.reason = std::move(why);
    record.verdicts = std::move(verdicts);
    if (look_) keep(record, evidence(now_ms, true), effects);
    propose(std::move(record), effects);
}

void Ramp::drive_starting(UnixMillis now_ms, Effects& effects) {
    if (state_.step_at_hand() == nullptr) return finish_plan(now_ms, effects);
    const bool all_seen = has_fresh_look(now_ms) && look_->silent.empty() && !look_->nodes.empty();
    if (all_seen) return begin_stage(now_ms, effects);
    if (!has_waited_enough(now_ms)) return;
    const std::string who = has_fresh_look(now_ms) ? names_of(look_->silent) + " did not answer"
                                                   : std::string("no node was seen");
    pause_by_itself(now_ms, who + ", and no weight is raised unseen", {}, effects);
}

void Ramp::begin_stage(UnixMillis now_ms, Effects& effects) {
    const Step& step = *state_.step_at_hand();
    const Stage& stage = *state_.stage_at_hand();
    auto weights = weights_for(step, stage, canaries_of(*look_), state_.directive.weights);
    if (weights.empty() && state_.stage == 0) {
        Record record = blank(Kind::step_skipped, now_ms);
        record.reason = why_skipped(step);
        return propose(std::move(record), effects);
    }
    if (weights.empty()) {
        if (has_waited_enough(now_ms))
            pause_by_itself(now_ms, "the canaries of the step are gone from all nodes", {}, effects);
        return;
    }
    const auto approval = state_.approvals.find(step.name);
    const bool approved = approval != state_.approvals.end() && approval->second.until_ms > now_ms;
    if (state_.stage == 0 && !step.approval.empty() && !approved) {
        Record record = blank(Kind::approval_wanted, now_ms);
        record.reason = fmt::format("step {} wants the approval of an {}", step.name, step.approval);
        return propose(std::move(record), effects);
    }
    Record record = blank(Kind::stage_begun, now_ms);
    record.reason = fmt::format("{}: {:g} %", step.title.empty() ? step.name : step.title, stage.percent);
    record.directive = next_directive(std::move(weights), record.reason);
    propose(std::move(record), effects);
}

void Ramp::finish_plan(UnixMillis now_ms, Effects& effects) {
    // After the hand-over nobody compares or watches: what has only a part of the traffic is not handed over.
    const auto partial = std::ranges::find_if(state_.directive.weights, [](const Weight& weight) {
        return weight.percent > 0 && (weight.percent < 100 || weight.shadow);
    });
    if (partial != state_.directive.weights.end())
        return pause_by_itself(
            now_ms,
            fmt::format("the plan ends with {} {} at {:g} %, and only what has all traffic is handed over; "
                        "`ramp rollback` takes it back",
                        partial->system, partial->shadow ? "mirrored" : "only", partial->percent),
            {}, effects);
    const bool any = state_.directive.shifts();
    Record record = blank(any ? Kind::completed : Kind::aborted, now_ms);
    record.reason = any ? "the plan is through: the canaries are the new stable releases"
                        : "no step could be taken: no system has a canary";
    if (any) {
        record.directive = next_directive(state_.directive.weights, record.reason);
        record.directive->promoted = true;
        if (look_) keep(record, evidence(now_ms, false), effects);
    }
    propose(std::move(record), effects);
}

void Ramp::drive_soaking(UnixMillis now_ms, Effects& effects) {
    if (now_ms - state_.stage_since_ms < static_cast<UnixMillis>(state_.stage_ms())) return;
    Record record = blank(Kind::gate_reached, now_ms);
    record.reason = fmt::format("the stage has had its time; gate {} decides", state_.stage_at_hand()->gate);
    propose(std::move(record), effects);
}

std::vector<Verdict> Ramp::judged(const Evidence& evidence) const {
    auto verdicts = judge_gate(state_.gate_at_hand(), evidence, strictness());
    for (Verdict& verdict : verdicts) {
        const auto voucher = state_.overrides.find(verdict.criterion);
        if (voucher == state_.overrides.end() || verdict.outcome == Outcome::pass) continue;
        verdict.overridden = true;
        verdict.reason += fmt::format("; overridden by {} ({}): {}", voucher->second.by, voucher->second.role,
                                      voucher->second.reason);
    }
    return verdicts;
}

std::vector<Verdict> Ramp::preview(UnixMillis now_ms) const { return judged(evidence(now_ms, true)); }

void Ramp::drive_gate(UnixMillis now_ms, Effects& effects) {
    for (const auto& [what, result] : exercises_ended_) {
        const auto known = std::ranges::find(state_.exercises, what, &ExerciseResult::what);
        if (known != state_.exercises.end()) continue;
        Record record = blank(Kind::exercise_done, now_ms);
        record.exercise = result;
        record.reason = result.detail;
        return propose(std::move(record), effects);
    }
    start_exercises(now_ms, effects);
    if (has_fresh_look(now_ms) && std::exchange(look_is_new_, false)) judge_now(now_ms, effects);
    if (pending_ || !has_waited_enough(now_ms)) return;
    const auto runs = [now_ms](const auto& entry) { return now_ms - entry.second < kExerciseMsMax; };
    if (std::ranges::any_of(exercises_running_, runs)) return;
    const auto verdicts = judged(evidence(now_ms, true));
    const std::string unsure = names_of(verdicts, Outcome::inconclusive);
    const std::string missing = names_of(verdicts, Outcome::no_data);
    std::string why = "the gate did not come to a verdict in its time";
    if (!unsure.empty()) why += "; inconclusive: " + unsure;
    if (!missing.empty()) why += "; no data: " + missing;
    pause_by_itself(now_ms, std::move(why), verdicts, effects);
}

void Ramp::judge_now(UnixMillis now_ms, Effects& effects) {
    const Evidence seen = evidence(now_ms, true);
    auto verdicts = judged(seen);
    // Whatever the judge makes of nothing: what nobody measured passes no gate.
    const bool measured = !seen.observation.nodes.empty() && !seen.systems.empty() && seen.window_complete;
    const Outcome outcome = measured ? outcome_of(verdicts) : Outcome::no_data;
    fail_looks_ = outcome == Outcome::fail ? fail_looks_ + 1 : 0;
    Kind kind = Kind::gate_judged;
    std::string reason;
    if (outcome == Outcome::pass) {
        kind = Kind::stage_passed;
        reason = "every criterion of the gate is met";
    } else if (fail_looks_ >= kFailLooks) {
        kind = Kind::review_begun;
        reason = "the gate fails: " + names_of(verdicts, Outcome::fail);
    } else {
        // One line of history for a change of mind, not one a look.
        const bool changed = state_.verdicts.empty() || outcome_of(state_.verdicts) != outcome;
        const bool long_ago = now_ms - state_.judged_ms >= static_cast<UnixMillis>(state_.plan->recent_ms);
        if (!changed || !long_ago) return;
        reason = fmt::format("the gate is {}", to_string(outcome));
    }
    Record record = blank(kind, now_ms);
    record.reason = std::move(reason);
    record.verdicts = std::move(verdicts);
    if (kind != Kind::gate_judged) keep(record, seen, effects);
    propose(std::move(record), effects);
}

void Ramp::start_exercises(UnixMillis now_ms, Effects& effects) {
    if (!has_fresh_look(now_ms)) return;
    const auto systems = evidence(now_ms, true).systems;
    for (const Criterion& criterion : state_.gate_at_hand()) {
        const Check what = criterion.check;
        if (!is_exercise(what) || exercises_running_.contains(what) || exercises_ended_.contains(what))
            continue;
        if (std::ranges::find(state_.exercises, what, &ExerciseResult::what) != state_.exercises.end())
            continue;
        if (state_.overrides.contains(criterion.name)) continue;
        const auto weights = weights_of(criterion, state_.directive, systems);
        if (weights.empty()) continue; // not applicable
        StartExercise start;
        start.seq = state_.directive.seq;
        start.what = what;
        start.system = weights.front()->system;
        start.node = what == Check::backup_restore ? self_ : weights.front()->nodes.front();
        if (what == Check::node_failure) {
            // The host stays: it has to see the node come back.
            const auto other = std::ranges::find_if(
                look_->nodes, [this](const NodeReport& report) { return report.node != self_; });
            if (other == look_->nodes.end()) continue;
            start.node = other->node;
        }
        exercises_running_[what] = now_ms;
        effects.push_back(std::move(start));
    }
}

void Ramp::drive_review(UnixMillis now_ms, Effects& effects) {
    if (!state_.review_until_ms || now_ms < *state_.review_until_ms) return;
    Record record = blank(Kind::rollback_begun, now_ms);
    record.alarm = state_.alarm;
    record.verdicts = state_.verdicts;
    record.reason = "nobody answered the review in its time: " + state_.reason;
    withdraw(std::move(record), now_ms, effects);
    drive(now_ms, effects);
}

void Ramp::drive_rolling_back(UnixMillis now_ms, Effects& effects) {
    // That it was made under this rollback is said by the numbers in the reports; a wall clock may step back.
    if (!has_fresh_look(now_ms) || look_->nodes.empty()) return;
    const auto open = still_open();
    if (!open.empty()) return;
    UnixMillis last_canary_ms = 0;
    for (const NodeReport& report : look_->nodes) {
        for (const auto& entry : report.systems)
            last_canary_ms = std::max(last_canary_ms, entry.second.canary_last_ms);
    }
    Record record = blank(state_.ends_as_aborted ? Kind::aborted : Kind::rolled_back, now_ms);
    record.reason =
        fmt::format("restored {} on {} nodes, drained and verified {} ms after it began", restored(*look_),
                    look_->nodes.size(), std::max<UnixMillis>(now_ms - state_.phase_since_ms, 0));
    if (last_canary_ms > state_.phase_since_ms)
        record.reason += fmt::format("; the last canary request came in after {} ms",
                                     last_canary_ms - state_.phase_since_ms);
    if (!state_.given_up.empty()) {
        const std::vector<NodeName> gone(state_.given_up.begin(), state_.given_up.end());
        record.reason += "; given up by an operator: " + names_of(gone);
    }
    keep(record, evidence(now_ms, false), effects);
    propose(std::move(record), effects);
}

std::vector<NodeName> Ramp::still_open() const {
    std::vector<NodeName> open;
    if (!look_) return open;
    for (const NodeName& node : look_->silent) {
        if (!state_.given_up.contains(node)) open.push_back(node);
    }
    for (const NodeReport& report : look_->nodes) {
        if (report.seq != state_.directive.seq || !is_drained(report)) open.push_back(report.node);
    }
    return open;
}

} // namespace dwcp::ramp
