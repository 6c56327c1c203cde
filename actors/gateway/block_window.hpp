// A few slow calls under way at once, their results taken in the order of submission.
//
// Made for one upload or download, used by its thread only; the calls run on a shared pool, or, when that is
// full, on the calling thread, which slows that one down. Calls that are still under way when the window goes
// away are left to finish, so they must own what they use.
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/base/worker_pool.hpp"

#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <utility>

namespace dwcp::gateway {

template<class T>
class BlockWindow {
  public:
    BlockWindow(WorkerPool& pool, std::size_t size) : pool_(pool), size_(size) {}

    bool empty() const { return under_way_.empty(); }
    bool full() const { return under_way_.size() >= size_; }
    std::size_t size() const { return under_way_.size(); }

    /// Not when full().
    void submit(std::function<Result<T>()> call) {
        auto promise = std::make_shared<std::promise<Result<T>>>();
        under_way_.push_back(promise->get_future());
        auto job = [promise, call = std::move(call)] {
            try {
                promise->set_value(call());
            } catch (const std::exception& error) {
                promise->set_value(
                    fail(Errc::internal, std::string("a block request failed: ") + error.what()));
            }
        };
        if (!pool_.try_submit(job)) job();
    }

    /// Waits for the oldest call. Not when empty().
    Result<T> next() {
        auto result = under_way_.front().get();
        under_way_.pop_front();
        return result;
    }

  private:
    WorkerPool& pool_;
    const std::size_t size_;
    std::deque<std::future<Result<T>>> under_way_;
};

} // namespace dwcp::gateway
