#include "runtime/base/deadlines.hpp"

#include "runtime/base/worker_pool.hpp"

#include <algorithm>
#include <chrono>

namespace dwcp {

Deadlines::Deadlines() : thread_([this] { run(); }) {}

Deadlines::~Deadlines() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

Deadlines::Id Deadlines::after(Duration delay, std::function<void()> action) {
    const auto at = std::chrono::steady_clock::now() + delay;
    const std::lock_guard lock(mutex_);
    due_.emplace(std::pair(at, ++last_id_), std::move(action));
    changed_.notify_all();
    return last_id_;
}

bool Deadlines::cancel(Id id) {
    const std::lock_guard lock(mutex_);
    return std::erase_if(due_, [id](const auto& entry) { return entry.first.second == id; }) > 0;
}

void Deadlines::run() {
    name_this_thread("deadlines");
    std::unique_lock lock(mutex_);
    while (!ending_) {
        if (due_.empty()) {
            changed_.wait(lock);
            continue;
        }
        const auto first = due_.begin();
        if (first->first.first > std::chrono::steady_clock::now()) {
            const auto at = first->first.first;
            changed_.wait_until(lock, at);
            continue;
        }
        const auto action = std::move(first->second);
        due_.erase(first);
        lock.unlock();
        action();
        lock.lock();
    }
}

} // namespace dwcp
