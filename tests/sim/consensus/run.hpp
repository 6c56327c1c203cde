// Running plans: one seed, its failure shrunk, or campaigns over many.
#pragma once

#include "tests/sim/consensus/scenario.hpp"
#include "tests/sim/consensus/world.hpp"

#include <functional>
#include <string>
#include <vector>

namespace dwcp::sim {

struct Shrunk {
    Plan plan;
    std::string violation; ///< Of the smaller plan; may be another than the first one.
    std::size_t runs = 0;
};

/// Leaves out faults for as long as the plan still fails (delta debugging, Zeller and Hildebrandt 2002): one
/// after the other from halves down to single ones, `runs_max` runs at most.
Shrunk shrink(Plan plan, std::string violation, bool real_crypto, std::size_t runs_max = 300);

} // namespace dwcp::sim
