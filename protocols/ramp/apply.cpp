// What each record changes: the table of transitions. The same on every node.
#include "protocols/ramp/ramp.hpp"

#include <algorithm>

namespace dwcp::ramp {
namespace {

using Kind = Record::Kind;

/// Under way and not yet on the way back.
bool goes_forward(Phase phase) { return !is_at_rest(phase) && phase != Phase::rolling_back; }

bool is_in_stage(Phase phase) { return phase == Phase::soaking || phase == Phase::gate; }

class Transition {
  public:
    Transition(State& state, const Record& record, const PlanReader& read_plan)
        : s_(state), r_(record), read_plan_(read_plan) {}

    void perform() {
        switch (r_.kind) {
        case Kind::took_over:
            return take_over();
        case Kind::started:
            return start();
        case Kind::step_skipped:
            return skip_step();
        case Kind::approval_wanted:
            if (s_.phase == Phase::starting) enter(Phase::approval);
            return;
        case Kind::approved:
            return approve();
        case Kind::stage_begun:
            return begin_stage();
        case Kind::gate_reached:
            if (s_.phase == Phase::soaking) enter(Phase::gate);
            return;
        case Kind::gate_judged:
            if (s_.phase == Phase::gate) note_verdicts();
            return;
        case Kind::stage_passed:
            return pass_stage();
        case Kind::attested:
            return attest();
        case Kind::overridden:
            return override_criterion();
        case Kind::exercise_done:
            return note_exercise();
        case Kind::paused:
            return pause();
        case Kind::resumed:
            return resume();
        case Kind::review_begun:
            return begin_review();
        case Kind::rollback_begun:
            return begin_rollback();
        case Kind::rolled_back:
        case Kind::aborted:
            return end_back();
        case Kind::completed:
            return complete();
        case Kind::kill_switch:
            return switch_off();
        }
    }

  private:
    void enter(Phase phase) {
        s_.phase = phase;
        s_.phase_since_ms = r_.at_ms;
        s_.reason = r_.reason;
        s_.review_until_ms.reset();
    }

    /// Whether the record's directive may follow the one in force.
    bool directs() const { return r_.directive && r_.directive->seq > s_.directive.seq; }
    void direct() { s_.directive = *r_.directive; }
    void note_verdicts() {
        s_.verdicts = r_.verdicts;
        s_.judged_ms = r_.at_ms;
    }
    void forget_stage() {
        s_.troubles = 0;
        s_.judged_ms = 0;
        s_.verdicts.clear();
        s_.overrides.clear();
        s_.exercises.clear();
    }

    void take_over() {
        s_.term = r_.term;
        s_.host = r_.node;
    }

    void start() {
        if (!is_at_rest(s_.phase) || s_.phase == Phase::completed || s_.kill_switch) return;
        auto plan = read_plan_(r_.plan_toml);
        if (!plan || !plan->check()) return;
        s_.plan = plan->scaled(r_.day_ms == 0 ? plan->day_ms : r_.day_ms);
        s_.plan_toml = r_.plan_toml;
        s_.step = s_.stage = 0;
        s_.stage_since_ms = 0;
        s_.ends_as_aborted = s_.was_rolled_back = false;
        s_.alarm.reset();
        s_.skipped.clear();
        s_.approvals.clear();
        s_.given_up.clear();
        forget_stage();
        enter(Phase::starting);
    }

    void skip_step() {
        const Step* step = s_.step_at_hand();
        if (s_.phase != Phase::starting || step == nullptr || s_.stage != 0) return;
        s_.skipped[step->name] = r_.reason;
        ++s_.step;
        enter(Phase::starting);
    }

    void approve() {
        if (!r_.attestation || !goes_forward(s_.phase)) return;
        const std::string& name = r_.attestation->subject;
        if (s_.approvals.size() < kVouchersMax || s_.approvals.contains(name))
            s_.approvals[name] = *r_.attestation;
        const Step* step = s_.step_at_hand();
        if (s_.phase == Phase::approval && step != nullptr && step->name == name) enter(Phase::starting);
    }

    /// Only what the stage grants: no weight above it that was not there before.
    bool is_granted(const Stage& stage) const {
        return std::ranges::all_of(r_.directive->weights, [&](const Weight& weight) {
            const auto before = std::ranges::find(s_.directive.weights, weight.system, &Weight::system);
            const double had = before == s_.directive.weights.end() ? 0 : before->percent;
            return weight.percent <= std::max(stage.percent, had);
        });
    }

    void begin_stage() {
        const Stage* stage = s_.stage_at_hand();
        if (s_.phase != Phase::starting || stage == nullptr || !directs() || !is_granted(*stage)) return;
        if (r_.step != s_.step || r_.stage != s_.stage) return;
        forget_stage();
        direct();
        enter(Phase::soaking);
        s_.stage_since_ms = r_.at_ms;
    }

    void pass_stage() {
        const bool by_operator = r_.by.name != kRampItself;
        const bool held = s_.phase == Phase::paused || s_.phase == Phase::review;
        const bool may = s_.phase == Phase::gate ||
                         (by_operator && (s_.phase == Phase::soaking || (held && is_in_stage(s_.back_to))));
        const Step* step = s_.step_at_hand();
        if (!may || step == nullptr || r_.step != s_.step || r_.stage != s_.stage) return;
        note_verdicts();
        const auto last = static_cast<std::uint32_t>(s_.plan->steps.size() - 1);
        if (r_.on && s_.step < last) {
            s_.step = last;
            s_.stage = 0;
        } else if (++s_.stage >= step->stages.size()) {
            ++s_.step;
            s_.stage = 0;
        }
        enter(Phase::starting);
    }

    void attest() {
        if (!r_.attestation) return;
        std::erase_if(s_.attestations, [&](const Attestation& attestation) {
            return attestation.subject == r_.attestation->subject;
        });
        if (s_.attestations.size() >= kVouchersMax) s_.attestations.erase(s_.attestations.begin());
        s_.attestations.push_back(*r_.attestation);
    }

    void override_criterion() {
        if (!r_.attestation) return;
        const std::string& subject = r_.attestation->subject;
        if (s_.phase == Phase::rolling_back)
            s_.given_up.insert(subject);
        else if (goes_forward(s_.phase) && s_.overrides.size() < kVouchersMax)
            s_.overrides[subject] = *r_.attestation;
    }

    void note_exercise() {
        if (!r_.exercise || !goes_forward(s_.phase)) return;
        std::erase_if(s_.exercises,
                      [&](const ExerciseResult& result) { return result.what == r_.exercise->what; });
        s_.exercises.push_back(*r_.exercise);
    }

    void pause() {
        if (!goes_forward(s_.phase) || s_.phase == Phase::paused || s_.phase == Phase::review) return;
        s_.back_to = s_.phase;
        if (!r_.verdicts.empty()) note_verdicts();
        enter(Phase::paused);
    }

    void resume() {
        if (s_.phase != Phase::paused && s_.phase != Phase::review) return;
        // What went wrong once may be tried again.
        std::erase_if(s_.exercises, [](const ExerciseResult& result) { return !result.ok; });
        if (!r_.directive) return enter(s_.back_to);
        if (!directs() || !is_in_stage(s_.back_to) || r_.directive->weights != s_.directive.weights) return;
        direct();
        s_.troubles = 0;
        enter(Phase::soaking);
        s_.stage_since_ms = r_.at_ms;
    }

    void begin_review() {
        if (!goes_forward(s_.phase) || s_.phase == Phase::review) return;
        if (s_.phase != Phase::paused) s_.back_to = s_.phase;
        ++s_.troubles;
        s_.alarm = r_.alarm;
        if (!r_.verdicts.empty()) note_verdicts();
        enter(Phase::review);
        s_.review_until_ms = r_.at_ms + static_cast<UnixMillis>(s_.plan->review_ms);
    }

    void begin_rollback() {
        if (!goes_forward(s_.phase) && s_.phase != Phase::completed) return;
        if (!directs() || r_.directive->shifts()) return;
        direct();
        s_.ends_as_aborted = r_.on;
        s_.given_up.clear();
        if (r_.alarm) s_.alarm = r_.alarm;
        if (!r_.verdicts.empty()) note_verdicts();
        enter(Phase::rolling_back);
    }

    void end_back() {
        const bool aborts = r_.kind == Kind::aborted;
        const bool back = s_.phase == Phase::rolling_back && aborts == s_.ends_as_aborted;
        const bool nothing_shifted = aborts && goes_forward(s_.phase) && !s_.directive.shifts();
        if (!back && !nothing_shifted) return;
        s_.was_rolled_back = back;
        enter(aborts ? Phase::aborted : Phase::rolled_back);
    }

    void complete() {
        if (s_.phase != Phase::starting || s_.step_at_hand() != nullptr || !directs()) return;
        if (!r_.directive->promoted || r_.directive->weights != s_.directive.weights) return;
        direct();
        enter(Phase::completed);
    }

    void switch_off() {
        if (!directs() || r_.directive->shifts()) return;
        s_.kill_switch = r_.on;
        direct();
        if (!r_.on || (is_at_rest(s_.phase) && s_.phase != Phase::completed)) return;
        if (s_.phase == Phase::rolling_back) return;
        s_.ends_as_aborted = false;
        s_.given_up.clear();
        enter(Phase::rolling_back);
    }

    State& s_;
    const Record& r_;
    const PlanReader& read_plan_;
};

} // namespace

bool Directive::shifts() const {
    return std::ranges::any_of(weights, [](const Weight& weight) { return weight.percent > 0; });
}

const Step* State::step_at_hand() const {
    return plan && step < plan->steps.size() ? &plan->steps[step] : nullptr;
}

const Stage* State::stage_at_hand() const {
    const Step* at_hand = step_at_hand();
    return at_hand != nullptr && stage < at_hand->stages.size() ? &at_hand->stages[stage] : nullptr;
}

const std::vector<Criterion>& State::gate_at_hand() const {
    static const std::vector<Criterion> kNone;
    const Stage* at_hand = stage_at_hand();
    if (at_hand == nullptr) return kNone;
    const auto gate = plan->gates.find(at_hand->gate);
    return gate == plan->gates.end() ? kNone : gate->second;
}

std::uint64_t State::stage_ms() const {
    const Stage* at_hand = stage_at_hand();
    return at_hand == nullptr ? 0 : plan->stage_ms(*at_hand);
}

bool Ramp::apply(const Record& record) {
    const std::uint64_t term = state_.term + (record.kind == Kind::took_over ? 1 : 0);
    if (record.seq != state_.seq + 1 || record.term != term) return false;
    state_.seq = record.seq;
    Transition(state_, record, read_plan_).perform();
    return true;
}

} // namespace dwcp::ramp
