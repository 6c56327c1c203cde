// Evidence of a cluster of three nodes that is well, for tests to spoil.
#pragma once

#include "protocols/ramp/judge.hpp"

#include <cstdint>

namespace dwcp::ramp::test {

/// Requests of one release: latencies are log-normal, at even quantiles, so that nothing is random.
struct Traffic {
    std::uint64_t requests = 0;
    std::uint64_t errors = 0;
    double p50_s = 0.02;
    double sigma = 0.5; ///< p99 is 3.2 times the p50 then.
    double bytes_each = 1e5;
    double cost_us_each = 1e4;
};

Work work(const Traffic& traffic);

inline constexpr UnixMillis kNow = 1'800'000'000'000;

/// Three nodes with the system "manager", canary at 10 % on the first; traffic only in the total window.
Evidence evidence(const Traffic& canary, const Traffic& stable);
/// Both windows of the first node's "manager".
void set_recent(Evidence& evidence, const Traffic& canary, const Traffic& stable);
void set_percent(Evidence& evidence, double percent);
/// Looks each second for so long, the latest now, all like `glance`.
void set_history(Evidence& evidence, std::int64_t ms, Glance glance);

Criterion criterion(Check check, double limit, std::uint64_t samples_min = 100);
Trigger trigger(Trigger::What what, double limit, std::uint64_t samples_min = 100);

Strictness real_clock();
Strictness rehearsal(); ///< A day is 5 s.

} // namespace dwcp::ramp::test
