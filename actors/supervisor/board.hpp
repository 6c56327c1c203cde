// What the supervisor shows of its children, readable from any thread even while the supervisor is busy.
#pragma once

#include "protocols/base/clock.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace dwcp::supervisor {

struct ChildView {
    std::string path;
    std::string parent;
    std::string state; ///< "running", "backing_off", "quarantined", ...
    std::uint64_t life = 0;
    std::uint64_t restarts = 0;
    TimePoint since{};       ///< Of the current life.
    std::string last_reason; ///< Why the last life ended; empty: it never did.
    std::string quarantine;  ///< While quarantined: who did it and why.
};

class Board {
  public:
    void show(ChildView view) {
        const std::lock_guard lock(mutex_);
        const auto path = view.path;
        views_[path] = std::move(view);
    }
    std::vector<ChildView> all() const {
        const std::lock_guard lock(mutex_);
        std::vector<ChildView> views;
        for (const auto& [path, view] : views_)
            views.push_back(view);
        return views;
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, ChildView> views_;
};

} // namespace dwcp::supervisor
