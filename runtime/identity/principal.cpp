#include "runtime/identity/principal.hpp"

#include <algorithm>
#include <array>

namespace dwcp::identity {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"none", "viewer", "writer", "operator", "admin"};

} // namespace

std::string_view to_string(Role role) { return kNames.at(static_cast<std::size_t>(role)); }

std::optional<Role> parse_role(std::string_view text) {
    const auto found = std::ranges::find(kNames, text);
    if (found == kNames.end()) return std::nullopt;
    return static_cast<Role>(found - kNames.begin());
}

} // namespace dwcp::identity
