#include "protocols/ramp/plan.hpp"

#include "protocols/crypto/hash.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>

namespace dwcp::ramp {
namespace {

bool is_name(std::string_view text) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !text.empty() && text.size() <= kNameBytesMax && std::ranges::all_of(text, allowed);
}

/// Gathers what is wrong, each with its place.
class Problems {
  public:
    void add(const std::string& place, const std::string& what) {
        text_ += (text_.empty() ? "" : "; ") + place + ": " + what;
    }
    void unless(bool good, const std::string& place, const std::string& what) {
        if (!good) add(place, what);
    }
    Result<void> result() const {
        if (text_.empty()) return {};
        return fail(Errc::invalid_argument, text_,
                    "correct the plan; node_configs/rollout.toml is one that is good");
    }

  private:
    std::string text_;
};

void check_targets(const Step& step, const std::string& place, Problems& problems) {
    problems.unless(step.targets.size() <= kCriteriaMax, place, "too many targets");
    std::set<System> named;
    for (const Target& target : step.targets) {
        const std::string at = place + ".targets[" + target.system + "]";
        problems.unless(is_name(target.system), at, "system is not a name of a-z, 0-9 and '-'");
        problems.unless(named.insert(target.system).second, at, "system is named twice in the step");
        problems.unless(target.of >= 1 && target.instances >= 1 && target.instances <= target.of, at,
                        "instances must be from 1 to `of`");
    }
}

/// `reached` is what each system has before the step; "" stands for all of them.
void check_stages(const Plan& plan, const Step& step, const std::string& place,
                  std::map<System, double>& reached, Problems& problems) {
    problems.unless(!step.stages.empty() && step.stages.size() <= kStagesMax, place,
                    "a step has 1 to " + std::to_string(kStagesMax) + " stages");
    for (std::size_t i = 0; i < step.stages.size(); ++i) {
        const Stage& stage = step.stages[i];
        const std::string at = place + ".stages[" + std::to_string(i) + "]";
        problems.unless(stage.percent > 0 && stage.percent <= 100, at,
                        "percent must be above 0, at most 100");
        problems.unless(stage.days > 0 && stage.days <= 365, at, "days must be above 0, at most 365");
        problems.unless(plan.gates.contains(stage.gate), at, "gate \"" + stage.gate + "\" is not defined");
        if (stage.shadow) continue;
        std::vector<System> systems;
        for (const Target& target : step.targets)
            systems.push_back(target.system);
        if (step.targets.empty()) systems.push_back({});
        for (const System& system : systems) {
            const double before = std::max(reached[system], reached[System{}]);
            problems.unless(stage.percent >= before, at,
                            "percent is below what " + (system.empty() ? "everything" : system) +
                                " has by then; a plan never takes traffic back");
            reached[system] = std::max(before, stage.percent);
        }
    }
}

void check_steps(const Plan& plan, Problems& problems) {
    problems.unless(!plan.steps.empty() && plan.steps.size() <= kStepsMax, "steps",
                    "a plan has 1 to " + std::to_string(kStepsMax) + " steps");
    std::set<std::string> names;
    std::map<System, double> reached;
    for (const Step& step : plan.steps) {
        const std::string place = "steps[" + step.name + "]";
        problems.unless(is_name(step.name), place, "name must be of a-z, 0-9 and '-'");
        problems.unless(names.insert(step.name).second, place, "name is taken by another step");
        problems.unless(step.title.size() <= kNameBytesMax, place, "title is too long");
        problems.unless(step.approval.empty() || std::ranges::find(kRoles, step.approval) != kRoles.end(),
                        place, "approval is no role; one of viewer, writer, operator, admin");
        check_targets(step, place, problems);
        check_stages(plan, step, place, reached, problems);
    }
}

void check_gates(const Plan& plan, Problems& problems) {
    problems.unless(plan.gates.size() <= kGatesMax, "gates", "too many gates");
    for (const auto& [name, criteria] : plan.gates) {
        const std::string place = "gates." + name;
        problems.unless(!criteria.empty() && criteria.size() <= kCriteriaMax, place,
                        "a gate has 1 to " + std::to_string(kCriteriaMax) + " criteria");
        std::set<std::string> names;
        for (const Criterion& criterion : criteria) {
            const std::string at = place + "[" + criterion.name + "]";
            problems.unless(!criterion.name.empty() && criterion.name.size() <= kNameBytesMax, at,
                            "name must have 1 to " + std::to_string(kNameBytesMax) + " characters");
            problems.unless(names.insert(criterion.name).second, at, "name is taken by another criterion");
            problems.unless(std::isfinite(criterion.limit) && criterion.limit >= 0, at,
                            "limit must be a number from 0 up");
            problems.unless(criterion.check != Check::attested || !criterion.subject.empty(), at,
                            "subject is missing: say what is vouched for");
        }
    }
}

void check_triggers(const Plan& plan, Problems& problems) {
    problems.unless(!plan.triggers.empty() && plan.triggers.size() <= kTriggersMax, "triggers",
                    "a plan has 1 to " + std::to_string(kTriggersMax) + " triggers");
    std::set<std::string> names;
    for (const Trigger& trigger : plan.triggers) {
        const std::string place = "triggers[" + trigger.name + "]";
        problems.unless(!trigger.name.empty() && trigger.name.size() <= kNameBytesMax, place,
                        "name must have 1 to " + std::to_string(kNameBytesMax) + " characters");
        problems.unless(names.insert(trigger.name).second, place, "name is taken by another trigger");
        problems.unless(std::isfinite(trigger.limit) && trigger.limit >= 0, place,
                        "limit must be a number from 0 up");
        problems.unless(trigger.window_ms >= 1, place, "window must be at least 1 ms");
    }
    const auto at_once = [](const Trigger& trigger) { return trigger.at_once; };
    problems.unless(std::ranges::any_of(plan.triggers, at_once), "triggers",
                    "none of them rolls back at once");
}

std::uint64_t scaled_down(std::uint64_t value, double scale, std::uint64_t floor) {
    const auto less = static_cast<std::uint64_t>(std::llround(static_cast<double>(value) * scale));
    return std::clamp(less, std::min(value, floor), value);
}

/// Feeds a hash so that no two plans of different meaning give the same bytes.
class Digester {
  public:
    Digester& operator<<(const std::string& text) {
        *this << std::uint64_t{text.size()};
        const ByteView bytes = as_bytes(text);
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    Digester& operator<<(std::uint64_t value) {
        for (unsigned i = 0; i < 8; ++i)
            bytes_.push_back(static_cast<Byte>(value >> (8 * i)));
        return *this;
    }
    Digester& operator<<(double value) { return *this << std::bit_cast<std::uint64_t>(value); }
    Hash256 end() const { return crypto::sha256(bytes_); }

  private:
    Bytes bytes_;
};

void digest_step(Digester& out, const Step& step) {
    out << step.name << step.title << step.approval << std::uint64_t{step.targets.size()};
    for (const Target& target : step.targets)
        out << target.system << std::uint64_t{target.instances} << std::uint64_t{target.of};
    out << std::uint64_t{step.stages.size()};
    for (const Stage& stage : step.stages)
        out << stage.percent << stage.days << stage.gate << std::uint64_t{stage.shadow};
}

void digest_criterion(Digester& out, const Criterion& criterion) {
    out << criterion.name << static_cast<std::uint64_t>(criterion.check) << criterion.limit
        << criterion.samples_min << criterion.subject << std::uint64_t{criterion.systems.size()};
    for (const System& system : criterion.systems)
        out << system;
}

} // namespace

Result<void> Plan::check() const {
    Problems problems;
    problems.unless(is_name(name), "name", "must be of a-z, 0-9 and '-'");
    problems.unless(day_ms >= 1 && day_ms <= kRealDayMs, "day", "must be from 1 ms to 24 h");
    problems.unless(review_ms >= 1 && recent_ms >= 1, "review, recent", "must be at least 1 ms");
    problems.unless(std::isfinite(wait_days_max) && wait_days_max > 0 && wait_days_max <= 365,
                    "wait_days_max", "must be above 0, at most 365");
    check_steps(*this, problems);
    check_gates(*this, problems);
    check_triggers(*this, problems);
    return problems.result();
}

Plan Plan::scaled(std::uint64_t day_of_ms) const {
    Plan plan = *this;
    plan.day_ms = day_of_ms;
    const double scale = static_cast<double>(day_of_ms) / static_cast<double>(kRealDayMs);
    if (scale >= 1) return plan;
    plan.review_ms = scaled_down(review_ms, scale, kReviewMsMin);
    plan.recent_ms = scaled_down(recent_ms, scale, kRecentMsMin);
    for (auto& gate : plan.gates) {
        for (Criterion& criterion : gate.second)
            criterion.samples_min = scaled_down(criterion.samples_min, scale, kSamplesMin);
    }
    for (Trigger& trigger : plan.triggers) {
        trigger.samples_min = scaled_down(trigger.samples_min, scale, kSamplesMin);
        trigger.window_ms = scaled_down(trigger.window_ms, scale, kRecentMsMin);
    }
    return plan;
}

std::vector<std::string> Plan::rehearsal_notes() const {
    if (day_ms >= kRealDayMs) return {};
    std::vector<std::string> notes;
    notes.push_back("rehearsal: a day takes " + std::to_string(day_ms) + " ms, " +
                    std::to_string(kRealDayMs / std::max<std::uint64_t>(day_ms, 1)) +
                    " times less than in the plan; minimum samples are as much smaller, but at least " +
                    std::to_string(kSamplesMin));
    notes.push_back("a review's clock is " + std::to_string(review_ms) + " ms, the recent window " +
                    std::to_string(recent_ms) + " ms, a stage at least " + std::to_string(kStageMsMin) +
                    " ms, and a gate waits " + std::to_string(wait_ms()) + " ms before the ramp pauses");
    return notes;
}

std::uint64_t Plan::stage_ms(const Stage& stage) const {
    const auto exact = static_cast<std::uint64_t>(std::llround(stage.days * static_cast<double>(day_ms)));
    return std::max(exact, kStageMsMin);
}

std::uint64_t Plan::wait_ms() const {
    const auto exact = static_cast<std::uint64_t>(std::llround(wait_days_max * static_cast<double>(day_ms)));
    return std::max(exact, kWaitMsMin);
}

Hash256 Plan::digest() const {
    Digester out;
    out << name << day_ms << review_ms << recent_ms << wait_days_max << std::uint64_t{steps.size()};
    for (const Step& step : steps)
        digest_step(out, step);
    out << std::uint64_t{gates.size()};
    for (const auto& [gate, criteria] : gates) {
        out << gate << std::uint64_t{criteria.size()};
        for (const Criterion& criterion : criteria)
            digest_criterion(out, criterion);
    }
    out << std::uint64_t{triggers.size()};
    for (const Trigger& trigger : triggers)
        out << trigger.name << static_cast<std::uint64_t>(trigger.what) << trigger.limit
            << trigger.samples_min << trigger.window_ms << std::uint64_t{trigger.at_once};
    return out.end();
}

} // namespace dwcp::ramp
