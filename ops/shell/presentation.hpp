// What the shell adds to the API's table of operator verbs: an example, and how an answer is shown. A verb
// that is not here works all the same.
#pragma once

#include "ops/shell/printers.hpp"

#include <string>
#include <string_view>

namespace dwcp::shell {

struct Presentation {
    std::string_view verb;  ///< "actor.kill".
    std::string arguments;  ///< Of the example: "site-b:manager/0 --yes".
    std::string list{};     ///< The member of the answer that -o ndjson prints an object a line of.
    std::string columns{};  ///< Of its table, in order.
    bool confirms = false;  ///< The target's name has to be typed.
    Print print = nullptr;  ///< Instead of print_answer().
    bool waits = false;     ///< It begins a job, for whose end the shell waits.
    std::string optional{}; ///< An optional parameter that stands behind the verb, not as a flag.

    bool is_positional(std::string_view parameter) const { return parameter == optional; }
};

/// An empty one for a verb that has none.
const Presentation& presentation_of(std::string_view verb);

/// How an argument of a verb is named in usage lines; completion goes by it.
std::string kind_of(std::string_view verb, std::string_view parameter);

} // namespace dwcp::shell
