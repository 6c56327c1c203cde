#include "runtime/trace/traceparent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace dwcp::trace {
namespace {

constexpr std::size_t kTraceDigits = 32;
constexpr std::size_t kSpanDigits = 16;
constexpr std::size_t kLength = 2 + 1 + kTraceDigits + 1 + kSpanDigits + 1 + 2;

bool is_lower_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

std::uint64_t number_of(std::string_view digits) {
    std::uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    return value;
}

} // namespace

bool is_trace_id(std::string_view text) {
    return text.size() == kTraceDigits && is_lower_hex(text) && !is_zero(text);
}

std::optional<TraceParent> parse_traceparent(std::string_view text) {
    if (text.size() != kLength || !text.starts_with("00-")) return std::nullopt;
    const auto trace = text.substr(3, kTraceDigits);
    const auto span = text.substr(3 + kTraceDigits + 1, kSpanDigits);
    const auto flags = text.substr(kLength - 2);
    if (text[3 + kTraceDigits] != '-' || text[kLength - 3] != '-') return std::nullopt;
    if (!is_trace_id(trace) || !is_lower_hex(span) || is_zero(span) || !is_lower_hex(flags))
        return std::nullopt;
    return TraceParent{std::string(trace), number_of(span), (number_of(flags) & 1) != 0};
}

std::string make_traceparent(std::string_view trace_id, std::uint64_t span) {
    return fmt::format("00-{}-{:016x}-01", trace_id, span);
}

std::string span_text(std::uint64_t span) { return fmt::format("{:016x}", span); }

} // namespace dwcp::trace
