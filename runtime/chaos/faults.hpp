// The faults that are injected into this node now: each has an end, and is ended by it, by an operator, or
// with the node. Begin and end are events; dwcp_chaos_faults{kind} shows how many there are.
//
// Life cycle: one a node; ended (stop_all) before the actors end, as a paused one could not. Thread-safe.
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/base/deadlines.hpp"
#include "runtime/base/events.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::chaos {

struct FaultView {
    std::uint64_t id = 0;
    std::string kind;
    std::string target;
    std::string reason;
    double ends_in_s = 0;
    std::uint64_t hits = 0; ///< How often it struck, where that can be counted.
};

struct FaultPlan {
    std::string kind;
    std::string target;
    std::string reason;
    Duration lasts{};
    std::function<void()> end;
    std::shared_ptr<const std::atomic<std::uint64_t>> hits = nullptr;
};

/// More at once are a riddle, not a drill.
inline constexpr std::size_t kFaultsMax = 16;

class Faults {
  public:
    Faults(Deadlines& deadlines, EventRing& events) : deadlines_(deadlines), events_(events) {}
    ~Faults() { stop({}); }

    /// Whether there is room for one more. Errors: resource_exhausted.
    Result<void> check() const;
    /// One that has begun: its end is called once, after `lasts` at the latest.
    FaultView began(FaultPlan plan);
    /// Ends one, or all; gives how many it ended.
    std::size_t stop(std::optional<std::uint64_t> id);
    std::vector<FaultView> all() const;

  private:
    struct Running {
        FaultPlan plan;
        TimePoint ends;
        Deadlines::Id timer = 0;
    };
    static FaultView view(std::uint64_t id, const Running& running);
    void show(const std::string& kind, int change);

    Deadlines& deadlines_;
    EventRing& events_;
    mutable std::mutex mutex_;
    std::map<std::uint64_t, Running> running_;
    std::uint64_t last_id_ = 0;
};

} // namespace dwcp::chaos
