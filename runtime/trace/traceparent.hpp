// W3C Trace Context: the `traceparent` header, by which a caller says which trace a request belongs to.
//
//   00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//   version, trace id (32 hex digits), parent span id (16), flags (bit 0: the caller may have recorded it)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwcp::trace {

struct TraceParent {
    std::string trace_id;
    std::uint64_t parent = 0; ///< The caller's span.
    bool sampled = false;     ///< The caller records: it wants to see this request.

    bool operator==(const TraceParent&) const = default;
};

/// nullopt for what is not exactly version 00 with lower-case digits and ids other than zero: by the standard
/// such a header is ignored, never an error.
std::optional<TraceParent> parse_traceparent(std::string_view text);

/// The header for whoever is told of `span`. `trace_id` has 32 hex digits. The sampled flag is set: spans are
/// recorded here.
std::string make_traceparent(std::string_view trace_id, std::uint64_t span);

/// Whether `text` can be a trace id: 32 lower-case hex digits, not all of them zero.
bool is_trace_id(std::string_view text);

/// 16 hex digits.
std::string span_text(std::uint64_t span);

} // namespace dwcp::trace
