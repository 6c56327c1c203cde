// Judges a recording again: what would the triggers and a gate of a plan have said at each look?
//
// Pure. What no observation holds (exercises, attestations, burn-in) is not judged; the report names it.
#pragma once

#include "protocols/ramp/judge.hpp"
#include "runtime/release/observation_json.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dwcp::release {

struct ReplayChange {
    UnixMillis at_ms = 0;
    std::string what;   ///< "rollback", "review", or the gate's outcome: "pass", "fail", ...
    std::string reason; ///< Of the trigger, or of the criterion that decides.
};

struct Replay {
    std::uint64_t day_ms = 0;
    std::string gate;
    std::vector<ramp::System> systems;
    std::size_t looks = 0;
    std::vector<ReplayChange> changes; ///< The first look, and each that says something else.
    std::optional<UnixMillis> rolled_back_ms, reviewed_ms, passed_ms; ///< The first of each.
    std::vector<ramp::Verdict> verdicts;                              ///< Of the last look.
    std::vector<std::string> not_judged;                              ///< Criteria.
};

/// `gate`: empty: the recording's. Errc::not_found if the plan has none of that name.
Result<Replay> replay(const Recording& recording, const ramp::Plan& plan, const std::string& gate);

} // namespace dwcp::release
