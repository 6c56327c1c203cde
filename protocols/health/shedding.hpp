// Which requests are refused at which level of degradation, so that what matters more is served:
//
//   normal              everything is served
//   degraded            low priority is refused
//   severely_degraded   low is refused, and of new writes of normal priority every second one
//   emergency           only critical is served
//
// Work that goes on with what a client has begun (a part, a completion) is a new write only in an emergency.
// Operator verbs, probes and metrics are never asked about. Pure; one object a node, under its owner's lock.
#pragma once

#include "protocols/health/degradation.hpp"
#include "protocols/health/urgency.hpp"

#include <cstdint>

namespace dwcp::health {

class Shedding {
  public:
    bool admits(Level level, Work work, Priority priority);

  private:
    std::uint64_t normal_writes_ = 0; ///< Asked about while severely degraded.
};

} // namespace dwcp::health
