#include "protocols/health/degradation.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::health {
namespace {

constexpr std::size_t kSlots = 12; ///< The window forgets a twelfth of itself at a time.

/// Burn rates at which each level begins.
struct Threshold {
    Level level;
    double availability;
    double latency; ///< 0: never.
};
constexpr Threshold kThresholds[] = {
    {Level::emergency, 500, 0}, {Level::severely_degraded, 100, 50}, {Level::degraded, 10, 10}};

double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

Duration slot_of(Duration window, std::size_t slots) {
    return std::max<Duration>(window / static_cast<std::int64_t>(slots), milliseconds(1));
}

} // namespace

std::string_view to_string(Level level) {
    switch (level) {
    case Level::normal:
        return "normal";
    case Level::degraded:
        return "degraded";
    case Level::severely_degraded:
        return "severely_degraded";
    case Level::emergency:
        return "emergency";
    }
    return "emergency";
}

void SlidingCounts::add(Served served, TimePoint now) {
    const auto number = number_at(now);
    Slot& slot = slots_[static_cast<std::size_t>(number) % slots_.size()];
    if (slot.number != number) slot = {number, {}};
    ++slot.counts.requests;
    slot.counts.failed += served == Served::not_at_all;
    slot.counts.slow += served == Served::slowly;
}

SlidingCounts::Counts SlidingCounts::sum(TimePoint now) const {
    const auto last = number_at(now);
    const auto first = last - static_cast<std::int64_t>(slots_.size()) + 1;
    Counts sum;
    for (const Slot& slot : slots_) {
        if (slot.number < first || slot.number > last) continue;
        sum.requests += slot.counts.requests;
        sum.failed += slot.counts.failed;
        sum.slow += slot.counts.slow;
    }
    return sum;
}

Degradation::Degradation(const Objectives& objectives)
    : objectives_(objectives), window_(kSlots, slot_of(objectives.window, kSlots)),
      hour_(kLongWindows, std::max<Duration>(objectives.window, milliseconds(1))) {}

void Degradation::change_objectives(const Objectives& objectives) {
    if (objectives == objectives_) return;
    objectives_ = objectives;
    window_ = SlidingCounts(kSlots, slot_of(objectives.window, kSlots));
    hour_ = SlidingCounts(kLongWindows, std::max<Duration>(objectives.window, milliseconds(1)));
}

void Degradation::record(Served served, TimePoint now) {
    window_.add(served, now);
    hour_.add(served, now);
}

Burn Degradation::burn_of(const SlidingCounts::Counts& counts) const {
    const double allowed_failed = std::max(objectives_.failures_per_million, 1U) / 1e6;
    const double allowed_slow = std::max(objectives_.slow_per_million, 1U) / 1e6;
    return {ratio(counts.failed, counts.requests) / allowed_failed,
            ratio(counts.slow, counts.requests) / allowed_slow};
}

Burn Degradation::burn(TimePoint now) const { return burn_of(window_.sum(now)); }
Burn Degradation::long_burn(TimePoint now) const { return burn_of(hour_.sum(now)); }

Level Degradation::asked_for(TimePoint now, double share) const {
    const auto counts = window_.sum(now);
    if (counts.requests < objectives_.requests_min) return Level::normal;
    const Burn burn = burn_of(counts);
    const bool enough_failed = counts.failed >= objectives_.bad_min;
    const bool enough_slow = counts.slow >= objectives_.bad_min;
    for (const auto& threshold : kThresholds) {
        if (enough_failed && burn.availability >= threshold.availability * share) return threshold.level;
        if (threshold.latency > 0 && enough_slow && burn.latency >= threshold.latency * share)
            return threshold.level;
    }
    // The hour's budget is spent, and it is being spent now: slowly, but clients have had enough.
    const Burn hour = long_burn(now);
    if (enough_failed && hour.availability >= 1 && burn.availability >= share) return Level::degraded;
    if (enough_slow && hour.latency >= 1 && burn.latency >= share) return Level::degraded;
    return Level::normal;
}

std::string Degradation::words(TimePoint now) const {
    const auto counts = window_.sum(now);
    return fmt::format("of {} requests in {} s, {} failed and {} took longer than {} ms", counts.requests,
                       std::chrono::duration_cast<std::chrono::seconds>(objectives_.window).count(),
                       counts.failed, counts.slow,
                       std::chrono::duration_cast<milliseconds>(objectives_.latency).count());
}

std::optional<LevelChange> Degradation::evaluate(TimePoint now) {
    const Level before = level_;
    if (const Level asked = asked_for(now, 1); asked > level_) {
        below_since_.reset();
        level_ = asked;
        reason_ = words(now);
        return LevelChange{before, level_, reason_};
    }
    if (level_ == Level::normal || asked_for(now, 0.5) >= level_) {
        below_since_.reset();
        return std::nullopt;
    }
    if (!below_since_ || now < *below_since_) below_since_ = now;
    if (now - *below_since_ < objectives_.hold) return std::nullopt;
    below_since_ = now; // the next step takes its own time
    level_ = static_cast<Level>(static_cast<std::uint8_t>(level_) - 1);
    reason_ = words(now);
    return LevelChange{before, level_, reason_};
}

} // namespace dwcp::health
