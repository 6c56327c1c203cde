// What supervisors show of their children, and what the tree remembers of a child while its supervisor has no
// life: readable from any thread, even while a supervisor is busy.
//
// Life cycle: one a node, outlives the actor system. Each supervisor shows its children here after each of
// its steps, and looks here, when it begins a life, for what a former life knew of them. Thread-safe.
#pragma once

#include "protocols/base/clock.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::supervisor {

struct ChildView {
    std::string path;
    std::string parent; ///< The supervisor that owns it; empty: it is the root.
    std::string state;  ///< As supervision::to_string(ChildState): "running", "backing_off", ...
    std::uint64_t life = 0;
    std::uint64_t restarts = 0; ///< For its own ends, since the node's start.
    TimePoint since{};          ///< Of the current life.
    std::string last_reason;    ///< Why the last life ended; empty: it never did.
    std::string quarantine;     ///< While quarantined: why, and who did it where that was an operator.
    std::string release;        ///< Of its next life; empty: it has none.
    std::string last_good_release;
    // Of supervisors only.
    std::string strategy; ///< "one_for_one", ...; empty: it is no supervisor.
    std::string escalation;
    std::uint32_t intensity = 0; ///< Restarts of its children within the period that it stands.
    Duration period{};
};

/// A restart that a supervisor decided by itself.
struct RestartRecord {
    UnixMillis time_ms = 0;
    std::string path;
    std::string tree;       ///< From the root: "supervisor > supervisor/data > compression/0".
    std::uint64_t life = 0; ///< That ended.
    std::string reason;     ///< Why it ended.
    Duration delay{};       ///< Before the next life.
    std::string release;    ///< That the next life runs.
};

/// A bad quarter of an hour; about 40 KiB.
inline constexpr std::size_t kRestartsKept = 100;

class Board {
  public:
    void show(ChildView view) {
        const std::lock_guard lock(mutex_);
        auto path = view.path;
        views_[std::move(path)] = std::move(view);
    }
    std::vector<ChildView> all() const {
        const std::lock_guard lock(mutex_);
        std::vector<ChildView> views;
        for (const auto& [path, view] : views_)
            views.push_back(view);
        return views;
    }
    std::optional<ChildView> find(const std::string& path) const {
        const std::lock_guard lock(mutex_);
        const auto found = views_.find(path);
        return found == views_.end() ? std::nullopt : std::optional(found->second);
    }

    void add(RestartRecord restart) {
        const std::lock_guard lock(mutex_);
        restarts_.push_back(std::move(restart));
        if (restarts_.size() > kRestartsKept) restarts_.pop_front();
    }
    /// The last kRestartsKept of the whole node, oldest first.
    std::vector<RestartRecord> restarts() const {
        const std::lock_guard lock(mutex_);
        return {restarts_.begin(), restarts_.end()};
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, ChildView> views_;
    std::deque<RestartRecord> restarts_;
};

} // namespace dwcp::supervisor
