#include "runtime/caf/resolver.hpp"

namespace dwcp::actor {

Error answer_of_dead_life(const std::string& path) {
    return {Errc::unavailable, path + " was restarted before its answer was read", "try again"};
}

std::uint64_t Resolver::publish(const std::string& path, caf::actor handle, std::shared_ptr<ActorStats> stats,
                                TimePoint now) {
    const std::lock_guard lock(mutex_);
    auto& last = last_[path];
    if (const auto before = last.stats.lock()) before->superseded.store(true, std::memory_order_release);
    last.stats = stats;
    const auto life = ++last.life;
    if (closed_) return life;
    live_[path] = Live{std::move(handle), life, now, std::move(stats)};
    changed_.notify_all();
    return life;
}

void Resolver::withdraw(const std::string& path, std::uint64_t life) {
    const std::lock_guard lock(mutex_);
    const auto found = live_.find(path);
    if (found != live_.end() && found->second.life == life) live_.erase(found);
}

void Resolver::close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    live_.clear();
    changed_.notify_all();
}

std::optional<Live> Resolver::find(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto found = live_.find(path);
    if (found == live_.end()) return std::nullopt;
    return found->second;
}

std::optional<Live> Resolver::wait_for_life_after(const std::string& path, std::uint64_t after,
                                                  TimePoint deadline) const {
    std::unique_lock lock(mutex_);
    const auto newer = [&] {
        const auto found = live_.find(path);
        return found != live_.end() && found->second.life > after;
    };
    changed_.wait_until(lock, deadline, [&] { return closed_ || newer(); });
    if (!newer()) return std::nullopt;
    return live_.at(path);
}

} // namespace dwcp::actor
