// Looks deeply at the parts of this node every few seconds, keeps what it found for `health`, and has what
// fails twice recovered by its owner (protocols/health/recovery decides).
//
// Life cycle: made by the node when its actors and links run; the destructor ends its thread, which may take
// as long as one look or one attempt, cancels what is being recovered, and begins nothing more. Thread-safe.
// Looks and attempts run on the one thread, so that no part is ever recovered twice at a time; both are
// bounded by their own deadlines.
//
// Events: recovery_begun, recovery_ended, recovery_exhausted, recovery_cancelled. Metrics:
// dwcp_deep_health_look_duration_seconds, dwcp_recovery_attempts_total{part,outcome},
// dwcp_recovery_duration_seconds, dwcp_recovery_given_up{part}.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/health/recovery.hpp"
#include "runtime/base/events.hpp"
#include "runtime/metrics/metrics.hpp"

#include <nlohmann/json.hpp>

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace dwcp::node {

struct DeepFinding {
    std::string part; ///< "actor manager/0", "link site-b", "codec zstd-3"
    health::Condition condition = health::Condition::ok;
    std::string detail{};
    double seconds = 0;
    bool vital = false;      ///< The node is unhealthy without it, not just degraded.
    bool recoverable = true; ///< It has an owner that can begin it anew.
    bool shown = true;       ///< False: `health` shows it from a fresher look.
};

struct DeepHealthSources {
    std::function<std::vector<DeepFinding>()> look;
    std::function<DeepFinding(const std::string& part)> look_at;
    /// Has the part begun anew; an error is the attempt's failure.
    std::function<Result<void>(const std::string& part)> recover;
    std::function<Duration()> every;
    health::RecoveryOptions recovery{};
    /// How long after an attempt the part may take until it is well.
    Duration settle = std::chrono::seconds(3);
};

class DeepHealth {
  public:
    DeepHealth(DeepHealthSources sources, EventRing& events, std::uint64_t seed);
    ~DeepHealth();
    DeepHealth(const DeepHealth&) = delete;
    DeepHealth& operator=(const DeepHealth&) = delete;

    struct Report {
        std::vector<DeepFinding> checks; ///< Of the last look; those that are shown.
        double age_s = 0;
        bool stale = false; ///< The look does not come to its end.
        std::vector<health::RecoveryView> recoveries;
    };
    Report report() const;

  private:
    void run();
    void look();
    void attempt(const health::Attempt& attempt);
    DeepFinding settled(const std::string& part);
    void perform(const std::vector<health::RecoveryAction>& actions);
    void perform_one(const health::RecoveryBegun& begun);
    void perform_one(const health::Attempt& attempt);
    void perform_one(const health::RecoveryEnded& ended);
    void publish();
    bool ending() const;

    const DeepHealthSources sources_;
    EventRing& events_;
    health::Recovery recovery_; ///< Of the thread alone.
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool ending_ = false;
    std::vector<DeepFinding> found_;
    std::vector<health::RecoveryView> recoveries_;
    TimePoint looked_{}; ///< Not yet: the clock's zero.
    TimePoint looking_since_;
    std::thread thread_;
};

} // namespace dwcp::node
