// The ramp as operators read it: the answers of `ramp status`, `ramp plan`, `ramp history` and the verdicts
// in an evidence bundle. Nothing here decides anything.
#pragma once

#include "actors/ramp/messages.hpp"

#include <nlohmann/json.hpp>

namespace dwcp::ramp {

nlohmann::json to_json(const Verdict& verdict);
nlohmann::json to_json(const std::vector<Verdict>& verdicts);
nlohmann::json to_json(const Alarm& alarm);
nlohmann::json to_json(const ExerciseResult& exercise);
nlohmann::json to_json(const Record& record);
/// Everything that `ramp status` says; ops/api.md lists it.
nlohmann::json status_json(const RampView& view);
/// The plan's steps, stages and criteria, each with the time it takes by the plan's day.
nlohmann::json plan_json(const Plan& plan);
/// What the ramp does now, what it waits for and why: `sentences`, and of each criterion one.
nlohmann::json explain_json(const RampView& view);

} // namespace dwcp::ramp
