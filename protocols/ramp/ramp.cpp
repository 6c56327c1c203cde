// Events of the ramp: what came in, what was seen, what was committed. What follows from it is in drive.cpp.
#include "protocols/ramp/ramp.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::ramp {
namespace {

using Kind = Record::Kind;

bool is_same(const Record& a, const Record& b) {
    return a.seq == b.seq && a.kind == b.kind && a.at_ms == b.at_ms && a.by.name == b.by.name &&
           a.node == b.node;
}

/// What an operator's event says of a record.
Tell told(const Record& record, const State& state) {
    Tell tell;
    tell.name = "ramp_" + std::string(to_string(record.kind));
    const bool of_step = state.plan && record.step < state.plan->steps.size();
    tell.subject = of_step ? state.plan->steps[record.step].name : "ramp";
    tell.fields = {{"seq", std::to_string(record.seq)}, {"term", std::to_string(record.term)}};
    const auto put = [&tell](const char* key, const std::string& value) {
        if (!value.empty()) tell.fields[key] = value;
    };
    put("by", record.by.name);
    put("role", record.by.role);
    put("reason", record.reason);
    put("node", record.node);
    if (record.alarm) put("trigger", record.alarm->trigger);
    if (record.alarm) put("measured", fmt::format("{:.6g}", record.alarm->measured));
    if (record.exercise) put("exercise", std::string(to_string(record.exercise->what)));
    if (record.exercise) put("ok", record.exercise->ok ? "true" : "false");
    if (record.attestation) put("what", record.attestation->subject);
    if (record.directive) {
        for (const Weight& weight : record.directive->weights)
            put(("percent_" + weight.system).c_str(), fmt::format("{:g}", weight.percent));
    }
    return tell;
}

} // namespace

Ramp::Ramp(NodeName self, PlanReader read_plan) : self_(std::move(self)), read_plan_(std::move(read_plan)) {}

Record Ramp::blank(Record::Kind kind, UnixMillis now_ms) const {
    Record record;
    record.kind = kind;
    record.at_ms = now_ms;
    record.step = state_.step;
    record.stage = state_.stage;
    record.by = {.name = kRampItself, .role = {}, .reason = {}};
    return record;
}

Directive Ramp::next_directive(std::vector<Weight> weights, std::string reason) const {
    Directive next;
    next.term = state_.term;
    next.seq = state_.directive.seq + 1;
    next.weights = std::move(weights);
    if (state_.plan) next.recent_ms = state_.plan->recent_ms;
    next.kill_switch = state_.kill_switch;
    next.reason = std::move(reason);
    return next;
}

std::optional<Directive> Ramp::directive() const {
    if (!is_host()) return std::nullopt;
    if (!withdrawal_ && !seen_) return std::nullopt;
    Directive directive = withdrawal_ ? withdrawal_->directive : state_.directive;
    directive.term = state_.term;
    return directive;
}

void Ramp::propose(Record record, Effects& effects, std::optional<Command> command, std::string done) {
    record.seq = state_.seq + 1;
    record.term = state_.term;
    effects.push_back(Journal{record});
    pending_ = Pending{std::move(record), std::move(command), std::move(done)};
}

void Ramp::withdraw(Record record, UnixMillis now_ms, Effects& effects) {
    // A record under way may take the next number for its own directive; this one must be above it, and above
    // whatever a former host gave out.
    std::uint64_t seq = std::max(state_.directive.seq + 2, highest_seen_seq_ + 1);
    const bool again = withdrawal_.has_value();
    if (again) seq = std::max(seq, withdrawal_->directive.seq + 1);
    Directive none = next_directive({}, record.reason);
    none.seq = seq;
    none.kill_switch = state_.kill_switch || record.kind == Kind::kill_switch;
    record.directive = none;
    std::optional<Evidence> seen = again ? withdrawal_->evidence : std::optional<Evidence>();
    if (!again && look_) seen = evidence(now_ms, false);
    std::vector<Command> commands;
    if (again) commands = std::move(withdrawal_->commands);
    Tell tell = told(record, state_);
    tell.name = "ramp_withdrawn";
    withdrawal_ = Withdrawal{none, std::move(record), std::move(commands), std::move(seen)};
    effects.push_back(Direct{none});
    effects.push_back(std::move(tell));
}

Effects Ramp::take_over(UnixMillis now_ms, std::string reason) {
    Effects effects;
    Record record = blank(Kind::took_over, now_ms);
    record.seq = state_.seq + 1;
    record.term = state_.term + 1;
    record.node = self_;
    record.reason = std::move(reason);
    effects.push_back(Journal{record});
    return effects;
}

void Ramp::forget_what_was_seen() {
    look_.reset();
    look_is_new_ = seen_ = false;
    history_.clear();
    highest_seen_seq_ = 0;
    fail_looks_ = 0;
    review_alarm_.reset();
    exercises_running_.clear();
    exercises_ended_.clear();
}

Effects Ramp::take_up(UnixMillis) {
    pending_.reset();
    withdrawal_.reset();
    forget_what_was_seen();
    Effects effects;
    if (!is_host()) return effects;
    // Nothing to lose by it: it can go out before the nodes were seen.
    if (!state_.directive.shifts()) {
        seen_ = true;
        effects.push_back(Direct{*directive()});
    }
    return effects;
}

void Ramp::lose_host(Effects& effects) {
    std::vector<Command> unanswered(waiting_.begin(), waiting_.end());
    if (pending_ && pending_->command) unanswered.push_back(*pending_->command);
    if (withdrawal_)
        unanswered.insert(unanswered.end(), withdrawal_->commands.begin(), withdrawal_->commands.end());
    for (const Command& command : unanswered)
        effects.push_back(Answer{command.id, not_host()});
    waiting_.clear();
    pending_.reset();
    withdrawal_.reset();
    forget_what_was_seen();
}

std::unexpected<Error> Ramp::not_host() const {
    if (state_.host.empty())
        return fail(Errc::unavailable, "no node hosts the ramp yet",
                    "wait until the control lane is available; `ramp status` names the host");
    return fail(Errc::precondition_failed,
                fmt::format("{} does not host the ramp: {} does", self_, state_.host),
                fmt::format("give the command to {}", state_.host));
}

Effects Ramp::step(const Event& event, UnixMillis now_ms) {
    Effects effects;
    struct Visitor {
        Ramp& ramp;
        UnixMillis now_ms;
        Effects& effects;

        void operator()(const Tick&) { ramp.drive(now_ms, effects); }
        void operator()(const Observed& event) {
            ramp.observed(event.observation, now_ms, effects);
            ramp.drive(now_ms, effects);
        }
        void operator()(const Committed& event) { ramp.committed(event.record, now_ms, effects); }
        void operator()(const NotCommitted& event) { ramp.not_committed(event, effects); }
        void operator()(const ExerciseEnded& event) {
            ramp.exercise_ended(event);
            ramp.drive(now_ms, effects);
        }
        void operator()(const Command& event) { ramp.command(event, now_ms, effects); }
    };
    std::visit(Visitor{*this, now_ms, effects}, event);
    return effects;
}

void Ramp::committed(const Record& record, UnixMillis now_ms, Effects& effects) {
    const bool was_host = is_host();
    if (!apply(record)) return;
    if (record.kind == Kind::took_over) {
        lose_host(effects);
        if (!is_host()) return;
        for (Effect& effect : take_up(now_ms))
            effects.push_back(std::move(effect));
        effects.push_back(told(record, state_));
        return drive(now_ms, effects);
    }
    if (!was_host) return;
    if (record.directive) {
        // A new window: what was seen before says nothing of it.
        look_is_new_ = false;
        history_.clear();
        fail_looks_ = 0;
        review_alarm_.reset();
        exercises_running_.clear();
        exercises_ended_.clear();
        if (const auto now = directive()) effects.push_back(Direct{*now});
    }
    if (record.kind == Kind::resumed || record.kind == Kind::gate_reached) exercises_running_.clear();
    effects.push_back(told(record, state_));
    settle(record, effects);
    drive(now_ms, effects);
}

/// What was waiting for this record, or was overtaken by it.
void Ramp::settle(const Record& record, Effects& effects) {
    if (pending_ && record.seq >= pending_->record.seq) {
        const Pending pending = *std::exchange(pending_, std::nullopt);
        const bool ours = is_same(pending.record, record);
        if (pending.command && ours)
            effects.push_back(Answer{pending.command->id, pending.done});
        else if (pending.command)
            waiting_.push_front(*pending.command); // decided anew, in the state that there is now
    }
    if (!withdrawal_) return;
    const bool recorded = record.directive && record.directive->seq == withdrawal_->directive.seq;
    const bool moot = withdrawal_->record.kind != Kind::kill_switch && state_.phase != Phase::completed &&
                      (is_at_rest(state_.phase) || state_.phase == Phase::rolling_back);
    if (!recorded && !moot) return;
    for (const Command& command : withdrawal_->commands)
        effects.push_back(Answer{command.id, "stable serves everything; the ramp verifies it on every node"});
    withdrawal_.reset();
}

void Ramp::not_committed(const NotCommitted& event, Effects& effects) {
    if (!pending_ || pending_->record.seq != event.seq) return;
    if (pending_->command) {
        effects.push_back(Answer{
            pending_->command->id,
            fail(Errc::unavailable, "the journal of the ramp did not confirm the command: " + event.why,
                 "it may still come to pass: look at `ramp status` before repeating it")});
    }
    pending_.reset();
}

void Ramp::exercise_ended(const ExerciseEnded& event) {
    if (event.seq != state_.directive.seq || !event.result.done || !is_exercise(event.result.what)) return;
    exercises_running_.erase(event.result.what);
    exercises_ended_[event.result.what] = event.result;
}

bool Ramp::has_fresh_look(UnixMillis now_ms) const {
    return look_ && now_ms - look_->at_ms <= static_cast<UnixMillis>(kLookAgeMaxMs);
}

void Ramp::observed(Observation observation, UnixMillis now_ms, Effects& effects) {
    if (!is_host()) return;
    look_ = std::move(observation);
    look_is_new_ = true;
    history_.add(*look_);
    for (const NodeReport& report : look_->nodes)
        highest_seen_seq_ = std::max(highest_seen_seq_, report.seq);
    const bool may_withdraw = state_.directive.shifts() && !withdrawal_;
    // A node may hear of a record under way from the journal before this host does; a withdrawal is above it.
    std::uint64_t own_seq = state_.directive.seq;
    if (pending_ && pending_->record.directive) own_seq = std::max(own_seq, pending_->record.directive->seq);
    if (may_withdraw && highest_seen_seq_ > own_seq) {
        Record record = blank(Kind::rollback_begun, now_ms);
        record.reason = "a former host had withdrawn the canaries before it was lost";
        withdraw(std::move(record), now_ms, effects);
    }
    if (!std::exchange(seen_, true)) effects.push_back(Direct{*directive()});
    look_at_triggers(now_ms, effects);
}

void Ramp::look_at_triggers(UnixMillis now_ms, Effects& effects) {
    review_alarm_.reset();
    const bool guarded = !is_at_rest(state_.phase) && state_.phase != Phase::rolling_back;
    if (!guarded || withdrawal_ || !state_.directive.shifts()) return;
    for (const Alarm& alarm : look(state_.plan->triggers, evidence(now_ms, false), strictness())) {
        if (alarm.at_once) {
            Record record = blank(Kind::rollback_begun, now_ms);
            record.alarm = alarm;
            record.reason = alarm.trigger + ": " + alarm.reason;
            return withdraw(std::move(record), now_ms, effects);
        }
        if (!review_alarm_) review_alarm_ = alarm;
    }
}

Strictness Ramp::strictness() const {
    Strictness strictness;
    if (state_.plan)
        strictness.scale = static_cast<double>(state_.plan->day_ms) / static_cast<double>(kRealDayMs);
    strictness.seed = state_.directive.seq + 1;
    return strictness;
}

Evidence Ramp::evidence(UnixMillis now_ms, bool of_stage) const {
    Evidence evidence;
    evidence.now_ms = now_ms;
    if (look_) {
        evidence.observation = *look_;
        // Who counts in another window has nothing to say about this one.
        auto& nodes = evidence.observation.nodes;
        for (const NodeReport& report : nodes) {
            if (report.seq != state_.directive.seq) evidence.observation.silent.push_back(report.node);
        }
        std::erase_if(nodes, [this](const NodeReport& report) { return report.seq != state_.directive.seq; });
    }
    const Step* step = of_stage ? state_.step_at_hand() : nullptr;
    for (const Weight& weight : state_.directive.weights) {
        const bool named =
            step == nullptr || step->targets.empty() ||
            std::ranges::find(step->targets, weight.system, &Target::system) != step->targets.end();
        if (weight.percent > 0 && named) evidence.systems.push_back(weight.system);
    }
    evidence.window_ms = static_cast<std::uint64_t>(std::max<UnixMillis>(now_ms - state_.stage_since_ms, 0));
    evidence.window_complete = evidence.window_ms >= state_.stage_ms();
    evidence.history = history_.glances();
    evidence.troubles = state_.troubles;
    evidence.exercises = state_.exercises;
    evidence.attestations = state_.attestations;
    return evidence;
}

std::vector<NodeName> Ramp::silent() const { return look_ ? look_->silent : std::vector<NodeName>(); }

} // namespace dwcp::ramp
