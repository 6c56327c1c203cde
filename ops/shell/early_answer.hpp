// An answer that a node sends while we are still sending the request: it refuses an upload without reading
// all of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dwcp::shell {

struct EarlyAnswer {
    int status = 0;
    std::string body;
};

/// A whole answer with Content-Length in what was received so far; nullopt: not yet, or not such an answer.
std::optional<EarlyAnswer> parse_answer(std::string_view received);

/// Looks at the socket without waiting when nothing came, and without taking anything from it.
std::optional<EarlyAnswer> peek_answer(int fd);

} // namespace dwcp::shell
