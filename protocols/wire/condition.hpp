// What a client demands of an object before its command may change it (RFC 9110, section 13: If-Match and
// If-None-Match). Travels with the command and is decided where the command is applied, so that of two
// clients that race exactly one succeeds.
//
// Pure. The gateway makes one of a request's headers, Metadata::apply() decides it.
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::wire {

/// Versions that one condition may name: nobody has more copies of an object at hand than a few.
inline constexpr std::size_t kConditionVersionsMax = 16;

struct Condition {
    enum class Kind : std::uint8_t {
        none = 0,
        absent = 1,     ///< If-None-Match: *
        exists = 2,     ///< If-Match: *
        is_one_of = 3,  ///< If-Match: "etag", ...
        is_none_of = 4, ///< If-None-Match: "etag", ...; an absent object is none of them.
    };
    Kind kind = Kind::none;
    std::vector<Hash256> versions; ///< Content hashes; with the last two kinds.

    bool operator==(const Condition&) const = default;
};

/// Whether the condition holds for an object whose content has this hash; nullopt: there is no object.
bool holds(const Condition& condition, const std::optional<Hash256>& current);

/// "the object exists", ...: what was found instead of what `condition` demands; ends in no full stop.
std::string describe_failure(const Condition& condition, const std::optional<Hash256>& current);

/// Errc::invalid_argument: an unknown kind, or versions where there may be none. Errc::too_large: too many.
Result<void> check_condition(const Condition& condition);

} // namespace dwcp::wire
