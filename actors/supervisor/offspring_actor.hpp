// Whom each supervisor has started and not yet seen end. It outlives the supervisors, so that what a dead one
// leaves behind is known: its parent ends these orphans, and waits for them, before the supervisor's next
// life starts the same children again. Otherwise two lives of one actor would work at once.
//
// Life cycle: one a node, beside the board. Thread-safe.
#pragma once

#include <caf/all.hpp>

#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::supervisor {

class Offspring {
  public:
    void add(const std::string& supervisor, const std::string& child, caf::actor handle) {
        const std::lock_guard lock(mutex_);
        children_[supervisor][child] = std::move(handle);
    }
    /// It has ended.
    void remove(const std::string& supervisor, const std::string& child) {
        const std::lock_guard lock(mutex_);
        const auto found = children_.find(supervisor);
        if (found == children_.end()) return;
        found->second.erase(child);
        if (found->second.empty()) children_.erase(found);
    }
    /// By path.
    std::map<std::string, caf::actor> of(const std::string& supervisor) const {
        const std::lock_guard lock(mutex_);
        const auto found = children_.find(supervisor);
        return found == children_.end() ? std::map<std::string, caf::actor>{} : found->second;
    }
    std::vector<std::pair<std::string, caf::actor>> all() const {
        const std::lock_guard lock(mutex_);
        std::vector<std::pair<std::string, caf::actor>> all;
        for (const auto& [supervisor, children] : children_)
            for (const auto& [path, handle] : children)
                all.emplace_back(path, handle);
        return all;
    }
    /// For the end of the node, when no supervisor is left to do it: kills whoever is still there, and
    /// returns when all have ended.
    void end_all(caf::actor_system& system) {
        const auto left = all();
        caf::scoped_actor waiter{system};
        for (const auto& [path, handle] : left)
            waiter->send_exit(handle, caf::exit_reason::kill);
        for (const auto& [path, handle] : left)
            waiter->wait_for(handle);
        const std::lock_guard lock(mutex_);
        children_.clear();
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::map<std::string, caf::actor>> children_;
};

} // namespace dwcp::supervisor
