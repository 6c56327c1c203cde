// How a node was since the directive in force, and lately: cumulative counts become those of two windows.
//
// Life cycle: one a node; whoever looks after the node hands its counts over every few seconds with look();
// open() begins the window of a new directive. Counts of a life only ever grow. Thread-safe.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/ramp/measure.hpp"

#include <deque>
#include <mutex>

namespace dwcp::ramp {

/// Slices of the recent window: at a look a second, 10 minutes, which is more than any trigger looks back.
inline constexpr std::size_t kSlicesMax = 600;

class FactsWindow {
  public:
    /// The counts so far of this life; checks, resources and series as they are now.
    void look(Facts counts, TimePoint now);
    /// Everything until the last look belongs to the window before.
    void open();

    Facts total() const;
    /// Of the last `window`, but not of before open().
    Facts recent(Duration window, TimePoint now) const;

  private:
    struct Slice {
        TimePoint at;
        Facts counts;
    };

    mutable std::mutex mutex_;
    Slice opened_{}; ///< The last look before the window began.
    std::deque<Slice> slices_;
};

} // namespace dwcp::ramp
