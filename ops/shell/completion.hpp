// What TAB offers: verbs, flags and choices from the parser, names from the node.
//
// Pure but for its source of names, so that tests need neither a terminal nor a node.
#pragma once

#include "ops/shell/parser.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace dwcp::shell {

struct Names {
    std::vector<std::string> all;
    bool complete = true; ///< False: there are more than these.
};

/// Where names come from. `kind` is how usage lines call the argument: NODE, [NODE:]PATH, KEY, PREFIX, FILE,
/// CONFIG-KEY. Must answer soon, and with nothing if it cannot.
class NameSource {
  public:
    virtual ~NameSource() = default;
    virtual Names names(const std::string& kind, const std::string& prefix) = 0;
};

struct Completion {
    std::vector<std::string> candidates; ///< Whole words, in order.
    std::string insert;                  ///< To be put at the cursor; empty: nothing is certain.
    bool complete = true;                ///< False: there are more candidates than these.
};

/// `line` ends at the cursor.
Completion complete(std::string_view line, const Parser& parser, NameSource& source);

} // namespace dwcp::shell
