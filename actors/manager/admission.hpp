// Admission: may this workload come in now? A token bucket bounds the rate of arrivals, a bulkhead the number
// in flight.
//
// Pure: time is an argument, and must not run backwards by much (an earlier `now` counts as no time passed).
// One instance a manager, called by its actor only: admit() when a workload arrives, release() exactly once
// when an admitted one ends.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"

#include <cstdint>
#include <expected>
#include <optional>

namespace dwcp::manager {

/// Holds at most `burst` tokens, refilled at `rate_per_s`. In any window of t seconds at most burst + rate *
/// t are taken; counted in whole billionths of a token, so that nothing is lost to rounding.
class TokenBucket {
  public:
    /// Starts full. Both limits are at least 1: 0 is read as 1.
    TokenBucket(std::uint32_t rate_per_s, std::uint32_t burst);

    /// Takes a token, or says after what time one will be there if nobody else takes it.
    std::optional<Duration> take(TimePoint now);
    /// Other limits from now on. Keeps the tokens that the new burst has room for.
    void change(std::uint32_t rate_per_s, std::uint32_t burst, TimePoint now);

  private:
    void refill(TimePoint now);

    std::uint64_t rate_per_s_;
    std::uint64_t capacity_; ///< In billionths of a token.
    std::uint64_t level_;
    std::optional<TimePoint> refilled_at_;
};

/// Why a workload was refused. The names are metric labels.
enum class RefusalReason : std::uint8_t { rate, in_flight };

std::string_view to_string(RefusalReason reason);

struct Refusal {
    RefusalReason reason;
    std::uint32_t retry_after_ms; ///< At least 1. Exact for the rate; for the bulkhead a hint, as nobody
                                  ///< knows who ends when.
    Error error;                  ///< Errc::resource_exhausted; its remedy names the same delay.
};

struct AdmissionLimits {
    std::uint32_t requests_per_s = 1;
    std::uint32_t requests_burst = 1;
    std::uint32_t workloads_in_flight_max = 1; ///< 0: nothing is admitted.

    bool operator==(const AdmissionLimits&) const = default;
};

class Admission {
  public:
    explicit Admission(const AdmissionLimits& limits);

    /// A workload refused by the bulkhead takes no token.
    std::expected<void, Refusal> admit(TimePoint now);
    /// One admitted workload has ended.
    void release();

    /// Other limits from now on; those in flight stay, and tokens beyond a smaller burst are lost.
    void change_limits(const AdmissionLimits& limits, TimePoint now);

    /// Counts workloads that were admitted in an earlier life and resume from the journal. They bypass the
    /// limits, because they were acknowledged, and hold their places until release().
    void resume(std::uint32_t workloads) { in_flight_ += workloads; }

    std::uint32_t in_flight() const { return in_flight_; }

  private:
    AdmissionLimits limits_;
    TokenBucket bucket_;
    std::uint32_t in_flight_ = 0;
};

} // namespace dwcp::manager
