#include "actors/manager/admission.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::manager {

namespace {

/// What slow commits leave of the places, so that commits go on and show when they are fast again.
constexpr std::uint32_t kFloorShare = 8;

breaker::AdaptiveOptions adaptive(const AdmissionLimits& limits) {
    breaker::AdaptiveOptions options;
    options.floor = limits.workloads_in_flight_max / kFloorShare;
    options.ceiling = limits.workloads_in_flight_max;
    options.target = limits.commit_target;
    return options;
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
      bulkhead_("workloads", limits.workloads_in_flight_max), adaptive_(adaptive(limits)) {}

std::expected<void, Refusal> Admission::admit(TimePoint now, health::Priority priority) {
    const bool low = priority == health::Priority::low;
    const auto allowed = in_flight_allowed();
    const auto kept = low ? allowed / kKeptFromLow : 0;
    if (kept > 0 && in_flight() >= allowed - kept)
        return std::unexpected(breaker::refuse(RefusalReason::in_flight, kLowRetryAfterMs,
                                               fmt::format("{} workloads are in flight, the last {} places "
                                                           "are not for low priority",
                                                           in_flight(), kept)));
    if (in_flight() < limits_.workloads_in_flight_max && in_flight() >= allowed)
        return std::unexpected(adaptive_.admit(in_flight()).error());
    if (const auto entered = bulkhead_.enter(); !entered) return std::unexpected(entered.error());
    const auto wait = bucket_.take(now, low ? limits_.requests_burst / kKeptFromLow : 0);
    if (!wait) return {};
    bulkhead_.leave();
    return std::unexpected(breaker::refuse(RefusalReason::rate, to_ms_rounded_up(*wait),
                                           fmt::format("more than {} requests a second after a burst of {}",
                                                       limits_.requests_per_s, limits_.requests_burst)));
}

void Admission::change_limits(const AdmissionLimits& limits, TimePoint now) {
    if (limits == limits_) return;
    bucket_.change(limits.requests_per_s, limits.requests_burst, now);
    bulkhead_.change_limit(limits.workloads_in_flight_max);
    // What was held down for the sake of a target that does not matter any more is not.
    if (limits.commit_target == Duration::zero())
        adaptive_ = breaker::AdaptiveLimit(adaptive(limits));
    else
        adaptive_.change_options(adaptive(limits));
    limits_ = limits;
}

void Admission::committed(Duration took, TimePoint now) {
    if (limits_.commit_target > Duration::zero()) adaptive_.sample(took, in_flight(), now);
}

std::uint32_t Admission::in_flight_allowed() const {
    return std::min(adaptive_.limit(), limits_.workloads_in_flight_max);
}

} // namespace dwcp::manager
