#include "actors/ramp/node_failures.hpp"

#include <fmt/format.h>

namespace dwcp::ramp {

void NodeFailures::look(const Observation& observation) {
    for (const NodeName& name : observation.silent) {
        Node& node = nodes_[name];
        if (!node.gone_ms) node.gone_ms = node.seen_ms > 0 ? node.seen_ms : observation.at_ms;
    }
    for (const NodeReport& report : observation.nodes)
        answered(report, observation.at_ms);
}

void NodeFailures::answered(const NodeReport& report, UnixMillis at_ms) {
    Node& node = nodes_[report.node];
    const bool new_life = node.incarnation != 0 && node.incarnation != report.incarnation;
    node.incarnation = report.incarnation;
    if (new_life && !node.gone_ms) node.gone_ms = node.seen_ms;
    // A node that has looked at nothing yet is not well, it is new.
    if (report.total.checks == 0 || report.total.checks_failing > 0) return;
    node.seen_ms = at_ms;
    const auto gone_ms = std::exchange(node.gone_ms, {});
    if (!gone_ms || recovered_) return;
    const auto took_ms = static_cast<std::uint64_t>(at_ms - *gone_ms);
    recovered_ = ExerciseResult{
        Check::node_failure, true, true, took_ms,
        fmt::format("{} was gone and is back, in good health, after {} ms", report.node, took_ms)};
}

ExerciseResult NodeFailures::result() const {
    if (recovered_) return *recovered_;
    for (const auto& [name, node] : nodes_)
        if (node.gone_ms) return {Check::node_failure, false, false, 0, name + " is gone"};
    return {Check::node_failure, false, false, 0, "no node has failed during this ramp yet"};
}

} // namespace dwcp::ramp
