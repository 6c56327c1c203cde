// The Range header of a GET (RFC 9110, section 14).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace dwcp::gateway {

struct ByteRange {
    std::uint64_t first = 0;
    std::uint64_t length = 0; ///< Positive.

    bool operator==(const ByteRange&) const = default;
};

struct RangeDecision {
    enum class Kind { whole, part, unsatisfiable };
    Kind kind = Kind::whole;
    ByteRange range; ///< With Kind::part.
};

/// What to serve of `size_bytes` for this header value. Several ranges, another unit and a malformed value
/// are ignored, as the RFC allows: the whole content is served.
RangeDecision decide_range(std::string_view header, std::uint64_t size_bytes);

} // namespace dwcp::gateway
