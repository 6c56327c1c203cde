#include "actors/manager/admission.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::manager {

namespace {

constexpr std::uint64_t kToken =
    1'000'000'000; ///< A token in the bucket's unit: rate * nanoseconds needs no division.

/// About what a workload of a few MiB takes.
constexpr std::uint32_t kInFlightRetryAfterMs = 500;

std::uint32_t to_ms_rounded_up(Duration duration) {
    return static_cast<std::uint32_t>(std::chrono::ceil<milliseconds>(duration).count());
}

Refusal refuse(RefusalReason reason, std::uint32_t retry_after_ms, std::string message) {
    return {reason,
            retry_after_ms,
            {Errc::resource_exhausted, std::move(message), fmt::format("retry after {} ms", retry_after_ms)}};
}

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

std::optional<Duration> TokenBucket::take(TimePoint now) {
    refill(now);
    if (level_ < kToken) {
        const std::uint64_t wait_ns = (kToken - level_ + rate_per_s_ - 1) / rate_per_s_;
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

std::string_view to_string(RefusalReason reason) {
    return reason == RefusalReason::rate ? "rate" : "in_flight";
}

Admission::Admission(const AdmissionLimits& limits)
    : limits_(limits), bucket_(limits.requests_per_s, limits.requests_burst) {}

std::expected<void, Refusal> Admission::admit(TimePoint now) {
    if (in_flight_ >= limits_.workloads_in_flight_max)
        return std::unexpected(refuse(RefusalReason::in_flight, kInFlightRetryAfterMs,
                                      fmt::format("{} workloads are in flight, allowed are {}", in_flight_,
                                                  limits_.workloads_in_flight_max)));
    if (const auto wait = bucket_.take(now))
        return std::unexpected(refuse(RefusalReason::rate, to_ms_rounded_up(*wait),
                                      fmt::format("more than {} requests a second after a burst of {}",
                                                  limits_.requests_per_s, limits_.requests_burst)));
    ++in_flight_;
    return {};
}

void Admission::change_limits(const AdmissionLimits& limits, TimePoint now) {
    if (limits == limits_) return;
    bucket_.change(limits.requests_per_s, limits.requests_burst, now);
    limits_ = limits;
}

void Admission::release() {
    // A second release of one workload must not wrap to a bulkhead that is full for ever.
    if (in_flight_ > 0) --in_flight_;
}

} // namespace dwcp::manager
