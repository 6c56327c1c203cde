#include "runtime/links/control/peer_link.hpp"

#include <algorithm>

namespace dwcp::links {

PeerLink::Effects PeerLink::start(TimePoint now) {
    if (!settings_.dials) return {};
    wake_at_ = now;
    return {.wake_at = now};
}

PeerLink::Effects PeerLink::wake(TimePoint now) {
    if (now < wake_at_) return {}; // Left over from before; the wake that counts is still to come.
    if (state_ == State::down && settings_.dials) {
        state_ = State::probing;
        ++attempt_;
        return {.step = Step::probe};
    }
    if (state_ != State::up) return {};
    wake_at_ = now + settings_.ping_after;
    if (pinging_ || now - last_heard_ < settings_.ping_after) return {.wake_at = wake_at_};
    pinging_ = true;
    return {.step = Step::ping, .wake_at = wake_at_};
}

PeerLink::Effects PeerLink::probed(std::uint64_t attempt) {
    if (!is_current(attempt, State::probing)) return {};
    state_ = State::connecting;
    return {.step = Step::connect};
}

PeerLink::Effects PeerLink::connected(std::uint64_t attempt) {
    if (!is_current(attempt, State::connecting)) return {};
    state_ = State::greeting;
    return {.step = Step::greet};
}

PeerLink::Effects PeerLink::greeted(std::uint64_t attempt, TimePoint now) {
    if (!is_current(attempt, State::greeting)) return {};
    return go_up(now);
}

PeerLink::Effects PeerLink::accepted(TimePoint now) {
    ++attempt_;
    return go_up(now);
}

PeerLink::Effects PeerLink::go_up(TimePoint now) {
    state_ = State::up;
    problem_.clear();
    refused_ = false;
    pinging_ = true; // The first ping is sent at once: it gives the round trip time and proves the way back.
    up_since_ = last_heard_ = now;
    wake_at_ = now + settings_.ping_after;
    return {.step = Step::ping, .change = Change::up, .wake_at = wake_at_};
}

PeerLink::Effects PeerLink::failed(std::uint64_t attempt, std::string problem, TimePoint now) {
    if (attempt != attempt_ || state_ == State::down) return {};
    Effects effects;
    if (state_ == State::up) {
        effects.change = Change::down;
        // A link that keeps coming up only to fall again must not retry at full speed.
        if (now - up_since_ >= settings_.reconnect_max) pause_ = {};
    }
    state_ = State::down;
    problem_ = std::move(problem);
    refused_ = false;
    if (settings_.dials) effects.wake_at = wait_from(now);
    return effects;
}

PeerLink::Effects PeerLink::refused(std::uint64_t attempt, std::string problem, TimePoint now) {
    if (attempt != attempt_) return {};
    if (state_ == State::up) return failed(attempt, std::move(problem), now);
    Effects effects;
    // Told once: a refusal stays until somebody changes a configuration, and is tried again all the while.
    if (!refused_ || problem_ != problem) effects.change = Change::refused;
    problem_ = std::move(problem);
    refused_ = true;
    const bool was_trying = state_ != State::down;
    state_ = State::down;
    pause_ = settings_.reconnect_max;
    if (settings_.dials && was_trying) effects.wake_at = wait_from(now);
    return effects;
}

void PeerLink::heard(TimePoint now) {
    last_heard_ = now;
    pinging_ = false;
}

/// Exponential backoff with 'equal jitter': between half and the whole of a pause that doubles up to the
/// maximum.
TimePoint PeerLink::wait_from(TimePoint now) {
    pause_ = std::clamp(pause_, settings_.reconnect_min, settings_.reconnect_max);
    const Duration half = pause_ / 2;
    const auto jitter = static_cast<Duration::rep>(random_.unit() * static_cast<double>(half.count()));
    wake_at_ = now + std::max(settings_.reconnect_min, half + Duration(jitter));
    pause_ *= 2;
    return wake_at_;
}

} // namespace dwcp::links
