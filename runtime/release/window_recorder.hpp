// What a release did since a window was opened, and in the window's most recent part.
//
// Life cycle: a member of a ReleaseSwitch. Thread-safe; record() is one short lock, well under a microsecond.
//
// A request counts when it ends. The recent part is kept in slices of a tenth, so that it is exact to that.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/ramp/measure.hpp"

#include <deque>
#include <mutex>

namespace dwcp::release {

/// Slices of the recent part: it is between its length and a tenth more.
inline constexpr std::uint32_t kSlices = 10;

class WindowRecorder {
  public:
    /// Forgets all: a new window begins now.
    void reset(TimePoint now, Duration recent);

    void finished(TimePoint now, Duration took, std::uint64_t bytes, std::uint64_t cost_us);
    void failed(TimePoint now);

    ramp::Work total() const;
    ramp::Work recent(TimePoint now) const;

  private:
    struct Slice {
        TimePoint begin{};
        ramp::Work work;
    };
    /// The slice that `now` falls into; those that are recent no more join `earlier_`.
    ramp::Work& current(TimePoint now);

    mutable std::mutex mutex_;
    Duration recent_ = std::chrono::seconds(60);
    ramp::Work earlier_;
    std::deque<Slice> slices_; ///< Oldest first, at most kSlices + 2.
};

} // namespace dwcp::release
