// Which nodes give a canary how much traffic in a stage of a plan. Pure; the ramp and the dry run share it.
//
// Weights only grow from stage to stage: a system keeps the nodes and the percentage that it has until a
// stage gives it more, so what one node sends to the canary at 10 % stays there at 25 %.
#pragma once

#include "protocols/ramp/plan.hpp"

#include <map>
#include <vector>

namespace dwcp::ramp {

/// One system's part of a directive.
struct Weight {
    System system;
    double percent = 0;
    std::vector<NodeName> nodes; ///< Who runs the canary, ascending; the others 0.
    bool shadow = false;         ///< Mirrors to the canary without answering from it.

    bool operator==(const Weight&) const = default;
};

/// Which nodes have a canary of a system, ascending.
using Canaries = std::map<System, std::vector<NodeName>>;
Canaries canaries_of(const Observation& observation);

/// The weights of a stage, on top of those before it; empty if none of the step's systems has a canary.
std::vector<Weight> weights_for(const Step& step, const Stage& stage, const Canaries& canaries,
                                const std::vector<Weight>& before);
/// Why a step is skipped, in one sentence.
std::string why_skipped(const Step& step);

} // namespace dwcp::ramp
