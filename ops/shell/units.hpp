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

/// How an escape is written: \x1b and \u202e for people, \u001b and \u202e in JSON.
enum class Escape { as_text, as_json };

/// What a node says cannot steer the terminal or reverse what is read: control characters (C0, DEL, C1) and
/// marks of writing direction are escaped, and bytes that are no UTF-8. as_json leaves line ends as they are.
std::string escape_for_terminal(std::string_view text, Escape how);

/// One line as text.
std::string printable(std::string_view text);
/// The same, with its line ends.
std::string printable_lines(std::string_view text);

} // namespace dwcp::shell
