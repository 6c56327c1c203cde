// What the ramp waits for, in one sentence.
#include "protocols/ramp/ramp.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::ramp {
namespace {

std::string in_seconds(UnixMillis until_ms, UnixMillis now_ms) {
    return fmt::format("{:.1f} s", static_cast<double>(std::max<UnixMillis>(until_ms - now_ms, 0)) / 1000);
}

/// Why a node that answers is not wholly on stable, as it says itself; empty: it says nothing.
std::string unsettled(const std::optional<Observation>& look, const NodeName& node) {
    if (!look) return {};
    const auto found = std::ranges::find(look->nodes, node, &NodeReport::node);
    if (found == look->nodes.end()) return {};
    for (const auto& [system, of] : found->systems)
        if (!of.unsettled.empty()) return fmt::format(" ({}: {})", system, of.unsettled);
    return {};
}

} // namespace

std::string Ramp::explain(UnixMillis now_ms) const {
    if (withdrawal_)
        return "the canaries are withdrawn; the journal has still to confirm it: " +
               withdrawal_->record.reason;
    const Step* step = state_.step_at_hand();
    const Stage* stage = state_.stage_at_hand();
    const std::string step_name = step == nullptr ? "the hand-over" : step->name;
    switch (state_.phase) {
    case Phase::idle:
        return "no plan was started; `ramp start` begins one";
    case Phase::starting:
        return fmt::format("begins {} as soon as every node was seen", step_name);
    case Phase::approval:
        return fmt::format("waits for an {} to approve {}", step == nullptr ? "operator" : step->approval,
                           step_name);
    case Phase::soaking:
        return fmt::format(
            "{} at {:g} % has {} to go before gate {}", step_name, stage->percent,
            in_seconds(state_.stage_since_ms + static_cast<UnixMillis>(state_.stage_ms()), now_ms),
            stage->gate);
    case Phase::gate:
        return fmt::format(
            "waits at gate {} of {}; it pauses in {} if the gate comes to no verdict", stage->gate, step_name,
            in_seconds(state_.phase_since_ms + static_cast<UnixMillis>(state_.plan->wait_ms()), now_ms));
    case Phase::paused:
        return fmt::format("paused in {}: {}; `ramp resume` goes on", step_name, state_.reason);
    case Phase::review:
        return fmt::format(
            "under review: {}; rolls back in {} unless `ramp resume` or `ramp promote` answers",
            state_.reason, in_seconds(state_.review_until_ms.value_or(now_ms), now_ms));
    case Phase::rolling_back: {
        std::string nodes;
        for (const NodeName& node : still_open())
            nodes += (nodes.empty() ? "" : ", ") + node + unsettled(look_, node);
        if (nodes.empty()) nodes = "a look at the nodes";
        return fmt::format("rolls back: {}; waits for {}", state_.reason, nodes);
    }
    case Phase::rolled_back:
    case Phase::completed:
    case Phase::aborted:
        return fmt::format("{}: {}", to_string(state_.phase), state_.reason);
    }
    return {};
}

} // namespace dwcp::ramp
