// The cases judge/*: false aborts and misses of the ramp's judge in simulated stages (ramp_judge_world.hpp).
#pragma once

#include "bench/ramp_bench.hpp"

namespace dwcp::bench {

/// Throws std::runtime_error if the product's plan cannot be read.
void measure_judge(const SuiteSettings& settings, const RampWanted& wanted, const RampReport& report);

} // namespace dwcp::bench
