// What bounds the work that is taken in: by rate (TokenBucket), by number (Bulkhead), and by a number that
// follows the latency (AdaptiveLimit). Each refuses with a reason and says when to come again.
//
// Pure: time is an argument; an earlier `now` counts as no time passed. Each object belongs to one actor or
// lock.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/breaker/outcome.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>

namespace dwcp::breaker {

/// Holds at most `burst` tokens, refilled at `rate_per_s`. In any window of t seconds at most burst + rate *
/// t are taken; counted in whole billionths of a token, so that nothing is lost to rounding.
class TokenBucket {
  public:
    /// Starts full. Both limits are at least 1: 0 is read as 1.
    TokenBucket(std::uint32_t rate_per_s, std::uint32_t burst);

    /// Takes a token if `spare` more are left behind it, or says after what time that is so if nobody else
    /// takes one.
    std::optional<Duration> take(TimePoint now, std::uint64_t spare = 0);
    /// Other limits from now on. Keeps the tokens that the new burst has room for.
    void change(std::uint32_t rate_per_s, std::uint32_t burst, TimePoint now);

  private:
    void refill(TimePoint now);

    std::uint64_t rate_per_s_;
    std::uint64_t capacity_; ///< In billionths of a token.
    std::uint64_t level_;
    std::optional<TimePoint> refilled_at_;
};

/// At most `running_max` at a time. Nobody waits here: who is refused is told to come again, since a place in
/// a queue would only hide that he is too fast.
class Bulkhead {
  public:
    /// `what` is counted here, for messages: "workloads". 0: nothing runs.
    Bulkhead(std::string what, std::uint32_t running_max)
        : what_(std::move(what)), running_max_(running_max) {}

    std::expected<void, Refusal> enter();
    /// One that ran has ended. A leave too many changes nothing.
    void leave();
    /// Runs already, acknowledged in an earlier life: bypasses the limit, and leaves as any other.
    void resume(std::uint32_t count) { running_ += count; }
    /// Another limit from now on; those that run stay.
    void change_limit(std::uint32_t running_max) { running_max_ = running_max; }

    std::uint32_t running() const { return running_; }

  private:
    std::string what_;
    std::uint32_t running_max_;
    std::uint32_t running_ = 0;
};

struct AdaptiveOptions {
    std::uint32_t floor = 1;
    std::uint32_t ceiling = 1000;
    Duration target = milliseconds(100); ///< Latency above which there is too much under way.
    Duration every = milliseconds(1000); ///< At most one step in this time.
    std::uint32_t decrease_pct = 10;     ///< Of the limit at a step down; a step up is 1, or 1 % if more.

    bool operator==(const AdaptiveOptions&) const = default;
};

/// A limit that rises while the latencies stay below their target and the limit is used, and falls when they
/// do not (AIMD). What it limits, calls at a time or a second, is the caller's to say.
class AdaptiveLimit {
  public:
    /// Starts at the ceiling: nothing is refused before there is a reason.
    explicit AdaptiveLimit(const AdaptiveOptions& options);

    /// One call took `took`; `used`: how much of the limit was in use then.
    void sample(Duration took, std::uint32_t used, TimePoint now);
    /// Refuses if `used` has reached the limit.
    std::expected<void, Refusal> admit(std::uint32_t used) const;
    /// Other options from now on. A limit that nothing holds down follows the ceiling.
    void change_options(const AdaptiveOptions& options);

    std::uint32_t limit() const { return limit_; }

  private:
    AdaptiveOptions options_;
    std::uint32_t limit_;
    std::optional<TimePoint> stepped_at_;
    std::uint64_t samples_ = 0; ///< Since the last step.
    std::uint64_t slow_ = 0;
    std::uint32_t used_max_ = 0;
};

} // namespace dwcp::breaker
