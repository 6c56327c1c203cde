#include "protocols/ramp/weights.hpp"

#include <algorithm>
#include <iterator>

namespace dwcp::ramp {
namespace {

/// `instances` of `of`, carried over to the nodes that there are, rounded up: at least one.
std::size_t share_of(const Target& target, std::size_t nodes) {
    const std::uint64_t of = std::max<std::uint64_t>(target.of, 1);
    const std::uint64_t share = (std::uint64_t{target.instances} * nodes + of - 1) / of;
    return static_cast<std::size_t>(std::clamp<std::uint64_t>(share, 1, nodes));
}

std::vector<Target> targets_of(const Step& step, const Canaries& canaries) {
    if (!step.targets.empty()) return step.targets;
    std::vector<Target> all;
    for (const auto& entry : canaries)
        all.push_back({.system = entry.first, .instances = 1, .of = 1});
    return all;
}

/// The nodes that have it stay; then the first by name that have a canary.
std::vector<NodeName> grown(std::vector<NodeName> nodes, const std::vector<NodeName>& candidates,
                            std::size_t count) {
    for (const NodeName& node : candidates) {
        if (nodes.size() >= count) break;
        if (std::ranges::find(nodes, node) == nodes.end()) nodes.push_back(node);
    }
    std::ranges::sort(nodes);
    return nodes;
}

Weight& weight_of(const System& system, std::vector<Weight>& weights) {
    const auto found = std::ranges::find(weights, system, &Weight::system);
    if (found != weights.end()) return *found;
    Weight fresh;
    fresh.system = system;
    const auto place = std::ranges::lower_bound(weights, system, {}, &Weight::system);
    return *weights.insert(place, std::move(fresh));
}

} // namespace

Canaries canaries_of(const Observation& observation) {
    Canaries canaries;
    for (const NodeReport& report : observation.nodes) {
        for (const auto& [system, of] : report.systems) {
            if (!of.canary.empty()) canaries[system].push_back(report.node);
        }
    }
    for (auto& entry : canaries)
        std::ranges::sort(entry.second);
    return canaries;
}

std::vector<Weight> weights_for(const Step& step, const Stage& stage, const Canaries& canaries,
                                const std::vector<Weight>& before) {
    std::vector<Weight> weights = before;
    bool any = false;
    for (const Target& target : targets_of(step, canaries)) {
        const auto nodes = canaries.find(target.system);
        if (nodes == canaries.end() || nodes->second.empty()) continue;
        any = true;
        Weight& weight = weight_of(target.system, weights);
        // What was only mirrored so far answered nobody: it may begin at less.
        const double answered = weight.shadow ? 0 : weight.percent;
        weight.percent = stage.shadow && answered > 0 ? answered : std::max(answered, stage.percent);
        weight.shadow = stage.shadow && answered <= 0;
        weight.nodes = grown(weight.nodes, nodes->second, share_of(target, nodes->second.size()));
    }
    if (!any) weights.clear();
    return weights;
}

std::string why_skipped(const Step& step) {
    if (step.targets.empty()) return "no system has a canary on any node";
    std::string systems;
    for (const Target& target : step.targets)
        systems += (systems.empty() ? "" : ", ") + target.system;
    return "no node has a canary of " + systems + "; it is ramped once it registers one";
}

} // namespace dwcp::ramp
