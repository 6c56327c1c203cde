#include "actors/gateway/query.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace dwcp::gateway {

Result<std::uint64_t> number_param(const http::Request& request, const std::string& name,
                                   std::uint64_t fallback, std::uint64_t min, std::uint64_t max) {
    const auto text = request.param(name);
    if (!text) return fallback;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error == std::errc() && end == text->data() + text->size() && number >= min && number <= max)
        return number;
    return fail(Errc::invalid_argument, fmt::format("{}='{}' is not such a number", name, *text),
                fmt::format("give {} to {}", min, max));
}

Result<std::string> choice_param(const http::Request& request, const std::string& name,
                                 std::span<const std::string_view> choices) {
    const auto text = request.param(name);
    if (!text) return std::string();
    if (std::ranges::find(choices, *text) != choices.end()) return *text;
    return fail(Errc::invalid_argument, fmt::format("{}='{}' is none", name, *text),
                fmt::format("use one of: {}", fmt::join(choices, ", ")));
}

} // namespace dwcp::gateway
