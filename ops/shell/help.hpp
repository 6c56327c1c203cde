// What `help` says: an overview, or one verb with its arguments, an example and the form of its answer.
#pragma once

#include "ops/shell/parser.hpp"

#include <ostream>
#include <string>

namespace dwcp::shell {

void print_help(std::ostream& out, const Parser& parser);
/// `topic`: "actor kill", or "actor" for all that begin with it. Failures: usage, if there is none.
Outcome<void> help_on(std::ostream& out, const Parser& parser, const std::string& topic);

} // namespace dwcp::shell
