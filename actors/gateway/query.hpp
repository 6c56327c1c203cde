// Numbers and choices in a request's query, refused by name when they are none.
#pragma once

#include "runtime/http/message.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace dwcp::gateway {

/// A whole number in min..max; `fallback` if the parameter is missing.
Result<std::uint64_t> number_param(const http::Request& request, const std::string& name,
                                   std::uint64_t fallback, std::uint64_t min, std::uint64_t max);

/// One of `choices`; empty if the parameter is missing.
Result<std::string> choice_param(const http::Request& request, const std::string& name,
                                 std::span<const std::string_view> choices);

} // namespace dwcp::gateway
