// How many parallel streams a peer should have: a pure decision core, fed with what TCP_INFO measured.
//
// A trial adds streams while there is a backlog; they stay if the delivered rate grew by more than
// kGainPerStream each, and go if it did not. One stream less is tried now and then, and stays gone if nothing
// was lost by it. Where extra streams seldom help (bbr, which does not take loss for congestion) failed
// trials are repeated later; where they usually do (cubic under loss) a trial doubles the streams. Waiting
// between trials is the hysteresis.
//
//   state = start_streams(limits, now);
//   state = on_sample(state, limits, sample, now); dial or close streams until state.wanted are there.
#pragma once

#include "protocols/base/clock.hpp"

#include <cstdint>
#include <string>

namespace dwcp::links {

/// An added stream must bring this share of the rate before; below it is noise, and costs the other traffic.
inline constexpr double kGainPerStream = 0.10;
/// One stream less may cost this share of the rate.
inline constexpr double kLossTolerated = 0.05;
/// Retransmitted share of segments above which a link counts as lossy.
inline constexpr double kLossyRatio = 0.001;
/// Samples that a changed number of streams needs to settle: slow start over a long path takes about a
/// second.
inline constexpr std::uint32_t kSettleSamples = 3;
/// Samples that are averaged before and after a trial.
inline constexpr std::uint32_t kMeasureSamples = 2;
/// How long after a failed trial the next one waits; doubled each time, up to the maximum.
inline constexpr milliseconds kRetryAfter{10'000};
inline constexpr milliseconds kRetryAfterMax{160'000};
/// With bbr an extra stream mostly adds retransmissions (measured: 10,000 at 8 streams for 5 % more), so it
/// waits longer.
inline constexpr std::uint32_t kBbrRetryFactor = 4;
/// Between trials with one stream less.
inline constexpr milliseconds kShrinkEvery{60'000};
/// A peer without work for so long goes back to the minimum.
inline constexpr milliseconds kIdleAfter{20'000};

struct StreamLimits {
    std::uint32_t min = 1;
    std::uint32_t max = 8;
};

/// One interval of all streams of a peer together.
struct LinkSample {
    std::uint32_t streams = 0; ///< Established now.
    bool backlog = false;      ///< Work was waiting all the time: the link was the limit, not its user.
    double rate_bps = 0;       ///< Delivered in the interval.
    double loss_ratio = 0;     ///< Retransmitted / sent segments.
    bool bbr = false;
};

struct StreamState {
    enum class Phase : std::uint8_t { steady, settle, measure };

    std::uint32_t wanted = 1;
    std::string reason = "start";

    Phase phase = Phase::steady;
    std::uint32_t before = 0;   ///< Streams before the trial.
    double rate_before_bps = 0; ///< What they delivered.
    std::uint32_t samples = 0;  ///< Of this phase.
    double rate_sum_bps = 0;    ///< Of this phase.
    std::uint32_t failures = 0; ///< Trials failed in a row.
    TimePoint grow_at{};        ///< No trial with more streams before.
    TimePoint shrink_at{};      ///< No trial with fewer before.
    TimePoint busy_at{};        ///< Last time there was a backlog.
};

StreamState start_streams(const StreamLimits& limits, TimePoint now);
StreamState on_sample(StreamState state, const StreamLimits& limits, const LinkSample& sample, TimePoint now);

} // namespace dwcp::links
