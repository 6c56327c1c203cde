// What the cluster showed at the looks of one window: some things count only over a time. "More than 3
// consensus failures in 5 minutes" needs the looks of 5 minutes, and a resource is short or a check fails in
// earnest only if it did so at one look after the other.
//
// Life cycle: the ramp's host keeps one a window, adds each observation, and gives glances() to the judge.
// Not journaled: a new host begins with an empty one, and what must last for a time begins to last anew.
#pragma once

#include "protocols/ramp/measure.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace dwcp::ramp {

/// One look.
struct Glance {
    UnixMillis at_ms = 0;
    std::uint64_t consensus_failures = 0; ///< New since the look before.
    double resource_use = 0;              ///< Of the busiest node.
    std::uint64_t checks_failing = 0;
    std::uint64_t metrics_missing = 0;
};

class History {
  public:
    /// Looks older than this are forgotten: twice the longest window of the product's triggers.
    static constexpr std::int64_t kKeptMs = 600'000;
    /// And there are never more: a look a half second, for as long.
    static constexpr std::size_t kGlancesMax = 1'200;

    /// A node that began anew (restart, new window) counts from zero.
    void add(const Observation& observation);
    /// A new window begins.
    void clear() { *this = {}; }
    /// Oldest first.
    const std::vector<Glance>& glances() const { return glances_; }

  private:
    struct Counted {
        Incarnation incarnation = 0;
        std::uint64_t seq = 0;
        std::uint64_t failures = 0;
    };
    std::uint64_t new_failures(const NodeReport& node);

    std::map<NodeName, Counted> counted_;
    std::vector<Glance> glances_;
};

} // namespace dwcp::ramp
