#include "runtime/resilience/breakers.hpp"

#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <mutex>

namespace dwcp::resilience {

using breaker::Forced;
using breaker::Outcome;
using breaker::State;
using breaker::Transition;

namespace {

TimePoint clock_now() { return std::chrono::steady_clock::now(); }

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

struct Probe {
    Probe(const std::string& peer, const std::string& operation)
        : state(metrics::gauge("dwcp_breaker_state",
                               "State of the breaker of a peer's operation: 0 closed, 1 half-open, 2 open.",
                               {{"peer", peer}, {"operation", operation}})),
          forced(metrics::gauge("dwcp_breaker_forced",
                                "Whether an operator forces the breaker: 0 no, 1 open, 2 closed.",
                                {{"peer", peer}, {"operation", operation}})),
          trips(metrics::counter("dwcp_breaker_trips_total",
                                 "How often the breaker went from closed to open.",
                                 {{"peer", peer}, {"operation", operation}})),
          success(calls(peer, operation, to_string(Outcome::success))),
          failure(calls(peer, operation, to_string(Outcome::failure))),
          ignored(calls(peer, operation, to_string(Outcome::ignored))),
          refused(calls(peer, operation, "refused")) {
        state.set(0);
        forced.set(0);
    }

    static metrics::Counter calls(const std::string& peer, const std::string& operation,
                                  std::string_view outcome) {
        return metrics::counter(
            "dwcp_breaker_calls_total",
            "Calls to a peer's operation by what came of them; ignored: says nothing about "
            "the peer; refused: the breaker was open.",
            {{"peer", peer}, {"operation", operation}, {"outcome", std::string(outcome)}});
    }

    void count(Outcome outcome) const {
        switch (outcome) {
        case Outcome::success:
            return success.add();
        case Outcome::failure:
            return failure.add();
        case Outcome::ignored:
            return ignored.add();
        }
    }

    metrics::Gauge state;
    metrics::Gauge forced;
    metrics::Counter trips;
    metrics::Counter success;
    metrics::Counter failure;
    metrics::Counter ignored;
    metrics::Counter refused;
};

} // namespace

namespace detail {

struct Guarded {
    Guarded(std::string peer_in, std::string operation_in, const breaker::BreakerOptions& options)
        : peer(std::move(peer_in)), operation(std::move(operation_in)), probe(peer, operation),
          core(options) {}

    const std::string peer;
    const std::string operation;
    const Probe probe;

    mutable std::mutex mutex; ///< Of what follows.
    breaker::Breaker core;
    UnixMillis since_ms = unix_now_ms();
    bool half_open_told = false; ///< Since it tripped.
};

} // namespace detail

namespace {

Error refusal(const detail::Guarded& guarded, const breaker::Admitted& admitted) {
    const auto name = guarded.peer + '/' + guarded.operation;
    const auto& core = guarded.core;
    if (core.forced() == Forced::open) {
        return {Errc::unavailable, fmt::format("an operator holds breaker {} open: {}", name, core.reason()),
                fmt::format("`dwcp-shell -c 'breaker reset {}'` ends that", name)};
    }
    if (core.state() == State::half_open) {
        return {Errc::unavailable,
                fmt::format("breaker {} is half-open and its probes are under way; it tripped: {}", name,
                            core.reason()),
                "try again; it closes when they succeed"};
    }
    return {Errc::unavailable, fmt::format("breaker {} is open: {}", name, core.reason()),
            fmt::format("it lets a call through in {:.1f} s to see whether that works again; see `dwcp-shell "
                        "-c 'breaker list'`",
                        seconds(admitted.retry_after))};
}

} // namespace

breaker::BreakerOptions BreakerSettings::of(std::string_view operation) const {
    auto options = usual;
    const bool paces_itself = operation.starts_with("lane/") || operation.starts_with("ramp/");
    if (paces_itself) options.open_for = std::min(options.open_for, lane_open_for);
    return options;
}

// --- a call

Call::Call(Call&& other) noexcept
    : breakers_(std::exchange(other.breakers_, nullptr)), guarded_(other.guarded_), permit_(other.permit_),
      since_(other.since_) {}

Call& Call::operator=(Call&& other) noexcept {
    if (this == &other) return *this;
    report(Outcome::ignored);
    breakers_ = std::exchange(other.breakers_, nullptr);
    guarded_ = other.guarded_;
    permit_ = other.permit_;
    since_ = other.since_;
    return *this;
}

void Call::report(Outcome outcome, std::string_view error) {
    auto* breakers = std::exchange(breakers_, nullptr);
    if (breakers != nullptr) breakers->report(*guarded_, permit_, outcome, since_, error);
}

// --- all of them

Breakers::Breakers(BreakerSettings settings, EventRing& events) : events_(events), settings_(settings) {}

Breakers::~Breakers() = default;

void Breakers::add(std::string_view peer, std::string_view operation) { (void)obtain(peer, operation); }

detail::Guarded* Breakers::obtain(std::string_view peer, std::string_view operation) {
    const std::pair name(peer, operation);
    {
        const std::shared_lock lock(mutex_);
        const auto found = all_.find(name);
        if (found != all_.end()) return found->second.get();
    }
    const std::unique_lock lock(mutex_);
    const auto found = all_.find(name);
    if (found != all_.end()) return found->second.get();
    if (all_.size() >= kBreakersMax) return nullptr;
    auto made =
        std::make_unique<detail::Guarded>(std::string(peer), std::string(operation), settings_.of(operation));
    return all_.emplace(Name(peer, operation), std::move(made)).first->second.get();
}

Result<Call> Breakers::enter(std::string_view peer, std::string_view operation) {
    detail::Guarded* guarded = obtain(peer, operation);
    if (guarded == nullptr) return Call();
    const TimePoint now = clock_now();
    std::unique_lock lock(guarded->mutex);
    const auto admitted = guarded->core.admit(now);
    if (!admitted.permit) {
        auto error = refusal(*guarded, admitted);
        lock.unlock();
        guarded->probe.refused.add();
        return std::unexpected(std::move(error));
    }
    if (admitted.transition) tell(*guarded, *admitted.transition);
    return Call(*this, *guarded, *admitted.permit, now);
}

void Breakers::report(detail::Guarded& guarded, const breaker::Permit& permit, Outcome outcome,
                      TimePoint since, std::string_view error) {
    const TimePoint now = clock_now();
    guarded.probe.count(outcome);
    const std::lock_guard lock(guarded.mutex);
    const auto transition = guarded.core.report(permit, outcome, now - since, now, error);
    if (transition) tell(guarded, *transition);
}

/// Under the breaker's lock: its events come in the order of its states. Who is woken by an event must not
/// call back into the breakers, as event_feed and others do not.
void Breakers::tell(detail::Guarded& guarded, const Transition& transition) {
    const auto& core = guarded.core;
    guarded.since_ms = unix_now_ms();
    guarded.probe.state.set(static_cast<double>(core.effective()));
    guarded.probe.forced.set(static_cast<double>(core.forced()));
    const auto name = guarded.peer + '/' + guarded.operation;
    if (transition.to == State::open && transition.from == State::closed && core.forced() == Forced::no) {
        guarded.half_open_told = false;
        guarded.probe.trips.add();
        events_.record("breaker_tripped", name,
                       {{"reason", transition.reason},
                        {"probes_in", fmt::format("{:.1f} s", seconds(core.opens_in(clock_now())))}});
    } else if (transition.to == State::half_open && !std::exchange(guarded.half_open_told, true)) {
        events_.record("breaker_half_open", name, {{"reason", transition.reason}});
    } else if (transition.to == State::closed && transition.from == State::half_open) {
        events_.record("breaker_closed", name, {{"reason", transition.reason}});
    } else {
        log::debug("breaker_changed",
                   {{"breaker", name}, {"to", to_string(transition.to)}, {"reason", transition.reason}});
    }
}

void Breakers::peer_up(std::string_view peer) {
    const std::shared_lock lock(mutex_);
    for (const auto& [name, guarded] : all_) {
        if (name.first != peer) continue;
        const std::lock_guard one(guarded->mutex);
        if (const auto transition = guarded->core.hint(clock_now())) tell(*guarded, *transition);
    }
}

void Breakers::change_settings(const BreakerSettings& settings) {
    const std::unique_lock lock(mutex_);
    settings_ = settings;
    for (const auto& [name, guarded] : all_) {
        const std::lock_guard one(guarded->mutex);
        guarded->core.change_options(settings.of(name.second));
    }
}

// --- for operators

BreakerView Breakers::view(const detail::Guarded& guarded) {
    const TimePoint now = clock_now();
    const auto& core = guarded.core;
    return {.peer = guarded.peer,
            .operation = guarded.operation,
            .state = core.effective(),
            .forced = core.forced(),
            .reason = core.reason(),
            .last_error = core.last_error(),
            .consecutive_failures = core.consecutive_failures(),
            .window = core.counts(now),
            .probes = core.probes(now),
            .probes_max = core.options().probes_max,
            .trips = core.trips(),
            .opens_in = core.opens_in(now),
            .since_ms = guarded.since_ms};
}

detail::Guarded* Breakers::lookup(std::string_view name) const {
    const auto slash = name.find('/'); // of a node's name it is no part
    if (slash == std::string_view::npos) return nullptr;
    const std::shared_lock lock(mutex_);
    const auto found = all_.find(std::pair(name.substr(0, slash), name.substr(slash + 1)));
    return found == all_.end() ? nullptr : found->second.get();
}

namespace {

std::unexpected<Error> no_such(std::string_view name) {
    return fail(Errc::not_found, fmt::format("no breaker '{}' on this node", name),
                "`dwcp-shell -c 'breaker list'` names them, PEER/OPERATION");
}

} // namespace

std::vector<BreakerView> Breakers::list() const {
    std::vector<BreakerView> views;
    const std::shared_lock lock(mutex_);
    for (const auto& [name, guarded] : all_) {
        const std::lock_guard one(guarded->mutex);
        views.push_back(view(*guarded));
    }
    return views;
}

Result<BreakerView> Breakers::find(std::string_view name) const {
    const auto* guarded = lookup(name);
    if (guarded == nullptr) return no_such(name);
    const std::lock_guard lock(guarded->mutex);
    return view(*guarded);
}

Result<BreakerView> Breakers::force(std::string_view name, Forced forced, const std::string& reason) {
    auto* guarded = lookup(name);
    if (guarded == nullptr) return no_such(name);
    const std::lock_guard lock(guarded->mutex);
    if (const auto transition = guarded->core.force(forced, reason, clock_now())) {
        tell(*guarded, *transition);
        events_.record("breaker_forced", name, {{"to", std::string(to_string(forced))}, {"reason", reason}});
    }
    return view(*guarded);
}

Result<BreakerView> Breakers::reset(std::string_view name) {
    auto* guarded = lookup(name);
    if (guarded == nullptr) return no_such(name);
    const std::lock_guard lock(guarded->mutex);
    const bool was_forced = guarded->core.forced() != Forced::no;
    const auto transition = guarded->core.reset(clock_now());
    if (transition || was_forced) {
        tell(*guarded, transition.value_or(Transition{State::closed, State::closed, "reset by an operator"}));
        events_.record("breaker_reset", name);
    }
    return view(*guarded);
}

} // namespace dwcp::resilience
