// Cuts a command line into words the way a POSIX shell does, without any expansion.
#pragma once

#include "protocols/base/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace dwcp::shell {

/// Blanks separate words; '...' keeps everything, "..." everything but \" and \\, and \ the next character.
/// Errors: invalid_argument for a quote that is not closed or a backslash at the end.
Result<std::vector<std::string>> split_words(std::string_view line);

} // namespace dwcp::shell
