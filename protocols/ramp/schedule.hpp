// What a plan would do, without doing it: `ramp start --dry-run`, `ramp plan`. Pure.
//
// Times are the earliest: gates that pass at once, approvals that are there, no pause.
#pragma once

#include "protocols/ramp/weights.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dwcp::ramp {

/// A stage, or a whole step that is skipped.
struct PlannedStage {
    std::string step, title;
    std::uint32_t step_index = 0;
    std::uint32_t stage = 0; ///< Of `stages` of the step.
    std::uint32_t stages = 0;
    UnixMillis from_ms = 0, until_ms = 0; ///< The same if the step is skipped.
    double percent = 0;
    std::vector<Weight> weights; ///< Of all systems, from then on.
    std::string gate;
    std::vector<std::string> criteria; ///< Names, those without a canary to judge left out.
    std::vector<std::string> not_applicable;
    std::string approval; ///< Role that must approve before it begins; empty: none.
    std::string skipped;  ///< Why; empty: it is not.
};

struct Schedule {
    std::vector<PlannedStage> stages;
    UnixMillis end_ms = 0;
    bool hands_over = false;        ///< False: every step is skipped.
    std::vector<std::string> notes; ///< What a rehearsal does otherwise.
};

/// `plan` as it would run (scaled), with the canaries that the nodes have now.
Schedule schedule(const Plan& plan, const Canaries& canaries, UnixMillis from_ms);

/// One line a stage: "+1.0 d selector 10 % on site-a; gate at-10: ...".
std::vector<std::string> lines_of(const Schedule& schedule, UnixMillis from_ms, std::uint64_t day_ms);

} // namespace dwcp::ramp
