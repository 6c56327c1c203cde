// How long an engine gives a view before it suspects its leader. PBFT and ProBFT time their views by it.
//
// The timer runs while work waits in a view and is begun anew by each progress, so a leader that orders
// something all the time is not suspected. A failed view doubles the timeout (Castro and Liskov, section
// 4.5.2: otherwise slow networks never settle), up to a maximum, so that a partition that heals is not
// waited out for ever. Progress halves it back, but only progress that took less than a quarter of it:
// where decisions need nearly the whole timeout, halving would make every other view fail.
//
// A pure value. Life of a view: enter(), then work() and progress() as they come, until expired(); then
// leave(), and expect() once enough others left as well, so that the next leader has its time from there.
#pragma once

#include "protocols/base/clock.hpp"

#include <algorithm>
#include <optional>

namespace dwcp::consensus {

class Pacemaker {
  public:
    /// `timeout_max` below `timeout` counts as `timeout`.
    Pacemaker(Duration timeout, Duration timeout_max)
        : base_(timeout), max_(std::max(timeout, timeout_max)), timeout_(timeout) {}

    /// Whether work waits; told again without a change, it does nothing.
    void work(bool waits, TimePoint now) {
        waits_ = waits;
        if (!in_view_) return;
        if (!waits) since_.reset();
        if (waits && !since_) since_ = now;
    }

    /// What the view is for went on.
    void progress(TimePoint now) {
        if (!in_view_) return;
        if (since_ && now - *since_ < timeout_ / 4) timeout_ = std::max(base_, timeout_ / 2);
        restart(now);
    }

    /// What waits is not the leader's fault: the timer begins anew, and the timeout stays.
    void excuse(TimePoint now) {
        if (in_view_) restart(now);
    }

    /// In a new view.
    void enter(TimePoint now) {
        in_view_ = true;
        restart(now);
    }

    /// The view failed: doubles, and the timer stands until expect() or enter().
    void leave() {
        in_view_ = false;
        since_.reset();
        timeout_ = std::min(max_, 2 * timeout_);
    }

    /// Between views: the next one's leader has its time from now, whether work waits or not. Told again, it
    /// does nothing.
    void expect(TimePoint now) {
        if (!in_view_ && !since_) since_ = now;
    }

    bool expired(TimePoint now) const { return since_ && now >= *since_ + timeout_; }
    /// When to look again; nullopt: the timer stands.
    std::optional<TimePoint> deadline() const {
        if (!since_) return std::nullopt;
        return *since_ + timeout_;
    }
    Duration timeout() const { return timeout_; }
    /// Since when the timer runs.
    std::optional<TimePoint> since() const { return since_; }

  private:
    void restart(TimePoint now) {
        since_.reset();
        if (waits_) since_ = now;
    }

    Duration base_;
    Duration max_;
    Duration timeout_;
    bool waits_ = false;
    bool in_view_ = false;
    std::optional<TimePoint> since_;
};

} // namespace dwcp::consensus
