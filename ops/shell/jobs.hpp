// Work that a node does after it has answered: backups and their verification.
#pragma once

#include "ops/shell/verbs.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace dwcp::shell {

/// Asks until the job has ended, with progress on a terminal; the job as it ended. `node`: where it runs, if
/// not at the node that is asked. An interrupt ends the waiting, never the job, and says so.
Outcome<nlohmann::json> wait_for_job(Context& context, const std::string& node, nlohmann::json job);

/// Fails if the job did, or if what it verified is damaged.
Outcome<void> judge_job(const nlohmann::json& job);

} // namespace dwcp::shell
