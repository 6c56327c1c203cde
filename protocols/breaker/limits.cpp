#include "protocols/breaker/limits.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::breaker {

namespace {

constexpr std::uint64_t kToken =
    1'000'000'000; ///< A token in the bucket's unit: rate * nanoseconds needs no division.

/// About when a place of a bulkhead in use gets free: what a workload of a few MiB takes.
constexpr std::uint32_t kPlaceRetryAfterMs = 500;
/// Nobody is sent away for longer than this by a guess.
constexpr std::uint32_t kRetryAfterMsMax = 30'000;
/// A step of an adaptive limit wants this many samples: one slow call is no trend.
constexpr std::uint64_t kSamplesMin = 5;

} // namespace

TokenBucket::TokenBucket(std::uint32_t rate_per_s, std::uint32_t burst)
    : rate_per_s_(std::max(rate_per_s, 1U)), capacity_(std::max(burst, 1U) * kToken), level_(capacity_) {}

void TokenBucket::refill(TimePoint now) {
    if (!refilled_at_) refilled_at_ = now;
    if (now <= *refilled_at_) return;
    const auto elapsed_ns = static_cast<std::uint64_t>(Duration(now - *refilled_at_).count());
    refilled_at_ = now;
    // Compared before it is multiplied: a long quiet time would overflow.
    const std::uint64_t missing = capacity_ - level_;
    level_ = elapsed_ns > missing / rate_per_s_ ? capacity_ : level_ + elapsed_ns * rate_per_s_;
}

std::optional<Duration> TokenBucket::take(TimePoint now, std::uint64_t spare) {
    refill(now);
    const std::uint64_t wanted = std::min(kToken + spare * kToken, capacity_);
    if (level_ < wanted) {
        const std::uint64_t wait_ns = (wanted - level_ + rate_per_s_ - 1) / rate_per_s_;
        return Duration(static_cast<Duration::rep>(wait_ns));
    }
    level_ -= kToken;
    return std::nullopt;
}

void TokenBucket::change(std::uint32_t rate_per_s, std::uint32_t burst, TimePoint now) {
    refill(now); // what was earned at the old rate
    rate_per_s_ = std::max(rate_per_s, 1U);
    capacity_ = std::max(burst, 1U) * kToken;
    level_ = std::min(level_, capacity_);
}

std::expected<void, Refusal> Bulkhead::enter() {
    if (running_ >= running_max_) {
        return std::unexpected(
            refuse(RefusalReason::in_flight, kPlaceRetryAfterMs,
                   fmt::format("{} {} are in flight, allowed are {}", running_, what_, running_max_)));
    }
    ++running_;
    return {};
}

void Bulkhead::leave() {
    if (running_ > 0) --running_; // one too many must not wrap to a bulkhead that is full for ever
}

AdaptiveLimit::AdaptiveLimit(const AdaptiveOptions& options)
    : options_(options), limit_(std::max(options.ceiling, 1U)) {
    change_options(options);
}

void AdaptiveLimit::change_options(const AdaptiveOptions& options) {
    const bool held_down = limit_ < options_.ceiling;
    options_ = options;
    options_.floor = std::max(options_.floor, 1U);
    options_.ceiling = std::max(options_.ceiling, options_.floor);
    if (!held_down) limit_ = options_.ceiling;
    limit_ = std::clamp(limit_, options_.floor, options_.ceiling);
}

void AdaptiveLimit::sample(Duration took, std::uint32_t used, TimePoint now) {
    if (!stepped_at_ || now < *stepped_at_) stepped_at_ = now;
    ++samples_;
    if (took > options_.target) ++slow_;
    used_max_ = std::max(used_max_, used);
    if (samples_ < kSamplesMin || now - *stepped_at_ < options_.every) return;
    if (slow_ * 2 > samples_) { // the median is over the target
        const auto step = std::uint64_t{limit_} * options_.decrease_pct / 100;
        limit_ -=
            static_cast<std::uint32_t>(std::min<std::uint64_t>(std::max<std::uint64_t>(step, 1), limit_));
    } else if (used_max_ >= limit_ - limit_ / 2) { // a limit that nobody comes near is no evidence
        limit_ = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(options_.ceiling, std::uint64_t{limit_} + std::max(limit_ / 100, 1U)));
    }
    limit_ = std::clamp(limit_, options_.floor, options_.ceiling);
    stepped_at_ = now;
    samples_ = 0;
    slow_ = 0;
    used_max_ = 0;
}

std::expected<void, Refusal> AdaptiveLimit::admit(std::uint32_t used) const {
    if (used < limit_) return {};
    const auto wait = std::chrono::ceil<milliseconds>(options_.target).count();
    return std::unexpected(
        refuse(RefusalReason::latency,
               static_cast<std::uint32_t>(std::clamp<std::int64_t>(wait, 1, kRetryAfterMsMax)),
               fmt::format("{} are under way, and more than {} would take longer than {} ms each", used,
                           limit_, wait)));
}

} // namespace dwcp::breaker
