// The rollout plan in a run: started, followed, spoiled on demand, and judged afterwards.
//
// Life cycle: made for a running cluster, start(), look() again and again until it says that the ramp ended,
// then finish() once. All calls from the thread that owns the cluster. Where a gate
// wants to have seen a node fail and come back, one is killed and started again here.
#pragma once

#include "ops/runner/cluster.hpp"
#include "ops/runner/progress.hpp"
#include "ops/runner/rollout_report.hpp"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::runner {

/// What a run can do to the canary: `--inject`.
inline constexpr const char* kInjections[] = {"error-rate", "latency", "corruption", "crash-loop"};

struct RolloutOptions {
    std::filesystem::path repository; ///< Its plan, and its runbooks.
    std::string day = "5s";
    std::optional<std::string> inject;
};

class Rollout {
  public:
    Rollout(Cluster& cluster, ProgressDisplay& display, RolloutOptions options);

    Result<void> start();
    /// Follows the ramp a bit further; false: it has ended. An error if it can no longer be followed.
    Result<bool> look();
    /// How far it is, for the live line: "day 3 of 16, soaking at 10 %".
    std::string where() const;
    RolloutReport finish(LiveTraffic& traffic);

  private:
    Answer ask_any(const std::string& path);
    void tell_news();
    std::string news_of(const nlohmann::json& record) const;
    std::string title_of(const nlohmann::json& record) const;
    void kill_a_node_if_asked();
    Result<void> inject_when_it_has_traffic();
    Result<void> restart_who_was_killed();
    Result<void> vouch_for_runbooks();

    Cluster& cluster_;
    ProgressDisplay& display_;
    const RolloutOptions options_;
    std::chrono::steady_clock::time_point started_;
    std::chrono::steady_clock::time_point last_answer_;
    mutable std::mutex where_mutex_; ///< The display asks from its own thread.
    std::string where_ = "the ramp starts";
    nlohmann::json status_;
    std::uint64_t told_seq_ = 0;
    std::pair<double, double> killed_at_{-1, -1}; ///< Step and stage.
    RolloutReport report_;
};

} // namespace dwcp::runner
