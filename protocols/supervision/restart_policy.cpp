#include "protocols/supervision/restart_policy.hpp"

#include <algorithm>

namespace dwcp::supervision {
inline namespace one_child {

namespace {

/// A delay of zero would never grow: a child that fails at once would keep a core busy.
constexpr Duration kDelayMin = milliseconds(1);

} // namespace

std::string_view to_string(ChildState state) {
    switch (state) {
    case ChildState::idle:
        return "idle";
    case ChildState::starting:
        return "starting";
    case ChildState::running:
        return "running";
    case ChildState::stopping:
        return "stopping";
    case ChildState::backing_off:
        return "backing_off";
    case ChildState::given_up:
        return "given_up";
    }
    return "unknown";
}

RestartPolicy::RestartPolicy(ChildSpec spec, std::uint64_t seed) : spec_(std::move(spec)), random_(seed) {
    spec_.backoff.min = std::max(spec_.backoff.min, kDelayMin);
    spec_.backoff.max = std::max(spec_.backoff.max, spec_.backoff.min);
}

std::vector<Action> RestartPolicy::step(const Event& event, TimePoint now) {
    return std::visit([&](const auto& what) { return on(what, now); }, event);
}

std::optional<TimePoint> RestartPolicy::next_start() const {
    return state_ == ChildState::backing_off ? std::optional(due_) : std::nullopt;
}

RestartPolicy::Actions RestartPolicy::on(const Started&, TimePoint now) {
    if (state_ != ChildState::starting) return {};
    state_ = ChildState::running;
    running_since_ = now;
    return {};
}

RestartPolicy::Actions RestartPolicy::on(const Stopped& event, TimePoint now) {
    if (!has_child()) return {};
    last_reason_ = event.reason;
    if (running_since_ && now - *running_since_ >= spec_.backoff.reset_after) last_delay_.reset();
    if (state_ == ChildState::stopping) {
        state_ = ChildState::idle;
        return start_again_ ? start_now() : Actions{};
    }
    const bool restart = spec_.type == RestartType::permanent ||
                         (spec_.type == RestartType::transient && event.exit == Exit::abnormal);
    if (restart) return restart_after_failure(now);
    state_ = ChildState::idle;
    return {};
}

RestartPolicy::Actions RestartPolicy::on(const TimerFired&, TimePoint now) {
    if (state_ != ChildState::backing_off) return {};
    // Too early: the timer of a wait that a command cut short, or a clock that rounds. Armed again, lest no
    // timer is left.
    if (now < due_) return {StartAt{due_}};
    if (spec_.intensity) recent_.push_back(now);
    return start_now();
}

RestartPolicy::Actions RestartPolicy::on(Command command, TimePoint) {
    switch (command) {
    case Command::start:
        if (!has_child()) return start_now();
        if (state_ == ChildState::stopping) start_again_ = true;
        return {};
    case Command::restart:
        return has_child() ? stop_child(true) : start_now();
    case Command::stop:
        if (has_child()) return stop_child(false);
        if (state_ == ChildState::backing_off) state_ = ChildState::idle;
        return {};
    case Command::kill:
        return has_child() ? Actions{Stop{.force = true}} : Actions{};
    }
    return {};
}

bool RestartPolicy::has_child() const {
    return state_ == ChildState::starting || state_ == ChildState::running || state_ == ChildState::stopping;
}

RestartPolicy::Actions RestartPolicy::start_now() {
    if (state_ == ChildState::given_up) {
        recent_.clear();
        last_delay_.reset();
    }
    state_ = ChildState::starting;
    running_since_.reset();
    return {Start{}};
}

RestartPolicy::Actions RestartPolicy::stop_child(bool start_again) {
    start_again_ = start_again;
    if (state_ == ChildState::stopping) return {};
    state_ = ChildState::stopping;
    return {Stop{}};
}

RestartPolicy::Actions RestartPolicy::restart_after_failure(TimePoint now) {
    const Duration delay = take_delay();
    if (over_intensity(now + delay)) {
        state_ = ChildState::given_up;
        const auto period_ms = std::chrono::duration_cast<milliseconds>(spec_.intensity->period).count();
        return {GiveUp{"more than " + std::to_string(spec_.intensity->restarts_max) + " restarts within " +
                       std::to_string(period_ms) + " ms; it ended last because: " + last_reason_}};
    }
    state_ = ChildState::backing_off;
    due_ = now + delay;
    return {Report{++restarts_, delay, last_reason_}, StartAt{due_}};
}

Duration RestartPolicy::take_delay() {
    const Backoff& backoff = spec_.backoff;
    if (!last_delay_) {
        last_delay_ = backoff.min;
        return backoff.min;
    }
    last_delay_ = *last_delay_ > backoff.max / 2 ? backoff.max : *last_delay_ * 2;
    const double jitter = backoff.jitter_ratio * random_.unit();
    return *last_delay_ + std::chrono::duration_cast<Duration>(*last_delay_ * jitter);
}

bool RestartPolicy::over_intensity(TimePoint at) {
    if (!spec_.intensity) return false;
    while (!recent_.empty() && recent_.front() <= at - spec_.intensity->period)
        recent_.pop_front();
    return recent_.size() >= spec_.intensity->restarts_max;
}

} // namespace one_child
} // namespace dwcp::supervision
