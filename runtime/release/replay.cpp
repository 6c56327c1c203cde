#include "runtime/release/replay.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace dwcp::release {

namespace {

using ramp::Check;
using ramp::Outcome;

bool is_seen(Check check) {
    return !ramp::is_exercise(check) && check != Check::attested && check != Check::burn_in;
}

std::vector<ramp::System> systems_with_canary(const Recording& recording) {
    std::vector<ramp::System> systems = recording.systems;
    if (!systems.empty()) return systems;
    for (const auto& seen : recording.observations)
        for (const auto& node : seen.nodes)
            for (const auto& [system, report] : node.systems)
                if (!report.canary.empty() && std::ranges::find(systems, system) == systems.end())
                    systems.push_back(system);
    return systems;
}

ReplayChange judged(const ramp::Evidence& evidence, const std::vector<ramp::Verdict>& verdicts) {
    const Outcome outcome = ramp::overall(verdicts);
    ReplayChange change{evidence.now_ms, std::string(to_string(outcome)),
                        "every criterion that applies holds"};
    if (outcome == Outcome::pass) return change;
    const auto decides = std::ranges::find(verdicts, outcome, &ramp::Verdict::outcome);
    change.reason =
        decides == verdicts.end() ? "no criterion applies" : decides->criterion + ": " + decides->reason;
    return change;
}

class Replayer {
  public:
    Replayer(const Recording& recording, const ramp::Plan& plan, std::vector<ramp::Criterion> gate,
             Replay& replay)
        : recording_(recording), plan_(plan), gate_(std::move(gate)), replay_(replay) {
        strictness_.scale = static_cast<double>(plan.day_ms) / ramp::kRealDayMs;
    }

    void run() {
        for (const auto& seen : recording_.observations)
            look_at(seen);
    }

  private:
    void look_at(const ramp::Observation& seen) {
        std::uint64_t seq = 0;
        ramp::Evidence evidence;
        for (const auto& node : seen.nodes) {
            seq = std::max(seq, node.seq);
            evidence.window_ms = std::max(evidence.window_ms, node.window_ms);
        }
        if (seq != seq_) history_.clear();
        seq_ = seq;
        history_.add(seen);
        evidence.observation = seen;
        evidence.systems = replay_.systems;
        evidence.window_complete = true;
        evidence.now_ms = seen.at_ms;
        evidence.history = history_.glances();
        replay_.verdicts = ramp::judge_gate(gate_, evidence, strictness_);
        ReplayChange now = judged(evidence, replay_.verdicts);
        if (now.what == "pass" && !replay_.passed_ms) replay_.passed_ms = seen.at_ms;
        const auto alarms = ramp::look(plan_.triggers, evidence, strictness_);
        if (!alarms.empty()) { // those at once come first
            const bool at_once = alarms.front().at_once;
            now.what = at_once ? "rollback" : "review";
            now.reason = alarms.front().trigger + ": " + alarms.front().reason;
            auto& first = at_once ? replay_.rolled_back_ms : replay_.reviewed_ms;
            if (!first) first = seen.at_ms;
        }
        if (replay_.changes.empty() || replay_.changes.back().what != now.what)
            replay_.changes.push_back(std::move(now));
    }

    const Recording& recording_;
    const ramp::Plan& plan_;
    const std::vector<ramp::Criterion> gate_;
    Replay& replay_;
    ramp::Strictness strictness_;
    ramp::History history_;
    std::uint64_t seq_ = 0;
};

} // namespace

Result<Replay> replay(const Recording& recording, const ramp::Plan& plan, const std::string& gate) {
    const ramp::Plan scaled =
        recording.day_ms == 0 || recording.day_ms == plan.day_ms ? plan : plan.scaled(recording.day_ms);
    Replay replay{.day_ms = scaled.day_ms,
                  .gate = gate.empty() ? recording.gate : gate,
                  .systems = systems_with_canary(recording),
                  .looks = recording.observations.size(),
                  .changes = {},
                  .rolled_back_ms = {},
                  .reviewed_ms = {},
                  .passed_ms = {},
                  .verdicts = {},
                  .not_judged = {}};
    const auto found = scaled.gates.find(replay.gate);
    if (found == scaled.gates.end()) {
        std::vector<std::string> names;
        for (const auto& [name, criteria] : scaled.gates)
            names.push_back(name);
        return fail(Errc::not_found,
                    replay.gate.empty() ? "the recording does not say which gate was at hand"
                                        : fmt::format("the plan has no gate '{}'", replay.gate),
                    fmt::format("--gate with one of {}", fmt::join(names, ", ")));
    }
    std::vector<ramp::Criterion> criteria;
    for (const ramp::Criterion& criterion : found->second) {
        if (is_seen(criterion.check))
            criteria.push_back(criterion);
        else
            replay.not_judged.push_back(criterion.name);
    }
    Replayer(recording, scaled, std::move(criteria), replay).run();
    return replay;
}

} // namespace dwcp::release
