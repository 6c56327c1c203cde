// The case `rollback` of bench/run ramp: three real nodes under traffic, a canary that goes bad, and the ramp
// that takes it back by itself; again and again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dwcp::bench {

struct RollbackFigures {
    std::vector<double>
        restored_ms; ///< From the trigger until every node was verified on stable, one a rollback; ascending.
    std::vector<double> last_canary_ms; ///< From the trigger until the canary's last request was taken in; 0:
                                        ///< before the trigger.
    std::vector<double> detected_ms;    ///< From the injection of the fault until the trigger.
    std::uint64_t acknowledged = 0;     ///< Puts, from the first to the last rollback.
    std::size_t keys = 0;
    std::size_t lost =
        0; ///< Keys whose last acknowledged version is gone, or came in another order, or is damaged.
    double puts_per_s = 0;
};

/// Throws std::runtime_error with what went wrong. `fault`: "error", "latency" or "corruption", as
/// chaos.canary names them.
RollbackFigures measure_rollbacks(std::size_t rollbacks, const std::string& fault);

} // namespace dwcp::bench
