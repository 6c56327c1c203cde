#include "runtime/store/shared_rounds.hpp"

namespace dwcp::store {

Result<void> SharedRounds::join() {
    std::unique_lock lock(mutex_);
    const bool leads = next_ == nullptr;
    if (leads) next_ = std::make_shared<Round>();
    const std::shared_ptr<Round> round = next_;
    ++round->callers;
    if (!leads) {
        changed_.wait(lock, [&] { return round->result.has_value(); });
        return *round->result;
    }
    changed_.wait(lock, [&] { return !running_; });
    next_.reset(); // whoever comes from here on may have written after the run began
    running_ = true;
    lock.unlock();
    Result<void> result = work_();
    lock.lock();
    running_ = false;
    round->result = result;
    changed_.notify_all();
    return result;
}

std::size_t SharedRounds::waiting() const {
    const std::lock_guard lock(mutex_);
    return next_ == nullptr ? 0 : next_->callers;
}

} // namespace dwcp::store
