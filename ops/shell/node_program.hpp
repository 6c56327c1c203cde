// The dwcp-node beside the shell, for what is done to a node that does not run.
#pragma once

#include "ops/shell/output.hpp"

#include <string>
#include <vector>

namespace dwcp::shell {

/// Runs it to its end and passes on what it writes; of -o json and ndjson the shell's output is for its
/// answer, so what the program writes goes to the errors there. Its exit code, or 128 and the signal that
/// ended it. An interrupt is passed on, and its end waited for. Failures: there is no such program.
Outcome<int> run_node_program(Terminal& terminal, Format format, std::vector<std::string> arguments);

} // namespace dwcp::shell
