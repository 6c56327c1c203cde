// Looks at what becomes of clients' requests, says how badly the node serves (protocols/health/degradation),
// and refuses by priority what it can do without (protocols/health/shedding).
//
// Life cycle: one a node, before its server and outliving it. Thread-safe and quick: the server's loop thread
// asks it. What counts are requests of the data routes, as their clients see them: answered 5xx is a failure,
// an answer after more than health.latency_ms is slow. Not counted: what was refused for pressure (429, and
// what is shed, or shedding would feed itself), what the client cut short, a 504 within a deadline that was
// shorter than the objective, and whatever is answered while the node drains. Slow is looked at only where no
// body comes or goes that a slow client could stretch.
//
// Events: degradation_changed. Metrics: dwcp_degradation_level (0 normal to 3 emergency),
// dwcp_http_shed_total{priority,work}, dwcp_error_budget_burn_ratio{objective,window}.
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/health/degradation.hpp"
#include "protocols/health/shedding.hpp"
#include "runtime/base/events.hpp"
#include "runtime/http/route.hpp"
#include "runtime/metrics/metrics.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <map>
#include <mutex>
#include <utility>

namespace dwcp::gateway {

struct GovernorOptions {
    NodeName node;
    std::function<health::Objectives()> objectives = [] { return health::Objectives{}; };
    std::function<bool()> draining = [] { return false; };
};

/// What one that was shed should wait: long enough for a level to have fallen by a step.
inline constexpr int kShedRetryAfterSeconds = 5;

class LoadGovernor {
  public:
    LoadGovernor(GovernorOptions options, EventRing& events);

    /// Errc::unavailable if this request is to make room for others.
    Result<void> admit(health::Work work, health::Priority priority);
    /// One that was admitted was answered.
    void ended(const http::Request& request, int status, std::uint64_t answer_bytes, Duration took);

    health::Level level();
    /// {"level", "number", "since_ms", "reason", "burn": {...}, "window": {...}}
    nlohmann::json view();

  private:
    void evaluate(TimePoint now);
    void expose();

    const GovernorOptions options_;
    EventRing& events_;
    std::mutex mutex_;
    health::Degradation degradation_;
    health::Shedding shedding_;
    TimePoint evaluated_{};
    UnixMillis since_ms_ = 0;
    metrics::ExposeHook hook_;
};

/// What became of a request for the objectives; nullopt: it does not count.
std::optional<health::Served> served_as(const http::Request& request, int status, std::uint64_t answer_bytes,
                                        Duration took, Duration latency);

/// Tells the governor of every request's end.
class GovernorFollower final : public http::Follower {
  public:
    explicit GovernorFollower(LoadGovernor& governor) : governor_(governor) {}
    void answering(const http::Request&, http::Response&) override {}
    void ended(const http::Request& request, int status, std::uint64_t body_bytes, Duration took) override {
        governor_.ended(request, status, body_bytes, took);
    }

  private:
    LoadGovernor& governor_;
};

} // namespace dwcp::gateway
