// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dwcp::shell {

/// "0 B", "1023 B", "1.2 MiB".
std::string human_bytes(std::uint64_t bytes);
/// A span of time in its largest unit: "350 ms", "12 s", "5 min", "3 h", "9 d".
std::string human_span(std::int64_t ms);
/// How long ago: "12 s ago"; a time that lies ahead, by clocks that differ, is "now".
std::string human_age(std::int64_t then_ms, std::int64_t now_ms);

/// Without control characters, so that what a node says cannot steer the terminal.
std::string printable(std::string_view text);

} // namespace dwcp::shell
