// Runs one command line, wherever it comes from: the arguments of the program, a script, the interactive
// shell.
#pragma once

#include "ops/shell/parser.hpp"

#include <string>
#include <vector>

namespace dwcp::shell {

/// What the line does not say (node, format, ...) is as in `defaults`.
Outcome<void> run_command(const std::vector<std::string>& words, const GlobalOptions& defaults,
                          Terminal& terminal);
/// The same, once parsed. Failures: usage, if there is no verb.
Outcome<void> run_parsed(const Parser& parser, Terminal& terminal);

/// Lines of commands, named by `name` in messages, until the first failure or, with `keep_going`, to the end.
/// The exit code: that of the failure; partial if others went well.
int run_script(std::istream& lines, const std::string& name, const GlobalOptions& defaults, bool keep_going,
               Terminal& terminal);

} // namespace dwcp::shell
