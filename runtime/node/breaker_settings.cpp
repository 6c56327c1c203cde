#include "runtime/node/breaker_settings.hpp"

namespace dwcp::node {

resilience::BreakerSettings breaker_settings(const config::NodeConfig& config) {
    resilience::BreakerSettings settings;
    auto& usual = settings.usual;
    usual.failures_consecutive = config.breaker_failures_consecutive;
    usual.open_for = milliseconds(config.breaker_open_ms);
    usual.successes_to_close = config.breaker_successes_to_close;
    usual.probes_max = config.breaker_probes_max;
    usual.window = milliseconds(config.breaker_window_ms);
    usual.calls_min = config.breaker_calls_min;
    usual.failure_pct = config.breaker_failure_pct;
    usual.slow_call = milliseconds(config.breaker_slow_call_ms);
    usual.slow_pct = config.breaker_slow_pct;
    settings.lane_open_for = milliseconds(config.breaker_lane_open_ms);
    return settings;
}

} // namespace dwcp::node
