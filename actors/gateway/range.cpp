#include "actors/gateway/range.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace dwcp::gateway {
namespace {

/// A number too large for 64 bits is as good as the largest; nullopt: not a number.
std::optional<std::uint64_t> parse_position(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || end != text.data() + text.size()) return std::nullopt;
    return error == std::errc::result_out_of_range ? std::numeric_limits<std::uint64_t>::max() : value;
}

std::string_view trim(std::string_view text) {
    while (text.starts_with(' '))
        text.remove_prefix(1);
    while (text.ends_with(' '))
        text.remove_suffix(1);
    return text;
}

} // namespace

RangeDecision decide_range(std::string_view header, std::uint64_t size_bytes) {
    using Kind = RangeDecision::Kind;
    constexpr std::string_view kUnit = "bytes=";
    if (!header.starts_with(kUnit)) return {};
    const std::string_view range = trim(header.substr(kUnit.size()));
    const std::size_t dash = range.find('-');
    if (dash == std::string_view::npos) return {};
    const std::string_view first_text = range.substr(0, dash);
    const std::string_view last_text = range.substr(dash + 1);
    const auto first = parse_position(first_text);
    const auto last = parse_position(last_text);
    if ((!first && !first_text.empty()) || (!last && !last_text.empty()) || (!first && !last)) return {};

    if (!first) { // the last so many bytes
        const std::uint64_t length = std::min(*last, size_bytes);
        if (length == 0) return {Kind::unsatisfiable, {}};
        return {Kind::part, {size_bytes - length, length}};
    }
    if (last && *last < *first) return {};
    if (*first >= size_bytes) return {Kind::unsatisfiable, {}};
    const std::uint64_t end = last ? std::min(*last, size_bytes - 1) : size_bytes - 1;
    return {Kind::part, {*first, end - *first + 1}};
}

} // namespace dwcp::gateway
