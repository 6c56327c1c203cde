// What a call to a peer or service came to, as a breaker counts it, and why a call was refused before it was
// made. Shared by the breaker, the bulkhead, the limits and the retry policy.
#pragma once

#include "protocols/base/result.hpp"

#include <cstdint>
#include <string_view>

namespace dwcp::breaker {

/// The names are metric labels.
enum class Outcome : std::uint8_t {
    success, ///< The other side did it, or gave an answer that only a working one gives.
    failure, ///< It did not answer, not in time, or is broken.
    ignored, ///< Says nothing about the other side: the caller's own mistake, a full queue, a cancelled call.
};

/// What an answer with this error counts as. `not_found` and the like are answers of a side that works.
Outcome outcome_of(Errc code);

std::string_view to_string(Outcome outcome);

/// Why something was refused before it was tried. The names are metric labels.
enum class RefusalReason : std::uint8_t {
    rate,      ///< A token bucket is empty.
    in_flight, ///< A bulkhead is full.
    latency,   ///< An adaptive limit is reached: more would make all of it slow.
};

std::string_view to_string(RefusalReason reason);

struct Refusal {
    RefusalReason reason;
    std::uint32_t retry_after_ms; ///< At least 1. Exact for the rate, else a hint, as nobody knows who
                                  ///< ends when.
    Error error;                  ///< Its remedy names the same delay.
};

/// A refusal of Errc::resource_exhausted whose remedy names the delay.
Refusal refuse(RefusalReason reason, std::uint32_t retry_after_ms, std::string message);

} // namespace dwcp::breaker
