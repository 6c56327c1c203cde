#include "protocols/ramp/history.hpp"

#include "protocols/ramp/counts.hpp"

#include <algorithm>

namespace dwcp::ramp {

std::uint64_t History::new_failures(const NodeReport& node) {
    const std::uint64_t now = node.total.consensus_failures;
    Counted& last = counted_[node.node];
    const bool same = last.incarnation == node.incarnation && last.seq == node.seq && now >= last.failures;
    const std::uint64_t fresh = same ? now - last.failures : now;
    last = {node.incarnation, node.seq, now};
    return fresh;
}

void History::add(const Observation& observation) {
    Glance glance{.at_ms = observation.at_ms};
    Facts facts;
    for (const NodeReport& node : observation.nodes) {
        glance.consensus_failures = add_counts(glance.consensus_failures, new_failures(node));
        facts.add(node.total);
        const std::uint64_t expected = node.total.metrics_expected;
        glance.metrics_missing += expected - std::min(expected, node.total.metrics_present);
    }
    glance.resource_use = facts.resource_use;
    glance.checks_failing = facts.checks_failing;
    if (!glances_.empty() && glance.at_ms < glances_.back().at_ms) glance.at_ms = glances_.back().at_ms;
    glances_.push_back(glance);
    const UnixMillis oldest_ms = glance.at_ms - kKeptMs;
    auto keep = std::ranges::find_if(glances_, [&](const Glance& old) { return old.at_ms >= oldest_ms; });
    if (glances_.size() > kGlancesMax) keep = std::max(keep, glances_.end() - kGlancesMax);
    glances_.erase(glances_.begin(), keep);
}

} // namespace dwcp::ramp
