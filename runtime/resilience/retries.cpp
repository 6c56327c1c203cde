#include "runtime/resilience/retries.hpp"

namespace dwcp::resilience {

using breaker::NoRetry;

namespace {

metrics::Counter refusals(const std::string& caller, NoRetry why) {
    return metrics::counter("dwcp_retry_refusals_total",
                            "Failed requests that were not tried again, by what forbade it.",
                            {{"caller", caller}, {"reason", std::string(to_string(why))}});
}

} // namespace

Retries::Retries(const std::string& caller, const breaker::RetryOptions& options, std::uint64_t seed)
    : policy_(options, seed),
      attempts_(metrics::counter("dwcp_retry_attempts_total", "Failed requests that were tried again.",
                                 {{"caller", caller}})),
      over_tries_(refusals(caller, NoRetry::tries)), over_budget_(refusals(caller, NoRetry::budget)),
      over_deadline_(refusals(caller, NoRetry::deadline)) {}

std::expected<Duration, NoRetry> Retries::next(std::uint32_t tries, TimePoint now, TimePoint deadline) {
    const auto delay = policy_.next(tries, now, deadline);
    if (delay)
        attempts_.add();
    else if (delay.error() == NoRetry::tries)
        over_tries_.add();
    else
        (delay.error() == NoRetry::budget ? over_budget_ : over_deadline_).add();
    return delay;
}

} // namespace dwcp::resilience
