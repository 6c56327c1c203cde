#include "runtime/base/repeater.hpp"

#include "runtime/base/worker_pool.hpp"

#include <utility>

namespace dwcp {

Repeater::Repeater(std::string name, Duration pause, std::function<void()> turn)
    : pause_(pause), turn_(std::move(turn)), thread_([this, name = std::move(name)] { run(name); }) {}

void Repeater::stop() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Repeater::run(const std::string& name) {
    name_this_thread(name);
    std::unique_lock lock(mutex_);
    while (!ending_) {
        lock.unlock();
        turn_();
        lock.lock();
        wake_.wait_for(lock, pause_, [this] { return ending_; });
    }
}

} // namespace dwcp
