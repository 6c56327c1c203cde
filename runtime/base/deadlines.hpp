// Things that happen at a time: one thread that runs each when it is due.
//
// Life cycle: one a node. The destructor drops what is not due yet and waits for what runs. Thread-safe. What
// is run must be short: the next waits for it.
#pragma once

#include "protocols/base/clock.hpp"

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace dwcp {

class Deadlines {
  public:
    using Id = std::uint64_t;

    Deadlines();
    ~Deadlines();
    Deadlines(const Deadlines&) = delete;
    Deadlines& operator=(const Deadlines&) = delete;

    Id after(Duration delay, std::function<void()> action);
    /// False: it has run, runs, or never was.
    bool cancel(Id id);

  private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::pair<TimePoint, Id>, std::function<void()>> due_;
    Id last_id_ = 0;
    bool ending_ = false;
    std::thread thread_;
};

} // namespace dwcp
