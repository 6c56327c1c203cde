// What a scrape sees of the ramp on this node. Every node follows the journal, so phase and rollbacks are the
// same on all of them; verdicts are known to the host. Requests by release are counted by the releases
// themselves (runtime/release).
#pragma once

#include "protocols/ramp/ramp.hpp"
#include "runtime/metrics/metrics.hpp"

#include <vector>

namespace dwcp::ramp {

class RampProbe {
  public:
    RampProbe();

    void show(const State& state) const;
    void show(const std::vector<Verdict>& verdicts) const;
    /// A record that was committed in this life.
    void count(const Record& record, const State& state) const;

  private:
    mutable UnixMillis rollback_begun_ms_ = 0;
    metrics::Gauge rollback_seconds_;
};

} // namespace dwcp::ramp
