// Admission: may this workload come in now? A token bucket bounds the rate of arrivals, a bulkhead the number
// in flight. While commits take longer than their target, fewer may be in flight, down to an eighth
// (AdaptiveLimit): what comes in then would only make all of it slower. Under pressure low priority goes
// first: the last quarter of places and burst is kept from it.
//
// Pure: time is an argument, and must not run backwards by much (an earlier `now` counts as no time passed).
// One instance a manager, called by its actor only: admit() when a workload arrives, release() exactly once
// when an admitted one ends, committed() when one was.
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
    Duration commit_target{}; ///< Of the time from a seal to its receipt; 0: it does not matter.

    bool operator==(const AdmissionLimits&) const = default;
};

class Admission {
  public:
    explicit Admission(const AdmissionLimits& limits);

    /// A workload refused by the bulkhead takes no token.
    std::expected<void, Refusal> admit(TimePoint now, health::Priority priority = health::Priority::normal);
    /// One admitted workload has ended.
    void release() { bulkhead_.leave(); }
    /// One was committed, so long after its seal; before its release().
    void committed(Duration took, TimePoint now);

    /// Other limits from now on; those in flight stay, and tokens beyond a smaller burst are lost.
    void change_limits(const AdmissionLimits& limits, TimePoint now);

    /// Counts workloads that were admitted in an earlier life and resume from the journal. They bypass the
    /// limits, because they were acknowledged, and hold their places until release().
    void resume(std::uint32_t workloads) { bulkhead_.resume(workloads); }

    std::uint32_t in_flight() const { return bulkhead_.running(); }
    /// How many may be in flight now.
    std::uint32_t in_flight_allowed() const;

  private:
    AdmissionLimits limits_;
    breaker::TokenBucket bucket_;
    breaker::Bulkhead bulkhead_;
    breaker::AdaptiveLimit adaptive_;
};

} // namespace dwcp::manager
