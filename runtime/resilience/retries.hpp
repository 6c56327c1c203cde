// The retries of one caller: its RetryPolicy, counted for operators.
//
// Life cycle: a member of whoever retries, used by one thread at a time, as an actor's members are. Metrics:
// dwcp_retry_attempts_total{caller} and dwcp_retry_refusals_total{caller,reason}.
#pragma once

#include "protocols/breaker/retry.hpp"
#include "runtime/metrics/metrics.hpp"

#include <string>

namespace dwcp::resilience {

class Retries {
  public:
    /// `caller` is a metric's label: "manager".
    Retries(const std::string& caller, const breaker::RetryOptions& options, std::uint64_t seed);

    /// A request is tried for the first time.
    void began(TimePoint now) { policy_.began(now); }
    /// As RetryPolicy::next().
    std::expected<Duration, breaker::NoRetry> next(std::uint32_t tries, TimePoint now, TimePoint deadline);

  private:
    breaker::RetryPolicy policy_;
    metrics::Counter attempts_;
    metrics::Counter over_tries_;
    metrics::Counter over_budget_;
    metrics::Counter over_deadline_;
};

} // namespace dwcp::resilience
