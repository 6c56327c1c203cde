#include "runtime/links/data/stream_controller.hpp"

#include <algorithm>
#include <cmath>

namespace dwcp::links {
namespace {

using Phase = StreamState::Phase;

void enter(StreamState& state, Phase phase) {
    state.phase = phase;
    state.samples = 0;
    state.rate_sum_bps = 0;
}

std::string percent(double ratio) {
    return std::to_string(static_cast<int>(std::lround(ratio * 100))) + " %";
}

void want(StreamState& state, std::uint32_t streams, std::string reason) {
    state.wanted = streams;
    state.reason = std::move(reason);
}

void begin_trial(StreamState& state, std::uint32_t streams, std::string reason) {
    state.before = state.wanted;
    state.rate_before_bps = state.rate_sum_bps / state.samples;
    want(state, streams, std::move(reason));
    enter(state, Phase::settle);
}

void on_grown(StreamState& state, const LinkSample& sample, double gain, TimePoint now) {
    const std::uint32_t added = state.wanted - state.before;
    if (gain > kGainPerStream * added) {
        state.failures = 0;
        state.reason = std::to_string(added) + " more brought " + percent(gain);
        return;
    }
    const auto retry =
        kRetryAfter * (1U << std::min(state.failures, 4U)) * (sample.bbr ? kBbrRetryFactor : 1);
    state.grow_at = now + std::min<Duration>(retry, kRetryAfterMax);
    ++state.failures;
    want(state, state.before, std::to_string(added) + " more brought only " + percent(gain));
}

void on_shrunk(StreamState& state, double gain, TimePoint now) {
    state.shrink_at = now + kShrinkEvery;
    // Having shrunk for want of a gain, growing again at once would only repeat the question.
    state.grow_at = std::max(state.grow_at, now + kRetryAfter);
    if (gain >= -kLossTolerated) {
        state.reason = "one less cost nothing";
    } else {
        want(state, state.before, "one less cost " + percent(-gain));
    }
}

void judge_trial(StreamState& state, const LinkSample& sample, TimePoint now) {
    const double rate = state.rate_sum_bps / state.samples;
    const double gain = state.rate_before_bps > 0 ? rate / state.rate_before_bps - 1 : 1;
    if (state.wanted > state.before) {
        on_grown(state, sample, gain, now);
    } else {
        on_shrunk(state, gain, now);
    }
    enter(state, Phase::steady);
}

void maybe_begin_trial(StreamState& state, const StreamLimits& limits, const LinkSample& sample,
                       TimePoint now) {
    if (state.wanted < limits.max && now >= state.grow_at) {
        const bool doubling = !sample.bbr && sample.loss_ratio > kLossyRatio;
        const std::uint32_t step = doubling ? state.wanted : 1;
        begin_trial(state, std::min(limits.max, state.wanted + step),
                    doubling ? "trial: loss of " + percent(sample.loss_ratio) + " holds each stream back"
                             : "trial: does one more deliver more?");
        state.shrink_at = now + kShrinkEvery;
    } else if (state.wanted > limits.min && now >= state.shrink_at) {
        begin_trial(state, state.wanted - 1, "trial: does one less deliver as much?");
    }
}

void on_idle(StreamState& state, const StreamLimits& limits, TimePoint now) {
    // A trial without load proves nothing: back to what was known to be good.
    if (state.phase != Phase::steady) want(state, state.before, "no backlog: the trial was given up");
    enter(state, Phase::steady);
    if (now - state.busy_at < kIdleAfter || state.wanted == limits.min) return;
    want(state, limits.min, "idle");
    state.failures = 0;
    state.grow_at = now;
}

} // namespace

StreamState start_streams(const StreamLimits& limits, TimePoint now) {
    StreamState state;
    state.wanted = limits.min;
    state.grow_at = now;
    state.shrink_at = now + kShrinkEvery;
    state.busy_at = now;
    return state;
}

StreamState on_sample(StreamState state, const StreamLimits& limits, const LinkSample& sample,
                      TimePoint now) {
    if (!sample.backlog) {
        on_idle(state, limits, now);
        return state;
    }
    state.busy_at = now;
    // Streams that are still being dialled or closed would spoil the measurement.
    if (sample.streams != state.wanted) {
        enter(state, state.phase == Phase::measure ? Phase::settle : state.phase);
        return state;
    }
    ++state.samples;
    state.rate_sum_bps += sample.rate_bps;
    switch (state.phase) {
    case Phase::settle:
        if (state.samples >= kSettleSamples) enter(state, Phase::measure);
        break;
    case Phase::measure:
        if (state.samples >= kMeasureSamples) judge_trial(state, sample, now);
        break;
    case Phase::steady:
        if (state.samples >= kMeasureSamples) {
            maybe_begin_trial(state, limits, sample, now);
            if (state.phase == Phase::steady) enter(state, Phase::steady);
        }
        break;
    }
    return state;
}

} // namespace dwcp::links
