#include "actors/manager/admission.hpp"

#include <fmt/format.h>

namespace dwcp::manager {

namespace {

/// A client is told to come again: a place in a queue here would only hide from him that he is too fast.
breaker::BulkheadLimits places(const AdmissionLimits& limits) {
    return {limits.workloads_in_flight_max, 0, {}};
}

/// What low priority leaves to others; nothing of a limit too small to be divided.
constexpr std::uint32_t kKeptFromLow = 4;
/// About when a place of a bulkhead in use gets free.
constexpr std::uint32_t kLowRetryAfterMs = 500;

std::uint32_t to_ms_rounded_up(Duration duration) {
    return static_cast<std::uint32_t>(std::chrono::ceil<milliseconds>(duration).count());
}

} // namespace

Admission::Admission(const AdmissionLimits& limits)
    : limits_(limits), bucket_(limits.requests_per_s, limits.requests_burst),
      bulkhead_("workloads", places(limits)) {}

std::expected<void, Refusal> Admission::admit(TimePoint now, health::Priority priority) {
    const bool low = priority == health::Priority::low;
    const auto kept = low ? limits_.workloads_in_flight_max / kKeptFromLow : 0;
    if (kept > 0 && in_flight() >= limits_.workloads_in_flight_max - kept)
        return std::unexpected(breaker::refuse(RefusalReason::in_flight, kLowRetryAfterMs,
                                               fmt::format("{} workloads are in flight, the last {} places "
                                                           "are not for low priority",
                                                           in_flight(), kept)));
    if (const auto entered = bulkhead_.enter(0, now); !entered) return std::unexpected(entered.error());
    const auto wait = bucket_.take(now, low ? limits_.requests_burst / kKeptFromLow : 0);
    if (!wait) return {};
    bulkhead_.leave(now);
    return std::unexpected(breaker::refuse(RefusalReason::rate, to_ms_rounded_up(*wait),
                                           fmt::format("more than {} requests a second after a burst of {}",
                                                       limits_.requests_per_s, limits_.requests_burst)));
}

void Admission::change_limits(const AdmissionLimits& limits, TimePoint now) {
    if (limits == limits_) return;
    bucket_.change(limits.requests_per_s, limits.requests_burst, now);
    bulkhead_.change_limits(places(limits));
    limits_ = limits;
}

void Admission::release() { bulkhead_.leave({}); }

} // namespace dwcp::manager
