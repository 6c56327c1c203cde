// Admission: may this workload come in now? A token bucket bounds the rate of arrivals, a bulkhead the number
// in flight. Under pressure low priority goes first: the last quarter of both is kept from it.
//
// Pure: time is an argument, and must not run backwards by much (an earlier `now` counts as no time passed).
// One instance a manager, called by its actor only: admit() when a workload arrives, release() exactly once
// when an admitted one ends.
#pragma once

#include "protocols/breaker/limits.hpp"
#include "protocols/health/urgency.hpp"

#include <cstdint>
#include <expected>

namespace dwcp::manager {

using breaker::Refusal;
using breaker::RefusalReason;

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
    std::expected<void, Refusal> admit(TimePoint now, health::Priority priority = health::Priority::normal);
    /// One admitted workload has ended.
    void release();

    /// Other limits from now on; those in flight stay, and tokens beyond a smaller burst are lost.
    void change_limits(const AdmissionLimits& limits, TimePoint now);

    /// Counts workloads that were admitted in an earlier life and resume from the journal. They bypass the
    /// limits, because they were acknowledged, and hold their places until release().
    void resume(std::uint32_t workloads) { bulkhead_.resume(workloads); }

    std::uint32_t in_flight() const { return bulkhead_.running(); }

  private:
    AdmissionLimits limits_;
    breaker::TokenBucket bucket_;
    breaker::Bulkhead bulkhead_;
};

} // namespace dwcp::manager
