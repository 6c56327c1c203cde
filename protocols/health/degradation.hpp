// How badly clients are served, as one of four levels, from what became of their requests.
//
// Two objectives, each with an error budget: so many of a million requests may fail, and so many may take
// longer than `latency`. The burn rate of a window says how many times faster than allowed the budget is
// spent: 1 is just allowed.
//
//   level               availability burns     latency burns
//   degraded            10 (1 % fail)          10 (10 % are slow)
//   severely_degraded   100 (10 % fail)        50 (half are slow)
//   emergency           500 (half fail)        never: slow is not lost
//
// Also degraded: the budget of the long window is spent, and is being spent on.
//
// A level rises at once. It falls one step at a time, each after `hold` below half of what led to it. Nothing
// is said of a window with fewer than `requests_min` requests or `bad_min` bad ones: one failure at night is
// no emergency. A window that empties is no longer evidence: then the level falls step by step, and what is
// let through again shows how things are.
//
// Pure: time is an argument; an earlier `now` counts as no time passed. One object a node, under its owner's
// lock.
#pragma once

#include "protocols/base/clock.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::health {

/// The one encoding, in metrics and APIs alike.
enum class Level : std::uint8_t { normal = 0, degraded = 1, severely_degraded = 2, emergency = 3 };
std::string_view to_string(Level level);

struct Objectives {
    std::uint32_t failures_per_million = 1'000; ///< 99.9 % are served.
    std::uint32_t slow_per_million = 10'000;    ///< 99 % of those that are served are in time.
    Duration latency = milliseconds(1000);
    Duration window = std::chrono::seconds(60);
    Duration hold = std::chrono::seconds(15);
    std::uint32_t requests_min = 50;
    std::uint32_t bad_min = 5;

    bool operator==(const Objectives&) const = default;
};

/// What became of a request.
enum class Served : std::uint8_t { well, slowly, not_at_all };

/// Counts of the last `slots` times `slot`; forgets a slot at a time.
class SlidingCounts {
  public:
    struct Counts {
        std::uint64_t requests = 0;
        std::uint64_t failed = 0;
        std::uint64_t slow = 0;
    };
    SlidingCounts(std::size_t slots, Duration slot) : slot_(slot), slots_(slots) {}

    void add(Served served, TimePoint now);
    Counts sum(TimePoint now) const;

  private:
    struct Slot {
        std::int64_t number = -1;
        Counts counts;
    };
    std::int64_t number_at(TimePoint now) const { return now.time_since_epoch() / slot_; }

    Duration slot_;
    std::vector<Slot> slots_;
};

struct Burn {
    double availability = 0;
    double latency = 0;
};

struct LevelChange {
    Level from = Level::normal;
    Level to = Level::normal;
    std::string reason; ///< In words, with the counts.
};

class Degradation {
  public:
    explicit Degradation(const Objectives& objectives);

    void record(Served served, TimePoint now);
    /// Moves the level to where it belongs now; to be called often, also while nothing is asked.
    std::optional<LevelChange> evaluate(TimePoint now);
    /// Other objectives from now on: counting begins anew, the level stays until there is evidence.
    void change_objectives(const Objectives& objectives);

    Level level() const { return level_; }
    const std::string& reason() const { return reason_; } ///< Of the last change; empty: there was none.
    const Objectives& objectives() const { return objectives_; }
    Burn burn(TimePoint now) const;      ///< Of the window.
    Burn long_burn(TimePoint now) const; ///< Of kLongWindows windows: an hour's, with the default.
    SlidingCounts::Counts counts(TimePoint now) const { return window_.sum(now); }

    /// Windows in the long one, whose budget is what "remaining" means.
    static constexpr std::size_t kLongWindows = 60;

  private:
    Burn burn_of(const SlidingCounts::Counts& counts) const;
    /// The level that the counts ask for when every threshold is multiplied by `share`.
    Level asked_for(TimePoint now, double share) const;
    std::string words(TimePoint now) const;

    Objectives objectives_;
    SlidingCounts window_;
    SlidingCounts hour_;
    Level level_ = Level::normal;
    std::string reason_;
    std::optional<TimePoint> below_since_; ///< The level could fall since then.
};

} // namespace dwcp::health
