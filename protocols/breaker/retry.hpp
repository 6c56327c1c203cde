// When to try a failed request again: jittered exponential backoff, within a budget and never beyond the
// deadline.
//
// The budget is what keeps retries from finishing off a peer that is overloaded: they may be at most
// `budget_pct` of the requests, but `budget_min_per_s` a second in any case, so that a quiet caller can retry
// at all (as in Finagle and Envoy).
//
// Pure. One RetryPolicy for all requests of one caller to one kind of service, used by one thread at a time:
// began() at a request's first try, next() after each failed one.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/random.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

namespace dwcp::breaker {

/// The delay before each retry: doubles from `min` to `max`, of each half fixed and half random, so that what
/// failed together does not come back together.
struct Backoff {
    Duration min = milliseconds(25);
    Duration max = milliseconds(1000); ///< Read as `min` if it is less.

    /// `retry` counts from 0.
    Duration delay(std::uint32_t retry, Random& random) const;
};

struct RetryOptions {
    Backoff backoff;
    std::uint32_t tries_max = 0; ///< The first included; 0: as many as the deadline allows.
    std::uint32_t budget_pct = 20;
    std::uint32_t budget_min_per_s = 10;
};

/// Why a request is not tried again. The names are metric labels.
enum class NoRetry : std::uint8_t { tries, budget, deadline };

std::string_view to_string(NoRetry why);

/// Retries that requests have earned, in hundredths of one.
class RetryBudget {
  public:
    RetryBudget(std::uint32_t pct, std::uint32_t min_per_s);

    void deposit(TimePoint now);
    /// Takes one, if there is one.
    bool withdraw(TimePoint now);

  private:
    void refill(TimePoint now);

    std::uint64_t pct_;
    std::uint64_t min_per_s_;
    std::uint64_t earned_ = 0; ///< By requests; at most those of kBudgetRequests.
    std::uint64_t floor_;      ///< What is left of this second's minimum.
    std::optional<TimePoint> refilled_at_;
};

class RetryPolicy {
  public:
    RetryPolicy(const RetryOptions& options, std::uint64_t seed);

    /// A request is tried for the first time.
    void began(TimePoint now) { budget_.deposit(now); }

    /// `tries` have failed, at least 1. The delay until the next, or why there is none. `retry_after`: what
    /// the other side asked for; the delay is at least that.
    std::expected<Duration, NoRetry> next(std::uint32_t tries, TimePoint now, TimePoint deadline,
                                          Duration retry_after = Duration::zero());

  private:
    RetryOptions options_;
    RetryBudget budget_;
    Random random_;
};

} // namespace dwcp::breaker
