// A rollout plan as a TOML file; node_configs/rollout.toml is this product's and explains every key.
//
// The same text gives the same plan on every node, which is why the ramp's journal carries the text. Pure but
// for read_plan_text(). Unknown keys are errors, and every problem names file, line, key and what is allowed.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/ramp/plan.hpp"

#include <string>

namespace dwcp::release {

/// Errc::invalid_argument with one problem a line. The plan has passed Plan::check() and is not scaled.
/// `origin` is how problems call the text.
Result<ramp::Plan> parse_plan(const std::string& text, const std::string& origin = "plan");

/// Reads at most ramp::kPlanTextBytesMax; Errc::io_error, not_found, too_large.
Result<std::string> read_plan_text(const std::string& path);

/// The plan as a file again: parse_plan() gives the same plan.
std::string to_toml(const ramp::Plan& plan);

} // namespace dwcp::release
