#include "protocols/ramp/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::ramp {
namespace {

/// Whether a criterion is about a system that has a canary at work.
bool applies(const Criterion& criterion, const std::vector<Weight>& weights) {
    if (criterion.systems.empty()) return true;
    return std::ranges::any_of(weights, [&](const Weight& weight) {
        return weight.percent > 0 &&
               std::ranges::find(criterion.systems, weight.system) != criterion.systems.end();
    });
}

PlannedStage skipped(const Step& step, std::uint32_t index, UnixMillis now_ms) {
    PlannedStage planned;
    planned.step = step.name;
    planned.title = step.title;
    planned.step_index = index;
    planned.stages = static_cast<std::uint32_t>(step.stages.size());
    planned.from_ms = planned.until_ms = now_ms;
    planned.skipped = why_skipped(step);
    return planned;
}

void name_criteria(const Plan& plan, const Stage& stage, PlannedStage& planned) {
    planned.gate = stage.gate;
    const auto gate = plan.gates.find(stage.gate);
    if (gate == plan.gates.end()) return;
    for (const Criterion& criterion : gate->second)
        (applies(criterion, planned.weights) ? planned.criteria : planned.not_applicable)
            .push_back(criterion.name);
}

std::string joined(const std::vector<std::string>& texts) {
    return fmt::format("{}", fmt::join(texts, ", "));
}

std::string line_of(const PlannedStage& planned, UnixMillis from_ms, std::uint64_t day_ms) {
    const double day = static_cast<double>(planned.from_ms - from_ms) /
                       static_cast<double>(std::max<std::uint64_t>(day_ms, 1));
    std::string line = fmt::format("+{:.1f} d {}", day, planned.step);
    if (!planned.skipped.empty()) return line + ": skipped, " + planned.skipped;
    if (planned.stages > 1) line += fmt::format(" ({} of {})", planned.stage + 1, planned.stages);
    if (!planned.approval.empty() && planned.stage == 0)
        line += fmt::format(", once an {} approved", planned.approval);
    line += ":";
    for (const Weight& weight : planned.weights)
        line += fmt::format(" {} {:g} %{} on {};", weight.system, weight.percent,
                            weight.shadow ? " mirrored" : "", joined(weight.nodes));
    line += fmt::format(" {:g} days, then gate {}: {}",
                        static_cast<double>(planned.until_ms - planned.from_ms) /
                            static_cast<double>(std::max<std::uint64_t>(day_ms, 1)),
                        planned.gate, joined(planned.criteria));
    if (!planned.not_applicable.empty()) line += "; not applicable: " + joined(planned.not_applicable);
    return line;
}

} // namespace

Schedule schedule(const Plan& plan, const Canaries& canaries, UnixMillis from_ms) {
    Schedule schedule;
    schedule.notes = plan.rehearsal_notes();
    std::vector<Weight> weights;
    UnixMillis now_ms = from_ms;
    for (std::uint32_t index = 0; index < plan.steps.size(); ++index) {
        const Step& step = plan.steps[index];
        for (std::uint32_t stage = 0; stage < step.stages.size(); ++stage) {
            auto next = weights_for(step, step.stages[stage], canaries, weights);
            if (next.empty()) {
                schedule.stages.push_back(skipped(step, index, now_ms));
                break;
            }
            weights = std::move(next);
            PlannedStage planned = skipped(step, index, now_ms);
            planned.skipped.clear();
            planned.stage = stage;
            planned.approval = step.approval;
            planned.percent = step.stages[stage].percent;
            planned.weights = weights;
            name_criteria(plan, step.stages[stage], planned);
            now_ms += static_cast<UnixMillis>(plan.stage_ms(step.stages[stage]));
            planned.until_ms = now_ms;
            schedule.stages.push_back(std::move(planned));
        }
    }
    schedule.end_ms = now_ms;
    schedule.hands_over = std::ranges::any_of(
        weights, [](const Weight& weight) { return weight.percent > 0 && !weight.shadow; });
    return schedule;
}

std::vector<std::string> lines_of(const Schedule& schedule, UnixMillis from_ms, std::uint64_t day_ms) {
    std::vector<std::string> lines = schedule.notes;
    for (const PlannedStage& planned : schedule.stages)
        lines.push_back(line_of(planned, from_ms, day_ms));
    const double days = static_cast<double>(schedule.end_ms - from_ms) /
                        static_cast<double>(std::max<std::uint64_t>(day_ms, 1));
    lines.push_back(schedule.hands_over
                        ? fmt::format("+{:.1f} d hand-over: the canaries become the stable releases", days)
                        : "nothing would be ramped: no system has a canary");
    return lines;
}

} // namespace dwcp::ramp
