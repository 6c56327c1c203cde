#include "protocols/supervision/supervisor.hpp"

#include <algorithm>
#include <utility>

namespace dwcp::supervision {
namespace {

/// A delay of zero would never grow: a child that fails at once would keep a core busy.
constexpr Duration kDelayMin = milliseconds(1);

std::string in_ms(Duration duration) {
    return std::to_string(std::chrono::duration_cast<milliseconds>(duration).count()) + " ms";
}

std::string cut(std::string reason) {
    if (reason.size() > kReasonMax) reason.resize(kReasonMax);
    return reason;
}

/// How many of the times lie within `period` before `now`, both ends included.
std::size_t within(const std::deque<TimePoint>& times, Duration period, TimePoint now) {
    return static_cast<std::size_t>(
        std::ranges::count_if(times, [&](TimePoint at) { return now - at <= period; }));
}

void bring_into_range(std::optional<CrashLoop>& loop) {
    if (loop) loop->deaths = std::clamp<std::uint32_t>(loop->deaths, 1, kRecordMax);
}

} // namespace

Supervisor::Child::Child(ChildSpec of)
    : spec(std::move(of)), quarantine(spec.quarantine), release(spec.release), on_trial(spec.on_trial),
      last_good(spec.last_good) {
    spec.backoff.min = std::max(spec.backoff.min, kDelayMin);
    spec.backoff.max = std::max(spec.backoff.max, spec.backoff.min);
    spec.backoff.jitter_ratio = std::max(spec.backoff.jitter_ratio, 0.0);
    bring_into_range(spec.poison);
    bring_into_range(spec.roll_back);
    shown = state();
}

ChildState Supervisor::Child::state() const {
    if (alive()) {
        if (ending()) return ChildState::stopping;
        if (phase == Phase::recovering) return ChildState::recovering;
        return phase == Phase::starting ? ChildState::starting : ChildState::running;
    }
    if (!quarantine.empty()) return ChildState::quarantined;
    if (!wanted) return rest;
    return needs_token ? ChildState::backing_off : ChildState::waiting;
}

Supervisor::Supervisor(SupervisorSpec spec, std::uint64_t seed) : spec_(std::move(spec)), random_(seed) {
    spec_.intensity.restarts_max = std::min(spec_.intensity.restarts_max, kRecordMax);
    for (const ChildSpec& child : spec_.children)
        if (find(child.id) == nullptr) children_.emplace_back(child);
}

std::vector<Action> Supervisor::step(const Event& event, TimePoint now, RestartBudget& budget) {
    if (state_ == State::finished) return {};
    std::visit([&](const auto& what) { on(what, now); }, event);
    advance(now, budget);
    for (Child& child : children_) {
        if (child.shown == child.state()) continue;
        child.shown = child.state();
        child.since = now;
    }
    return std::exchange(actions_, {});
}

// Events.

void Supervisor::on(const Begin&, TimePoint now) {
    if (state_ != State::idle) return;
    state_ = State::starting;
    for (Child& child : children_) {
        if (!child.quarantine.empty()) continue;
        up_at_once(child, now);
        child.in_order = true;
    }
}

void Supervisor::on(const Recovered& event, TimePoint now) {
    Child* child = living(event.child, event.incarnation);
    if (child == nullptr || child->phase != Child::Phase::recovering) return;
    if (child->end_asked != Child::Asked::nothing) return;
    child->deadline.reset();
    if (child->must_stop) return; // its turn to be stopped comes: not worth a start
    child->phase = Child::Phase::starting;
    child->deadline = now + child->spec.start_timeout;
    actions_.push_back(Start{child->spec.id, child->incarnation, child->life_release});
}

void Supervisor::on(const Ready& event, TimePoint now) {
    Child* child = living(event.child, event.incarnation);
    if (child == nullptr || child->phase != Child::Phase::starting) return;
    if (child->end_asked != Child::Asked::nothing) return;
    child->phase = Child::Phase::running;
    child->ready_at = now;
    child->deadline.reset();
    if (!child->must_stop) child->in_order = false;
}

void Supervisor::on(const Ended& event, TimePoint now) {
    Child* child = living(event.child, event.incarnation);
    if (child == nullptr) return;
    const bool asked = std::exchange(child->must_stop, false);
    const bool forced = std::exchange(child->end_asked, Child::Asked::nothing) != Child::Asked::nothing;
    child->last_reason = cut(child->why_killed.empty() ? event.reason : std::exchange(child->why_killed, {}));
    if (child->ready_at && now - *child->ready_at >= child->spec.backoff.reset_after) {
        child->last_delay.reset();
        if (!child->life_release.empty() && !child->life_on_trial) child->last_good = child->life_release;
    }
    child->phase = Child::Phase::none;
    child->ready_at.reset();
    child->deadline.reset();
    child->stuck = false;
    if (!asked) died(*child, forced ? Exit::abnormal : event.exit, now);
}

void Supervisor::on(const Wake& event, TimePoint now) {
    if (!armed_ || armed_->generation != event.generation) {
        ++stale_;
        return;
    }
    armed_.reset();
    for (Child& child : children_)
        if (child.alive() && child.deadline && *child.deadline <= now) overdue(child, now);
}

void Supervisor::on(const Command& event, TimePoint now) {
    if (!check(event)) return;
    Child& child = *find(event.child);
    switch (event.verb) {
    case Verb::kill:
        return kill(child, now);
    case Verb::restart:
        if (child.alive() && !child.must_stop) {
            child.must_stop = true;
            child.in_order = child.in_order || spec_.strategy != Strategy::one_for_one;
            take_along(child);
        }
        return up_at_once(child, now);
    case Verb::quarantine:
        return quarantine(child, event.who + ": " + event.reason);
    case Verb::resume:
        child.quarantine.clear(); // its record was cleared when it came in
        return up_at_once(child, now);
    case Verb::stop:
        return down(child, ChildState::stopped);
    case Verb::start:
        return up_at_once(child, now);
    }
}

void Supervisor::on(const NewRelease& event, TimePoint) {
    Child* child = find(event.child);
    if (child == nullptr) {
        ++stale_;
        return;
    }
    child->release = event.release;
    child->on_trial = event.on_trial;
    if (child->life_release == event.release) child->life_on_trial = event.on_trial;
    forget(*child);
}

void Supervisor::on(const Shutdown& event, TimePoint) {
    if (!ending_ || ending_->how == Escalation::stop) ending_ = Ending{{}, "it was shut down", false};
    ending_->leave_stuck = ending_->leave_stuck || event.leave_stuck;
    stop_all(ChildState::stopped);
}

// Queries.

Result<void> Supervisor::check(const Command& command) const {
    const Child* child = find(command.child);
    if (child == nullptr) {
        return fail(Errc::not_found, spec_.path + " has no child '" + command.child + "'",
                    "`dwcp-shell -c tree` lists them");
    }
    if (state_ == State::stopping || state_ == State::finished)
        return fail(Errc::unavailable, spec_.path + " is ending", "wait until its parent has restarted it");
    if (state_ == State::idle)
        return fail(Errc::precondition_failed, spec_.path + " has not begun", "try again in a moment");
    return check(*child, command.verb);
}

Result<void> Supervisor::check(const Child& child, Verb verb) const {
    const auto refuse = [&](const std::string& why, std::string remedy) {
        return fail(Errc::precondition_failed, child.spec.id + " " + why, std::move(remedy));
    };
    const bool down = !child.alive() && !child.wanted;
    if (verb == Verb::kill && child.alive()) return {};
    if (!child.quarantine.empty() && verb != Verb::resume)
        return refuse("is quarantined by " + child.quarantine, "`actor resume` ends that");
    if (verb == Verb::kill)
        return refuse("does not run now", child.wanted ? "it is being restarted" : "start it first");
    if (verb == Verb::resume && child.quarantine.empty() && child.rest != ChildState::given_up)
        return refuse("is neither quarantined nor given up", "`actor restart` restarts it");
    if (verb == Verb::stop && down) return refuse("is down already", "there is nothing to stop");
    if (verb == Verb::start && child.alive() && !child.must_stop)
        return refuse("runs already", "`actor restart` restarts it");
    return {};
}

std::vector<ChildStatus> Supervisor::children() const {
    std::vector<ChildStatus> all;
    for (const Child& child : children_)
        all.push_back(*this->child(child.spec.id));
    return all;
}

std::optional<ChildStatus> Supervisor::child(std::string_view id) const {
    const Child* child = find(id);
    if (child == nullptr) return std::nullopt;
    const ChildState state = child->state();
    return ChildStatus{
        .id = child->spec.id,
        .type = child->spec.type,
        .state = state,
        .since = child->since,
        .incarnation = child->incarnation,
        .ready_at = child->ready_at,
        .restarts = child->restarts,
        .last_reason = child->last_reason,
        .next_start = state == ChildState::backing_off ? std::optional(child->due) : std::nullopt,
        .quarantine = child->quarantine,
        .release = child->release,
        .on_trial = child->on_trial,
        .last_good = child->last_good,
    };
}

std::size_t Supervisor::remembered() const {
    std::size_t times = recent_.size();
    for (const Child& child : children_)
        times += child.deaths.size();
    return times;
}

const Supervisor::Child* Supervisor::find(std::string_view id) const {
    const auto found =
        std::ranges::find_if(children_, [&](const Child& child) { return child.spec.id == id; });
    return found == children_.end() ? nullptr : &*found;
}

Supervisor::Child* Supervisor::find(std::string_view id) {
    return const_cast<Child*>(std::as_const(*this).find(id));
}

Supervisor::Child* Supervisor::living(const std::string& id, std::uint64_t incarnation) {
    Child* child = find(id);
    if (child != nullptr && child->alive() && child->incarnation == incarnation) return child;
    ++stale_;
    return nullptr;
}

std::size_t Supervisor::index_of(const Child& child) const {
    return static_cast<std::size_t>(&child - children_.data());
}

// What follows a death.

void Supervisor::died(Child& child, Exit exit, TimePoint now) {
    const bool again = child.spec.type == RestartType::permanent ||
                       (child.spec.type == RestartType::transient && exit == Exit::abnormal);
    if (!again) return down(child, ChildState::ended);

    const bool own_release = child.life_release == child.release;
    if (own_release) remember(child, now);
    const auto completes = [&](const std::optional<CrashLoop>& loop) {
        return own_release && loop && within(child.deaths, loop->period, now) >= loop->deaths;
    };
    const auto loop_words = [&](const CrashLoop& loop) {
        return std::to_string(loop.deaths) + " ends within " + in_ms(loop.period);
    };
    std::string why;
    const bool over = over_intensity(child, now);
    const bool poison = completes(child.spec.poison);
    if (completes(child.spec.roll_back)) {
        why = loop_words(*child.spec.roll_back);
    } else if (poison) {
        why = loop_words(*child.spec.poison);
    } else if (over) {
        why = "more than " + std::to_string(spec_.intensity.restarts_max) + " restarts within " +
              in_ms(spec_.intensity.period);
    } else {
        return restart(child, now);
    }
    why = cut(why + "; " + child.spec.id + " ended last because: " + child.last_reason);

    if (child.spec.roll_back && own_release && !child.last_good.empty() && child.last_good != child.release) {
        roll_back(child, why);
        return restart(child, now);
    }
    if (poison) return quarantine(child, why);
    if (over) return escalate(child, why);
    restart(child, now);
}

void Supervisor::remember(Child& child, TimePoint now) {
    child.deaths.push_back(now);
    const auto needed = [](const std::optional<CrashLoop>& loop) { return loop ? loop->deaths : 0U; };
    while (child.deaths.size() > std::max(needed(child.spec.poison), needed(child.spec.roll_back)))
        child.deaths.pop_front();
}

bool Supervisor::over_intensity(const Child& child, TimePoint now) {
    std::erase_if(recent_, [&](const Restart& restart) { return now - restart.at > spec_.intensity.period; });
    recent_.push_back({now, index_of(child)});
    return recent_.size() > spec_.intensity.restarts_max;
}

void Supervisor::roll_back(Child& child, const std::string& reason) {
    actions_.push_back(RollBack{child.spec.id, child.release, child.last_good, reason});
    child.release = child.last_good;
    child.on_trial = false;
    forget(child);
}

void Supervisor::quarantine(Child& child, std::string reason) {
    child.quarantine = cut(std::move(reason));
    down(child, ChildState::stopped);
    forget(child);
    actions_.push_back(Quarantined{child.spec.id, child.quarantine});
}

void Supervisor::escalate(Child& child, const std::string& reason) {
    actions_.push_back(Escalate{spec_.escalation, child.spec.id, reason});
    if (spec_.escalation == Escalation::quarantine) return quarantine(child, reason);
    recent_.clear();
    ending_ = Ending{spec_.escalation, reason, spec_.escalation == Escalation::exit_process};
    stop_all(spec_.escalation == Escalation::stop ? ChildState::given_up : ChildState::stopped);
}

void Supervisor::restart(Child& child, TimePoint now) {
    const Duration delay = take_delay(child);
    child.due = now + delay;
    child.needs_token = true;
    child.delayed_told = false;
    child.in_order = child.in_order || spec_.strategy != Strategy::one_for_one;
    auto along = take_along(child);
    actions_.push_back(Report{child.spec.id, child.incarnation, ++child.restarts, delay, child.last_reason,
                              std::move(along)});
}

/// Has the siblings that the strategy restarts with this child stopped and started again; says which.
std::vector<std::string> Supervisor::take_along(const Child& child) {
    std::vector<std::string> along;
    if (spec_.strategy == Strategy::one_for_one) return along;
    const std::size_t from = spec_.strategy == Strategy::one_for_all ? 0 : index_of(child) + 1;
    for (std::size_t i = from; i < children_.size(); ++i) {
        Child& sibling = children_[i];
        if (&sibling == &child) continue;
        if (sibling.spec.type == RestartType::temporary) {
            if (sibling.alive() && !sibling.must_stop) down(sibling, ChildState::ended);
            continue;
        }
        if (!sibling.wanted && sibling.rest != ChildState::ended) continue;
        sibling.wanted = true;
        sibling.in_order = true;
        if (sibling.alive()) sibling.must_stop = true;
        along.push_back(sibling.spec.id);
    }
    return along;
}

/// A clean record: what it did so far counts for nothing.
void Supervisor::forget(Child& child) {
    child.deaths.clear();
    child.last_delay.reset();
    const std::size_t index = index_of(child);
    std::erase_if(recent_, [&](const Restart& restart) { return restart.child == index; });
}

Duration Supervisor::take_delay(Child& child) {
    const Backoff& backoff = child.spec.backoff;
    if (!child.last_delay) {
        child.last_delay = backoff.min;
        return backoff.min;
    }
    child.last_delay = *child.last_delay > backoff.max / 2 ? backoff.max : *child.last_delay * 2;
    const double jitter = backoff.jitter_ratio * random_.unit();
    return *child.last_delay + std::chrono::duration_cast<Duration>(*child.last_delay * jitter);
}

/// Wants it up, without delay or token: once its present life has ended, if that is on its way.
void Supervisor::up_at_once(Child& child, TimePoint now) {
    if (!child.wanted && child.rest == ChildState::given_up) forget(child);
    if (!child.wanted) child.in_order = spec_.strategy != Strategy::one_for_one;
    child.wanted = true;
    child.rest = ChildState::stopped;
    child.due = now;
    child.needs_token = false;
    if (state_ == State::given_up) state_ = State::running;
}

void Supervisor::down(Child& child, ChildState rest) {
    child.wanted = false;
    child.rest = rest;
    child.in_order = false;
    child.needs_token = false;
    child.must_stop = child.alive();
}

void Supervisor::stop_all(ChildState rest) {
    state_ = State::stopping;
    for (Child& child : children_)
        down(child, rest);
}

// One life.

void Supervisor::start(Child& child, TimePoint now) {
    child.life_release = child.release;
    child.life_on_trial = child.on_trial;
    ++child.incarnation;
    if (child.spec.recovers) {
        child.phase = Child::Phase::recovering;
        child.deadline = now + child.spec.recovery_timeout;
        actions_.push_back(Recover{child.spec.id, child.incarnation, child.life_release});
    } else {
        child.phase = Child::Phase::starting;
        child.deadline = now + child.spec.start_timeout;
        actions_.push_back(Start{child.spec.id, child.incarnation, child.life_release});
    }
}

void Supervisor::kill(Child& child, TimePoint now) {
    if (child.end_asked == Child::Asked::kill) return;
    child.end_asked = Child::Asked::kill;
    child.deadline = now + kKillPatience;
    actions_.push_back(Kill{child.spec.id, child.incarnation});
}

void Supervisor::overdue(Child& child, TimePoint now) {
    child.deadline.reset();
    if (child.end_asked == Child::Asked::kill) {
        child.stuck = true;
        actions_.push_back(Stuck{child.spec.id, child.incarnation});
        return;
    }
    if (child.end_asked == Child::Asked::nothing && child.phase == Child::Phase::recovering)
        child.why_killed = "its state was not recovered within " + in_ms(child.spec.recovery_timeout);
    if (child.end_asked == Child::Asked::nothing && child.phase == Child::Phase::starting)
        child.why_killed = "it was not ready within " + in_ms(child.spec.start_timeout);
    kill(child, now);
}

// What is due, whatever event came.

void Supervisor::advance(TimePoint now, RestartBudget& budget) {
    stop_next(now);
    if (ending_) {
        if (all_down()) finish();
    } else {
        start_next(now, budget);
        const bool in_order = std::ranges::any_of(children_, &Child::in_order);
        if (state_ == State::starting && !in_order) {
            state_ = State::running;
            if (!std::exchange(up_told_, true)) actions_.push_back(Up{});
        }
    }
    arm(now);
}

void Supervisor::stop_next(TimePoint now) {
    const bool ordered = ending_ || spec_.strategy != Strategy::one_for_one;
    const bool leave_stuck = ending_ && ending_->leave_stuck;
    for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
        if (!child->must_stop || (leave_stuck && child->stuck)) continue;
        if (child->end_asked == Child::Asked::nothing) {
            if (child->spec.stop_grace <= Duration::zero()) {
                kill(*child, now);
            } else {
                child->end_asked = Child::Asked::stop;
                child->deadline = now + child->spec.stop_grace;
                actions_.push_back(Stop{child->spec.id, child->incarnation, child->spec.stop_grace});
            }
        }
        if (ordered) return;
    }
}

void Supervisor::start_next(TimePoint now, RestartBudget& budget) {
    const bool one_by_one = spec_.strategy == Strategy::one_for_one;
    if (!one_by_one && std::ranges::any_of(children_, &Child::must_stop)) return;
    bool in_order_before = false;
    for (Child& child : children_) {
        const bool blocked = child.in_order && in_order_before;
        in_order_before = in_order_before || child.in_order;
        if (blocked || !may_start(child, now) || !pay(child, now, budget)) continue;
        start(child, now);
    }
}

bool Supervisor::may_start(const Child& child, TimePoint now) const {
    if (!child.wanted || child.alive() || child.due > now) return false;
    if (spec_.strategy != Strategy::one_for_all || !child.in_order) return true;
    return std::ranges::none_of(
        children_, [&](const Child& other) { return other.in_order && !other.alive() && other.due > now; });
}

/// Takes the tokens that this start needs: its own, under one_for_all those of all that restart together.
bool Supervisor::pay(Child& child, TimePoint now, RestartBudget& budget) {
    for (Child& other : children_) {
        const bool together = spec_.strategy == Strategy::one_for_all && child.in_order && other.in_order;
        if (!other.needs_token || (&other != &child && !together)) continue;
        if (!budget.take(now)) {
            other.due = budget.next(now);
            if (!std::exchange(other.delayed_told, true))
                actions_.push_back(Delayed{other.spec.id, other.due});
            return false;
        }
        other.needs_token = false;
    }
    return true;
}

bool Supervisor::all_down() const {
    return std::ranges::none_of(children_, [&](const Child& child) {
        return child.alive() && !(child.stuck && ending_->leave_stuck);
    });
}

void Supervisor::finish() {
    const Ending ending = *std::exchange(ending_, std::nullopt);
    if (ending.how == Escalation::stop) {
        state_ = State::given_up;
        if (!std::exchange(up_told_, true)) actions_.push_back(Up{});
        return;
    }
    state_ = State::finished;
    const bool exit_process = ending.how == Escalation::exit_process;
    actions_.push_back(Finished{ending.how ? Exit::abnormal : Exit::normal,
                                ending.how ? spec_.path + " gave up: " + ending.reason : ending.reason,
                                exit_process, exit_process ? spec_.exit_code : 0});
}

void Supervisor::arm(TimePoint now) {
    std::optional<TimePoint> next;
    const auto at = [&](TimePoint when) { next = next ? std::min(*next, when) : when; };
    for (const Child& child : children_) {
        if (child.alive() && child.deadline) at(*child.deadline);
        if (!child.alive() && child.wanted && child.due > now) at(child.due);
    }
    if (!next || state_ == State::finished || (armed_ && armed_->at == *next)) return;
    armed_ = WakeAt{*next, ++generation_};
    actions_.push_back(*armed_);
}

std::string_view to_string(ChildState state) {
    switch (state) {
    case ChildState::waiting:
        return "waiting";
    case ChildState::recovering:
        return "recovering";
    case ChildState::starting:
        return "starting";
    case ChildState::running:
        return "running";
    case ChildState::stopping:
        return "stopping";
    case ChildState::backing_off:
        return "backing_off";
    case ChildState::ended:
        return "ended";
    case ChildState::stopped:
        return "stopped";
    case ChildState::quarantined:
        return "quarantined";
    case ChildState::given_up:
        return "given_up";
    }
    return "unknown";
}

std::string_view to_string(Supervisor::State state) {
    switch (state) {
    case Supervisor::State::idle:
        return "idle";
    case Supervisor::State::starting:
        return "starting";
    case Supervisor::State::running:
        return "running";
    case Supervisor::State::stopping:
        return "stopping";
    case Supervisor::State::given_up:
        return "given_up";
    case Supervisor::State::finished:
        return "finished";
    }
    return "unknown";
}

} // namespace dwcp::supervision
