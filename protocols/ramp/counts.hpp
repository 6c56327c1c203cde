// Adding counts that came from other nodes: at the end of the range they stay there instead of beginning
// anew at zero, where a huge count would look like none.
#pragma once

#include <cstdint>
#include <limits>

namespace dwcp::ramp {

constexpr std::uint64_t add_counts(std::uint64_t a, std::uint64_t b) {
    const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - a;
    return b > room ? std::numeric_limits<std::uint64_t>::max() : a + b;
}

} // namespace dwcp::ramp
