// The configuration in force: what the node started with, and the live keys as they were reloaded since.
//
// Life cycle: one a node. Who uses a live key asks get() when it needs it; who must be told registers with
// on_change() before the node listens. Thread-safe.
#pragma once

#include "runtime/config/settings.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace dwcp::node {

class LiveConfig {
  public:
    explicit LiveConfig(config::NodeConfig started)
        : running_(std::make_shared<const config::NodeConfig>(std::move(started))) {}

    std::shared_ptr<const config::NodeConfig> get() const;
    void on_change(std::function<void(const config::NodeConfig&)> told) { told_.push_back(std::move(told)); }

    /// The file as it is now. Errors: invalid_argument with everything that is wrong with it;
    /// precondition_failed if the node was not started from a file.
    Result<config::NodeConfig> read_file() const;
    /// Takes the live keys of the file over; `dry_run`: only says what would change. Gives all that differs.
    Result<std::vector<config::Change>> reload(bool dry_run);

  private:
    mutable std::mutex mutex_;
    std::mutex reload_mutex_; ///< One after the other.
    std::shared_ptr<const config::NodeConfig> running_;
    std::vector<std::function<void(const config::NodeConfig&)>> told_;
};

} // namespace dwcp::node
