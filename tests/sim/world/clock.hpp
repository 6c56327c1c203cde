// Simulated time: a queue of what happens when. Nothing waits; running the next event is what makes time
// pass.
//
// Events of the same moment run in the order in which they were made, so a run depends on its seed alone.
#pragma once

#include "protocols/base/clock.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace dwcp::sim {

class Clock {
  public:
    TimePoint now() const { return now_; }
    /// Milliseconds since an arbitrary day, for what wants a date.
    std::uint64_t unix_ms() const {
        constexpr std::uint64_t kStart = 1'700'000'000'000;
        return kStart + static_cast<std::uint64_t>(
                            std::chrono::duration_cast<milliseconds>(now_.time_since_epoch()).count());
    }

    void after(Duration delay, std::function<void()> event) { at(now_ + delay, std::move(event)); }
    void at(TimePoint when, std::function<void()> event) {
        events_.emplace(std::pair{when, ++last_}, std::move(event));
    }

    /// Runs the next event; false if there is none.
    bool run_next() {
        if (events_.empty()) return false;
        auto first = events_.extract(events_.begin());
        now_ = first.key().first;
        first.mapped()();
        return true;
    }

  private:
    // Not at zero: a time point of zero often means "never".
    TimePoint now_{std::chrono::hours(1)};
    std::uint64_t last_ = 0;
    std::map<std::pair<TimePoint, std::uint64_t>, std::function<void()>> events_;
};

} // namespace dwcp::sim
