// What bounds the work that is taken in: by rate (TokenBucket), by number (Bulkhead), and by a number that
// follows the latency (AdaptiveLimit). Each refuses with a reason and says when to come again.
//
// Pure: time is an argument; an earlier `now` counts as no time passed. Each object belongs to one actor or
// lock.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/breaker/outcome.hpp"

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

struct BulkheadLimits {
    std::uint32_t running_max = 1; ///< 0: nothing runs.
    std::uint32_t queue_max = 0;
    Duration queue_time_max = milliseconds(1000); ///< Who waited for longer is refused when his turn comes.

    bool operator==(const BulkheadLimits&) const = default;
};

/// At most `running_max` at a time, and a bounded queue of those that wait, first come first served.
class Bulkhead {
  public:
    using Id = std::uint64_t; ///< The caller's name for one that may have to wait.

    /// What leave() found: who may run now, and who waited too long.
    struct Turn {
        std::optional<Id> next;
        std::vector<Id> expired; ///< To be refused with RefusalReason::queue_time.
    };

    /// `what` is counted here, for messages: "workloads".
    Bulkhead(std::string what, const BulkheadLimits& limits) : what_(std::move(what)), limits_(limits) {}

    /// True: runs, and leaves once. False: waits for its turn.
    std::expected<bool, Refusal> enter(Id id, TimePoint now);
    /// One that ran has ended at `now`, after `took`. A leave too many changes nothing.
    Turn leave(TimePoint now, Duration took = Duration::zero());
    /// One that waits does not want to any more.
    void withdraw(Id id);
    /// Runs already, acknowledged in an earlier life: bypasses the limits, and leaves as any other.
    void resume(std::uint32_t count) { running_ += count; }
    /// Other limits from now on; those that run or wait stay.
    void change_limits(const BulkheadLimits& limits) { limits_ = limits; }

    const BulkheadLimits& limits() const { return limits_; }
    std::uint32_t running() const { return running_; }
    std::size_t waiting() const { return queue_.size(); }

  private:
    struct Waiting {
        Id id;
        TimePoint since;
    };
    std::uint32_t retry_after_ms() const;

    std::string what_;
    BulkheadLimits limits_;
    std::uint32_t running_ = 0;
    std::deque<Waiting> queue_;
    Duration mean_took_{}; ///< Moving average of what leave() was told; zero: nothing was.
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
