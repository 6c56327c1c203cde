#include "ops/shell/failure.hpp"

#include <algorithm>
#include <utility>

namespace dwcp::shell {
namespace {

// Codes that are not here are plain failures.
constexpr std::pair<Errc, Exit> kExits[] = {
    {Errc::invalid_argument, Exit::usage},           {Errc::already_exists, Exit::precondition},
    {Errc::precondition_failed, Exit::precondition}, {Errc::unauthenticated, Exit::denied},
    {Errc::permission_denied, Exit::denied},         {Errc::unavailable, Exit::unreachable},
    {Errc::deadline_exceeded, Exit::timeout},
};

} // namespace

Exit exit_of(std::string_view code) {
    const auto* const found =
        std::ranges::find_if(kExits, [&](const auto& row) { return to_string(row.first) == code; });
    return found == std::end(kExits) ? Exit::failed : found->second;
}

Failure interrupted_failure() { return {Exit::interrupted, "interrupted", ""}; }

Failure to_failure(const Error& error) {
    return {exit_of(to_string(error.code)), error.message, error.remedy};
}

} // namespace dwcp::shell
