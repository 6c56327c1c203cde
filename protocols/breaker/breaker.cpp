#include "protocols/breaker/breaker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace dwcp::breaker {

namespace {

/// Probes never wait for nothing: a window of 0 would divide by it.
constexpr Duration kShortest = std::chrono::nanoseconds(10);
/// Last errors are shown to people; a peer chose the words of some.
constexpr std::size_t kErrorBytesMax = 300;

/// Time since `then`; 0 if the clock went back, the largest duration if it jumped too far to count.
Duration since(TimePoint then, TimePoint now) {
    if (now <= then) return Duration::zero();
    const auto from = then.time_since_epoch().count();
    const auto to = now.time_since_epoch().count();
    if (from < 0 && to > std::numeric_limits<Duration::rep>::max() + from) return Duration::max();
    return Duration(to - from);
}

std::uint64_t percent(std::uint64_t part, std::uint64_t whole) { return whole == 0 ? 0 : part * 100 / whole; }

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

} // namespace

std::string_view to_string(State state) {
    switch (state) {
    case State::closed:
        return "closed";
    case State::half_open:
        return "half_open";
    case State::open:
        return "open";
    }
    return "unknown";
}

std::string_view to_string(Forced forced) {
    switch (forced) {
    case Forced::no:
        return "no";
    case Forced::open:
        return "open";
    case Forced::closed:
        return "closed";
    }
    return "unknown";
}

State Breaker::effective() const {
    switch (forced_) {
    case Forced::open:
        return State::open;
    case Forced::closed:
        return State::closed;
    case Forced::no:
        break;
    }
    return state_;
}

Admitted Breaker::admit(TimePoint now) {
    turn_back(now);
    if (forced_ == Forced::open) return {};
    if (forced_ == Forced::closed || state_ == State::closed) return {Permit{epoch_, 0}, {}, {}};
    Admitted admitted;
    if (state_ == State::open) {
        admitted.retry_after = opens_in(now);
        if (admitted.retry_after > Duration::zero()) return admitted;
        admitted.transition =
            enter(State::half_open, fmt::format("was open for {:.1f} s", seconds(open_for_)), now);
    }
    drop_lost_probes(now);
    if (probes_.size() >= std::max(options_.probes_max, 1U)) {
        // At the latest when the oldest probe is given up.
        admitted.retry_after = options_.probe_timeout - since(probes_.front().since, now);
        return admitted;
    }
    probes_.push_back({++last_probe_, now});
    admitted.permit = Permit{epoch_, last_probe_};
    return admitted;
}

std::optional<Transition> Breaker::report(const Permit& permit, Outcome outcome, Duration took, TimePoint now,
                                          std::string_view error) {
    turn_back(now);
    if (permit.epoch != epoch_) return std::nullopt;
    std::erase_if(probes_, [&](const Probe& probe) { return probe.id == permit.probe; });
    if (outcome == Outcome::ignored || forced_ != Forced::no) return std::nullopt;
    if (outcome == Outcome::failure) last_error_ = error.substr(0, kErrorBytesMax);
    const bool slow = options_.slow_pct > 0 && took >= options_.slow_call;
    count(outcome, slow, now);
    if (state_ == State::closed) return report_closed(outcome, slow, now);
    if (state_ == State::half_open) return report_probe(outcome, slow, now);
    return std::nullopt;
}

std::optional<Transition> Breaker::report_closed(Outcome outcome, bool slow, TimePoint now) {
    failures_ = outcome == Outcome::failure ? failures_ + 1 : 0;
    if (outcome == Outcome::success) {
        next_open_for_.reset(); // it works: what a hint promised has come true
        if (!slow) return std::nullopt;
    }
    auto why = why_trip(now);
    if (!why) return std::nullopt;
    ++trips_;
    return enter(State::open, std::move(*why), now);
}

std::optional<Transition> Breaker::report_probe(Outcome outcome, bool slow, TimePoint now) {
    if (outcome == Outcome::failure) {
        return enter(State::open,
                     last_error_.empty() ? "a probe failed" : fmt::format("a probe failed: {}", last_error_),
                     now);
    }
    if (slow) {
        return enter(State::open, fmt::format("a probe took {:.1f} s or more", seconds(options_.slow_call)),
                     now);
    }
    if (++successes_ < options_.successes_to_close) return std::nullopt;
    return enter(State::closed, fmt::format("{} calls in a row succeeded", successes_), now);
}

std::optional<std::string> Breaker::why_trip(TimePoint now) const {
    std::string last = last_error_.empty() ? "" : fmt::format("; the last: {}", last_error_);
    if (options_.failures_consecutive > 0 && failures_ >= options_.failures_consecutive)
        return fmt::format("{} calls in a row failed{}", failures_, last);
    const auto window = counts(now);
    if (window.calls < std::max(options_.calls_min, 1U)) return std::nullopt;
    const auto over = [&](std::uint64_t part, std::uint32_t limit_pct) {
        return limit_pct > 0 && part * 100 >= window.calls * limit_pct;
    };
    if (over(window.failures, options_.failure_pct)) {
        return fmt::format("{} of {} calls ({} %) failed within {:.0f} s{}", window.failures, window.calls,
                           percent(window.failures, window.calls), seconds(options_.window), last);
    }
    if (over(window.slow, options_.slow_pct)) {
        return fmt::format("{} of {} calls ({} %) within {:.0f} s took {:.1f} s or more", window.slow,
                           window.calls, percent(window.slow, window.calls), seconds(options_.window),
                           seconds(options_.slow_call));
    }
    return std::nullopt;
}

Transition Breaker::enter(State to, std::string reason, TimePoint now) {
    Transition transition{state_, to, reason};
    if (to == State::open) {
        reason_ = std::move(reason);
        opened_at_ = now;
        open_for_ = std::min(next_open_for_.value_or(options_.open_for), options_.open_for);
        if (next_open_for_)
            next_open_for_ = open_for_ > options_.open_for / 2 ? options_.open_for : open_for_ * 2;
    }
    state_ = to;
    ++epoch_;
    failures_ = 0;
    successes_ = 0;
    probes_.clear();
    // What was counted before belongs to the state before: it must not trip a breaker that has just closed.
    slots_.fill({});
    return transition;
}

std::optional<Transition> Breaker::hint(TimePoint now) {
    turn_back(now);
    if (state_ == State::closed || forced_ != Forced::no) return std::nullopt;
    next_open_for_ = options_.open_for / kHintedOpenShare;
    if (state_ == State::half_open) return std::nullopt;
    return enter(State::half_open, "its peer came up", now);
}

std::optional<Transition> Breaker::force(Forced forced, const std::string& reason, TimePoint now) {
    if (forced == forced_) return std::nullopt;
    const State before = effective();
    enter(State::closed, {}, now);
    forced_ = forced;
    reason_ = reason;
    return Transition{before, effective(), reason};
}

std::optional<Transition> Breaker::reset(TimePoint now) {
    const State before = effective();
    enter(State::closed, {}, now);
    forced_ = Forced::no;
    reason_.clear();
    last_error_.clear();
    next_open_for_.reset();
    if (before == State::closed) return std::nullopt;
    return Transition{before, State::closed, "reset by an operator"};
}

std::uint32_t Breaker::probes(TimePoint now) const {
    return static_cast<std::uint32_t>(std::ranges::count_if(
        probes_, [&](const Probe& probe) { return since(probe.since, now) < options_.probe_timeout; }));
}

Duration Breaker::opens_in(TimePoint now) const {
    if (state_ != State::open || forced_ != Forced::no) return Duration::zero();
    const Duration passed = since(opened_at_, now);
    return passed >= open_for_ ? Duration::zero() : open_for_ - passed;
}

// --- the window

std::int64_t Breaker::slot_number(TimePoint now) const {
    return now.time_since_epoch() / std::max(options_.window / kSlots, kShortest);
}

void Breaker::count(Outcome outcome, bool slow, TimePoint now) {
    const auto number = slot_number(now);
    Slot& slot = slots_[static_cast<std::size_t>((number % kSlots + kSlots) % kSlots)];
    if (slot.number != number) slot = {number, {}};
    ++slot.counts.calls;
    if (outcome == Outcome::failure) ++slot.counts.failures;
    if (slow) ++slot.counts.slow;
}

WindowCounts Breaker::counts(TimePoint now) const {
    const auto newest = slot_number(now);
    WindowCounts sum;
    for (const Slot& slot : slots_) {
        // Compared without a difference, which could overflow.
        if (slot.number > newest || slot.number < newest - kSlots + 1) continue;
        sum.calls += slot.counts.calls;
        sum.failures += slot.counts.failures;
        sum.slow += slot.counts.slow;
    }
    return sum;
}

/// Durations run from the present: a `now` before their start moves it, or they would take longer than they
/// are.
void Breaker::turn_back(TimePoint now) {
    opened_at_ = std::min(opened_at_, now);
    for (Probe& probe : probes_)
        probe.since = std::min(probe.since, now);
}

void Breaker::drop_lost_probes(TimePoint now) {
    std::erase_if(probes_,
                  [&](const Probe& probe) { return since(probe.since, now) >= options_.probe_timeout; });
}

} // namespace dwcp::breaker
