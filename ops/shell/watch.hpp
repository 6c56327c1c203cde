// `watch VERB`: a command's output again and again, in place on a terminal.
#pragma once

#include "ops/shell/parser.hpp"

namespace dwcp::shell {

/// Until an interrupt, which is no failure, or the count that was asked for. A node that is away is shown as
/// such and asked again. Failures: usage, for a command that cannot be parsed or that changes something.
Outcome<void> run_watch(const Parser& parser, Terminal& terminal);

} // namespace dwcp::shell
