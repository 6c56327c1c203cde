// Runs one expensive piece of work at a time and shares each run among all who asked before it began (group
// commit).
//
// Owned by the store, used for flushes. Thread-safe; the work runs on the thread of one of the callers.
#pragma once

#include "protocols/base/result.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace dwcp::store {

class SharedRounds {
  public:
    explicit SharedRounds(std::function<Result<void>()> work) : work_(std::move(work)) {}

    /// The result of a run that began after this call did. Calls during a run share the next one.
    Result<void> join();
    /// Callers that wait for the next run to begin.
    std::size_t waiting() const;

  private:
    struct Round {
        std::size_t callers = 0;
        std::optional<Result<void>> result;
    };

    const std::function<Result<void>()> work_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool running_ = false;
    std::shared_ptr<Round> next_; ///< Collects callers while a run is under way; null if there are none.
};

} // namespace dwcp::store
