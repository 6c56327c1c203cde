// How much a request matters and how long its client waits: what the node looks at when it cannot serve all.
//
// Made once at the edge from a client's headers, then passed along with the work; never changed on the way.
// Pure: a deadline is a point in the clock of this process, and crosses to other nodes as the time left.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"

#include <cstdint>
#include <string_view>

namespace dwcp::health {

/// In the order in which work is given up: the least first.
enum class Priority : std::uint8_t { low, normal, high, critical };
inline constexpr Priority kPriorities[] = {Priority::low, Priority::normal, Priority::high,
                                           Priority::critical};

std::string_view to_string(Priority priority);
/// Errc::invalid_argument for any other word than the four.
Result<Priority> parse_priority(std::string_view text);

/// What a request asks for, as far as refusing it under pressure goes.
enum class Work : std::uint8_t {
    none,     ///< An operator's verb, a probe, a description: never refused for pressure.
    read,     ///< Leaves nothing behind.
    write,    ///< Begins something that will be kept.
    going_on, ///< Goes on with what a client has begun: a part, a completion.
};
std::string_view to_string(Work work);

/// Of a client that did not say how long it waits: the limits of each step hold alone.
inline constexpr TimePoint kNoDeadline = TimePoint::max();
/// A client that says more waits this long: no step of ours waits longer.
inline constexpr std::uint32_t kDeadlineMsMax = 3'600'000;
/// Milliseconds, 1 to kDeadlineMsMax. Errc::invalid_argument.
Result<Duration> parse_deadline_ms(std::string_view text);

struct Urgency {
    Priority priority = Priority::normal;
    TimePoint deadline = kNoDeadline;
};

/// Errc::deadline_exceeded if nobody waits any more for `what`, which has not been begun.
Result<void> still_wanted(TimePoint deadline, TimePoint now, std::string_view what);

} // namespace dwcp::health
