// dwcp-shell without its process: arguments in, exit code out, so that tests can run it whole.
#pragma once

#include "ops/shell/output.hpp"

#include <string>
#include <vector>

namespace dwcp::shell {

/// Runs one command, a file of them, the lines of the input or the interactive shell, as the arguments say.
/// `arguments` are those of main() without the program's name. Returns the exit code; says on terminal.err
/// what went wrong.
int run_shell(const std::vector<std::string>& arguments, Terminal& terminal);

} // namespace dwcp::shell
