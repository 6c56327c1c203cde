// What happened on this node, for operators: a bounded ring of the last kEventsKept events, numbered without
// gaps.
//
// Every event is also a log line and a count in dwcp_events_total{event}. The shell's `events` reads the
// ring. Thread-safe; lives as long as the node.
#pragma once

#include "protocols/base/clock.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp {

/// Enough for a bad hour; about 1 MiB at the most.
inline constexpr std::size_t kEventsKept = 4096;

struct Event {
    std::uint64_t id = 0; ///< 1, 2, 3, ... since this node's start.
    UnixMillis time_ms = 0;
    std::string name;    ///< lower_snake_case, e.g. "actor_restarted".
    std::string subject; ///< What it is about: an actor path, a peer, a workload.
    std::string trace;   ///< Workload id, where there is one.
    std::map<std::string, std::string> fields;
};

class EventRing {
  public:
    /// Records, logs at info and counts.
    void record(std::string_view name, std::string_view subject,
                std::map<std::string, std::string> fields = {}, std::string_view trace = {});
    /// Events with id > `after`, oldest first, at most `limit`.
    std::vector<Event> since(std::uint64_t after, std::size_t limit) const;
    /// The last `limit` events, oldest first.
    std::vector<Event> latest(std::size_t limit) const;
    /// Of the newest event; 0: there is none yet.
    std::uint64_t last_id() const;

    /// `wake` is called after each event, by whoever recorded it: it must be quick, and may record nothing.
    /// It may be called once more while unsubscribe() runs, not after.
    std::uint64_t subscribe(std::function<void()> wake);
    void unsubscribe(std::uint64_t subscription);

  private:
    mutable std::mutex mutex_;
    std::deque<Event> events_;
    std::uint64_t last_id_ = 0;

    /// Apart from the events' lock, so that who is woken may read them.
    std::shared_mutex subscribers_mutex_;
    std::map<std::uint64_t, std::function<void()>> subscribers_;
    std::uint64_t last_subscription_ = 0;
};

UnixMillis unix_now_ms();

} // namespace dwcp
