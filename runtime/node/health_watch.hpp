// Looks after the node's health every few seconds and keeps what it found as metrics, so that a scrape never
// waits for an actor that does not answer.
//
// Life cycle: made by the node when its actors run; the destructor ends its thread, which may take as long as
// one look (the probes of health have deadlines). Fail closed: a check or lane that gave no answer in a look
// is not ok, whatever it said before; and a look that does not come to its end makes the node unhealthy.
//
// Metrics: dwcp_health_check_ok{check}, dwcp_health_status{status}, dwcp_health_looks_total{status},
// dwcp_health_look_duration_seconds, dwcp_health_last_look_timestamp_seconds; for each lane
// dwcp_lane_available, dwcp_lane_members, dwcp_lane_members_up, dwcp_lane_quorum_members.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/consensus/lane.hpp"
#include "runtime/base/repeater.hpp"
#include "runtime/metrics/metrics.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace dwcp::node {

inline constexpr Duration kLookEvery = std::chrono::seconds(5);
/// A look takes three probe deadlines at the most, or it hangs.
inline constexpr Duration kLookStaleAfter = std::chrono::seconds(20);

struct HealthWatchSources {
    /// {"status": "healthy" | "degraded" | "unhealthy", "checks": [{"name", "ok", ...}]}
    std::function<nlohmann::json()> health;
    std::vector<std::string> lanes; ///< That this node takes part in.
    /// nullopt: the lane's actor gave no answer in time.
    std::function<std::optional<consensus::Status>(const std::string& lane)> lane_status;
    Duration every = kLookEvery;
    Duration stale_after = kLookStaleAfter;
};

class HealthWatch {
  public:
    explicit HealthWatch(HealthWatchSources sources);
    HealthWatch(const HealthWatch&) = delete;
    HealthWatch& operator=(const HealthWatch&) = delete;

  private:
    void look();
    void look_at_checks();
    void look_at_lanes();
    void doubt();

    const HealthWatchSources sources_;
    std::set<std::string> checks_;  ///< Seen so far.
    std::atomic<TimePoint> looked_; ///< When the last look ended.
    metrics::ExposeHook hook_;
    std::optional<Repeater> looks_; ///< Last: its turns use the rest.
};

} // namespace dwcp::node
