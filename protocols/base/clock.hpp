// Time as an input. Decision cores take `now` as an argument and never read a clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace dwcp {

/// A point of a monotonic clock. Only differences mean anything.
using TimePoint = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;
using std::chrono::milliseconds;

/// Milliseconds since the Unix epoch, for records and people.
using UnixMillis = std::int64_t;

} // namespace dwcp
