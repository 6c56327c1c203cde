// What the ramp looks at: what the releases of a system did in a window, and how the cluster was meanwhile.
//
// A window is named by the directive that opened it (Directive::seq): each node counts from the moment it
// applied that directive, so all releases are measured in the same window, and a ramp host that crashed or
// handed over finds the whole window again. `total` is the window so far, `recent` its last
// Directive::recent_ms: gates judge the total, triggers the recent.
//
// Life cycle: plain values. Nodes fill them (runtime/release), the ramp's host adds the nodes' up, the judge
// reads. Encoded by wire.hpp of this folder; no float crosses a node boundary in a CAF message, they are
// bytes.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/ramp/sketch.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace dwcp::ramp {

enum class Release : std::uint8_t { stable = 0, canary = 1 };

/// Names the systems as the plan does.
using System = std::string; ///< "manager", "selector", "probft", "tpbft", "bullshark", "allocator"

/// What one release of one system did in a window.
struct Work {
    std::uint64_t requests = 0; ///< That ended, well or with an error of ours; a client's own mistakes count
                                ///< in neither.
    std::uint64_t errors = 0;
    Sketch latency;            ///< Seconds, of those that ended well.
    std::uint64_t bytes = 0;   ///< Payload of those that ended well.
    std::uint64_t cost_us = 0; ///< What they took of the scarce resource, as the system defines it
                               ///< (registry); less is better. Optimisation = 1 - (cost/byte canary) /
                               ///< (cost/byte stable).

    void add(const Work& other);
};

/// Enough for a sentence in a verdict.
inline constexpr std::size_t kFailingNamesMax = 8;

/// How one node was in a window. Counts, unless said otherwise.
struct Facts {
    std::uint64_t consensus_failures = 0; ///< Commits that a lane failed or timed out.
    std::uint64_t lane_looks = 0;         ///< Looks at all lanes, and how many found each with a quorum.
    std::uint64_t lane_looks_available = 0;
    std::uint64_t corruptions = 0;        ///< Damaged blocks or records found.
    std::uint64_t security_breaches = 0;  ///< Proven ones: forged frames from an authenticated peer, a broken
                                          ///< audit chain.
    std::uint64_t critical_incidents = 0; ///< Critical events: actor given up, crash loop, store failing, ...
    std::uint64_t checks = 0;             ///< Of health, now.
    std::uint64_t checks_failing = 0;
    std::vector<std::string> failing;   ///< Their names, at most kFailingNamesMax.
    double resource_use = 0;            ///< The scarcest of CPU, memory and disk, 0..1, now.
    std::uint64_t metrics_expected = 0; ///< Series that rules and alerts name, and those that are exposed.
    std::uint64_t metrics_present = 0;

    void add(const Facts& other); ///< resource_use: the higher.
};

struct SystemReport {
    std::string stable; ///< Name and version of the release, e.g. "one-stream-1".
    std::string canary; ///< Empty: the system has none on this node.
    double canary_percent = 0;
    std::array<Work, 2> total; ///< By Release.
    std::array<Work, 2> recent;
    Work shadow; ///< What the canary made of stable's requests without answering them, in the window so far;
                 ///< in neither of the above.
    std::uint64_t canary_in_flight = 0;
    UnixMillis canary_last_ms = 0; ///< When the canary last took a request in; 0: never.
    std::string forced;            ///< Why this node keeps to stable whatever the directive says; empty: it
                                   ///< does not.
    std::string unsettled; ///< Why this node is not wholly on stable: the canary has weight or work under
                           ///< way, or stable is not ready. Empty: it is.
};

struct NodeReport {
    NodeName node;
    Incarnation incarnation = 0;
    std::uint64_t seq = 0; ///< Of the directive that is in force there; the window's name.
    std::uint64_t window_ms = 0;
    std::map<System, SystemReport> systems;
    Facts total;
    Facts recent;
};

/// One look of the host at the whole cluster.
struct Observation {
    UnixMillis at_ms = 0;
    std::vector<NodeReport> nodes;
    std::vector<NodeName> silent; ///< Members that did not answer.
};

} // namespace dwcp::ramp
