// What operators ask of the ramp: done, or refused with why and what to do instead.
#include "protocols/ramp/ramp.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::ramp {
namespace {

using Kind = Record::Kind;
using Verb = Command::Verb;

/// How long an approval, attestation or override holds if nobody says so.
constexpr UnixMillis kVoucherMs = 86'400'000;

std::unexpected<Error> refuse(std::string message, std::string remedy) {
    return fail(Errc::precondition_failed, std::move(message), std::move(remedy));
}

bool is_in_stage(Phase phase) { return phase == Phase::soaking || phase == Phase::gate; }

int rank_of(std::string_view role) {
    const auto found = std::ranges::find(kRoles, role);
    return found == kRoles.end() ? -1 : static_cast<int>(found - kRoles.begin());
}

bool may_approve(const std::string& role, const std::string& needed) {
    return role == needed || (rank_of(role) >= 0 && rank_of(role) >= rank_of(needed) && rank_of(needed) >= 0);
}

Attestation voucher(const Command& command, std::string subject, UnixMillis now_ms) {
    const auto until =
        command.expires_ms == 0 ? now_ms + kVoucherMs : static_cast<UnixMillis>(command.expires_ms);
    return {.subject = std::move(subject),
            .by = command.by.name,
            .role = command.by.role,
            .reason = command.by.reason,
            .until_ms = until};
}

/// Turns commands into records; one call each.
class Desk {
  public:
    Desk(const State& state, const PlanReader& read_plan, const Command& command, Record record,
         UnixMillis now_ms)
        : s_(state), read_plan_(read_plan), command_(command), record_(std::move(record)), now_ms_(now_ms) {
        record_.by = command.by;
        record_.reason = command.by.reason;
    }

    Result<Record> record(std::string& done) {
        switch (command_.verb) {
        case Verb::start:
            return start(done);
        case Verb::pause:
            return pause(done);
        case Verb::resume:
            return resume(done);
        case Verb::promote:
            return promote(done);
        case Verb::abort:
        case Verb::rollback:
            return abort_unshifted(done);
        case Verb::override_:
            return override_criterion(done);
        case Verb::approve:
            return approve(done);
        case Verb::attest:
            return attest(done);
        case Verb::kill_switch:
            return kill_switch_off(done);
        }
        return fail(Errc::internal, "unknown command of the ramp");
    }

  private:
    Result<Record> as(Kind kind) {
        record_.kind = kind;
        return record_;
    }
    Result<void> needs_reason(const char* what) const {
        if (!command_.by.reason.empty()) return {};
        return fail(Errc::invalid_argument, fmt::format("{} needs a reason", what), "give one with --reason");
    }
    Result<void> needs_time_left() const {
        if (command_.expires_ms == 0 || static_cast<UnixMillis>(command_.expires_ms) > now_ms_) return {};
        return fail(Errc::invalid_argument, "the expiry is in the past", "give one that is still to come");
    }
    std::unexpected<Error> not_in_phase(const char* what, const char* remedy) const {
        return refuse(fmt::format("{}: the ramp is {}", what, to_string(s_.phase)), remedy);
    }

    Result<Record> start(std::string& done) {
        if (s_.kill_switch)
            return refuse("the kill switch is on", "find out why, then `ramp kill-switch off --reason TEXT`");
        if (s_.phase == Phase::completed)
            return refuse("the last plan was handed over and its releases are in force",
                          "`ramp rollback` returns to the earlier ones; then start again");
        if (!is_at_rest(s_.phase))
            return refuse(fmt::format("plan {} is {}", s_.plan->name, to_string(s_.phase)),
                          "let it end, or `ramp abort`");
        if (s_.was_rolled_back && command_.by.reason.empty())
            return refuse("the last plan was rolled back: " + s_.reason,
                          "say with --reason what is different this time");
        if (command_.plan_toml.size() > kPlanTextBytesMax)
            return fail(Errc::too_large, fmt::format("the plan is larger than {} bytes", kPlanTextBytesMax),
                        "shorten its titles and criteria");
        const auto plan = read_plan_(command_.plan_toml);
        if (!plan) return std::unexpected(plan.error());
        if (const auto good = plan->check(); !good) return std::unexpected(good.error());
        if (command_.day_ms > kRealDayMs)
            return fail(Errc::invalid_argument, "a day is longer than 24 h", "give a shorter one, or none");
        record_.step = record_.stage = 0;
        record_.plan_toml = command_.plan_toml;
        record_.day_ms = command_.day_ms;
        if (record_.reason.empty()) record_.reason = fmt::format("plan {} started", plan->name);
        done = fmt::format("plan {} started: {} steps", plan->name, plan->steps.size());
        return as(Kind::started);
    }

    Result<Record> pause(std::string& done) {
        if (s_.phase == Phase::paused) return refuse("the ramp is paused already", "`ramp resume` ends it");
        if (s_.phase == Phase::review)
            return refuse("a review runs, and its clock cannot be stopped",
                          "`ramp resume` or `ramp promote` ends it, `ramp rollback` goes back");
        if (is_at_rest(s_.phase) || s_.phase == Phase::rolling_back)
            return not_in_phase("there is nothing to pause", "`ramp status` shows where it stands");
        done = "paused; weights stay, triggers are still watched";
        return as(Kind::paused);
    }

    Result<Record> resume(std::string& done) {
        if (s_.phase != Phase::paused && s_.phase != Phase::review)
            return not_in_phase("there is nothing to resume", s_.phase == Phase::approval
                                                                  ? "it waits for `ramp approve`"
                                                                  : "`ramp status` shows where it stands");
        const bool anew = s_.phase == Phase::review && s_.alarm && is_in_stage(s_.back_to);
        if (s_.phase == Phase::review) {
            if (const auto given = needs_reason("ending a review"); !given)
                return std::unexpected(given.error());
        }
        if (anew) {
            // The troubled time must not speak for or against the stage: a new window.
            Directive directive = s_.directive;
            directive.term = s_.term;
            ++directive.seq;
            directive.reason = record_.reason;
            record_.directive = std::move(directive);
        }
        done = anew ? "resumed; the stage begins anew" : "resumed";
        return as(Kind::resumed);
    }

    Result<Record> promote(std::string& done) {
        const bool held = s_.phase == Phase::paused || s_.phase == Phase::review;
        if (s_.phase == Phase::approval)
            return refuse("the next step waits for an approval", "`ramp approve`");
        if (!is_in_stage(s_.phase) && !(held && is_in_stage(s_.back_to)))
            return not_in_phase("no stage is under way that could be promoted",
                                "`ramp status` shows where it stands");
        if (!command_.subject.empty() && command_.subject != "full")
            return fail(Errc::invalid_argument, fmt::format("promote knows no \"{}\"", command_.subject),
                        "say nothing for the next stage, or full for the last step");
        if (const auto given = needs_reason("promoting past a gate"); !given)
            return std::unexpected(given.error());
        record_.on = command_.subject == "full";
        record_.verdicts = s_.verdicts;
        done = record_.on ? "promoted to the last step; its time, gate and approval remain"
                          : "promoted past the gate of this stage";
        return as(Kind::stage_passed);
    }

    Result<Record> abort_unshifted(std::string& done) {
        done = "aborted; nothing had been shifted";
        if (record_.reason.empty()) record_.reason = "by an operator";
        return as(Kind::aborted);
    }

    Result<Record> override_criterion(std::string& done) {
        const std::string& subject = command_.subject;
        if (const auto given = needs_reason("an override"); !given) return std::unexpected(given.error());
        record_.attestation = voucher(command_, subject, now_ms_);
        if (s_.phase == Phase::rolling_back) {
            done = fmt::format("the rollback no longer waits for {}", subject);
            return as(Kind::overridden);
        }
        if (is_at_rest(s_.phase)) return not_in_phase("there is no gate at hand", "start a plan first");
        const auto trigger = std::ranges::find(s_.plan->triggers, subject, &Trigger::name);
        if (trigger != s_.plan->triggers.end())
            return refuse(fmt::format("\"{}\" is a trigger, and triggers cannot be overridden", subject),
                          trigger->at_once ? "mend what it measures; it rolls back at once when it fires"
                                           : "when it fires, answer its review with `ramp resume`");
        const auto& gate = s_.gate_at_hand();
        if (std::ranges::find(gate, subject, &Criterion::name) == gate.end()) {
            std::string names;
            for (const Criterion& criterion : gate)
                names += (names.empty() ? "\"" : ", \"") + criterion.name + "\"";
            return fail(Errc::not_found, fmt::format("the gate at hand has no criterion \"{}\"", subject),
                        names.empty() ? "wait until a stage is under way" : "it has " + names);
        }
        done = fmt::format("\"{}\" counts as passed at this gate", subject);
        return as(Kind::overridden);
    }

    Result<Record> approve(std::string& done) {
        const Step* at_hand = s_.step_at_hand();
        if (is_at_rest(s_.phase) || s_.phase == Phase::rolling_back || at_hand == nullptr)
            return not_in_phase("no step waits for an approval", "start a plan first");
        const std::string name = command_.subject.empty() ? at_hand->name : command_.subject;
        const auto step = std::ranges::find(s_.plan->steps, name, &Step::name);
        if (step == s_.plan->steps.end())
            return fail(Errc::not_found, fmt::format("the plan has no step \"{}\"", name),
                        "`ramp plan` lists the steps");
        if (step->approval.empty())
            return refuse(fmt::format("step {} needs no approval", name), "`ramp plan` shows which steps do");
        if (!may_approve(command_.by.role, step->approval))
            return fail(Errc::permission_denied,
                        fmt::format("step {} wants the approval of an {}, not of a {}", name, step->approval,
                                    command_.by.role),
                        "ask somebody with that role");
        if (const auto given = needs_reason("an approval"); !given) return std::unexpected(given.error());
        if (const auto left = needs_time_left(); !left) return std::unexpected(left.error());
        record_.attestation = voucher(command_, name, now_ms_);
        done = fmt::format("step {} is approved", name);
        return as(Kind::approved);
    }

    Result<Record> attest(std::string& done) {
        if (command_.subject.empty())
            return fail(Errc::invalid_argument, "nothing is named that you vouch for",
                        "name the subject of the criterion, e.g. runbooks");
        if (const auto given = needs_reason("an attestation"); !given) return std::unexpected(given.error());
        if (const auto left = needs_time_left(); !left) return std::unexpected(left.error());
        record_.attestation = voucher(command_, command_.subject, now_ms_);
        done = fmt::format("{} vouches for {}", command_.by.name, command_.subject);
        return as(Kind::attested);
    }

    Result<Record> kill_switch_off(std::string& done) {
        if (!s_.kill_switch) return refuse("the kill switch is off already", "nothing to do");
        if (const auto given = needs_reason("releasing the kill switch"); !given)
            return std::unexpected(given.error());
        if (s_.phase == Phase::rolling_back)
            return refuse("the rollback is not verified yet", "wait until the ramp is rolled_back");
        Directive directive;
        directive.term = s_.term;
        directive.seq = s_.directive.seq + 1;
        directive.reason = record_.reason;
        record_.directive = std::move(directive);
        record_.on = false;
        done = "the kill switch is off; stable serves everything until a plan is started";
        return as(Kind::kill_switch);
    }

    const State& s_;
    const PlanReader& read_plan_;
    const Command& command_;
    Record record_;
    UnixMillis now_ms_;
};

} // namespace

void Ramp::command(const Command& command, UnixMillis now_ms, Effects& effects) {
    if (!is_host()) {
        effects.push_back(Answer{command.id, not_host()});
        return;
    }
    const bool stops = command.verb == Verb::abort || command.verb == Verb::rollback ||
                       (command.verb == Verb::kill_switch && command.on);
    if (stops && stop(command, now_ms, effects)) return drive(now_ms, effects);
    if (waiting_.size() >= kCommandsWaitingMax) {
        effects.push_back(
            Answer{command.id, fail(Errc::resource_exhausted, "too many commands wait for the journal",
                                    "wait for their answers; `ramp status` shows whether the lane works")});
        return;
    }
    waiting_.push_back(command);
    drive(now_ms, effects);
}

/// What takes traffic away does not wait for anything. False: there is nothing to take away (yet), it is a
/// command like others.
bool Ramp::stop(const Command& command, UnixMillis now_ms, Effects& effects) {
    const bool kills = command.verb == Verb::kill_switch;
    const auto answer = [&](Result<std::string> outcome) {
        effects.push_back(Answer{command.id, std::move(outcome)});
        return true;
    };
    if (kills && command.by.reason.empty())
        return answer(
            fail(Errc::invalid_argument, "the kill switch needs a reason", "give one with --reason"));
    if (kills && state_.kill_switch) return answer("the kill switch is on already; stable serves everything");
    if (!kills) {
        const bool nothing = is_at_rest(state_.phase) &&
                             (state_.phase != Phase::completed || command.verb == Verb::abort) &&
                             !withdrawal_;
        if (nothing && command.verb == Verb::abort && !pending_)
            return answer(fmt::format("nothing is under way, so nothing was aborted: the ramp is {}",
                                      to_string(state_.phase)));
        if (nothing && !pending_)
            return answer(refuse(fmt::format("nothing is under way: the ramp is {}", to_string(state_.phase)),
                                 "stable serves everything already"));
        if (state_.phase == Phase::rolling_back)
            return answer("a rollback is under way already; stable serves everything that is new");
        if (!withdrawal_ && !state_.directive.shifts()) return false;
    }
    const bool stronger = !withdrawal_ || (kills && withdrawal_->record.kind != Kind::kill_switch);
    if (stronger) {
        Record record = blank(kills ? Kind::kill_switch : Kind::rollback_begun, now_ms);
        record.by = command.by;
        record.on = kills || command.verb == Verb::abort;
        record.reason = command.by.reason.empty() ? "by an operator" : command.by.reason;
        withdraw(std::move(record), now_ms, effects);
    }
    withdrawal_->commands.push_back(command);
    return true;
}

void Ramp::take(const Command& command, UnixMillis now_ms, Effects& effects) {
    const bool stops = command.verb == Verb::abort || command.verb == Verb::rollback;
    if (stops && stop(command, now_ms, effects)) return;
    std::string done;
    Desk desk(state_, read_plan_, command, blank(Kind::started, now_ms), now_ms);
    auto record = desk.record(done);
    if (!record) {
        effects.push_back(Answer{command.id, std::unexpected(record.error())});
        return;
    }
    propose(std::move(*record), effects, command, std::move(done));
}

} // namespace dwcp::ramp
