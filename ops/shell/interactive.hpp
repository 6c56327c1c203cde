// The interactive shell: prompt, line, command, again.
#pragma once

#include "ops/shell/output.hpp"
#include "ops/shell/settings.hpp"

namespace dwcp::shell {

/// Until Ctrl-D, exit or quit. `terminal` is the process's own. Returns the exit code; failures: usage, for
/// settings that cannot be used.
Outcome<int> run_interactive(const GlobalOptions& globals, Terminal& terminal);

} // namespace dwcp::shell
