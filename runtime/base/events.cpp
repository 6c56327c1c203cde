#include "runtime/base/events.hpp"

#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

#include <algorithm>
#include <chrono>

namespace dwcp {

UnixMillis unix_now_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

void EventRing::record(std::string_view name, std::string_view subject,
                       std::map<std::string, std::string> fields, std::string_view trace) {
    std::string detail;
    for (const auto& [key, value] : fields)
        detail += (detail.empty() ? "" : " ") + key + "=" + value;
    log::info(name, {{"subject", subject}, {"detail", detail}}, {.trace = trace});
    metrics::counter("dwcp_events_total", "Events recorded, by name.", {{"event", std::string(name)}}).add();

    {
        const std::lock_guard lock(mutex_);
        events_.push_back({++last_id_, unix_now_ms(), std::string(name), std::string(subject),
                           std::string(trace), std::move(fields)});
        if (events_.size() > kEventsKept) events_.pop_front();
    }
    const std::shared_lock lock(subscribers_mutex_);
    for (const auto& [id, wake] : subscribers_)
        wake();
}

std::uint64_t EventRing::last_id() const {
    const std::lock_guard lock(mutex_);
    return last_id_;
}

std::uint64_t EventRing::subscribe(std::function<void()> wake) {
    const std::lock_guard lock(subscribers_mutex_);
    subscribers_.emplace(++last_subscription_, std::move(wake));
    return last_subscription_;
}

void EventRing::unsubscribe(std::uint64_t subscription) {
    const std::lock_guard lock(subscribers_mutex_);
    subscribers_.erase(subscription);
}

std::vector<Event> EventRing::since(std::uint64_t after, std::size_t limit) const {
    const std::lock_guard lock(mutex_);
    std::vector<Event> found;
    for (const Event& event : events_) {
        if (event.id <= after) continue;
        if (found.size() == limit) break;
        found.push_back(event);
    }
    return found;
}

std::vector<Event> EventRing::latest(std::size_t limit) const {
    const std::lock_guard lock(mutex_);
    const auto count = static_cast<std::ptrdiff_t>(std::min(limit, events_.size()));
    return {events_.end() - count, events_.end()};
}

} // namespace dwcp
