// What dwcp-node does with backups while no node runs: the program's side of restore.hpp, with progress and a
// report for people. Both return the program's exit code.
#pragma once

#include "runtime/config/config.hpp"

#include <string>

namespace dwcp::node {

int restore_offline(const config::NodeConfig& config, const std::string& backup);
int verify_offline(const std::string& backup);

} // namespace dwcp::node
