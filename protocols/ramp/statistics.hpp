// What the samples so far say about a rate or a quantile, however often one looks.
//
// The ramp looks at a growing window again and again and stops when it likes what it sees. An ordinary 99 %
// interval that is looked at 1,000 times is wrong far more often than once in a hundred. So intervals of
// growing windows are confidence sequences: with probability `confidence` the truth lies inside at every
// look. A rate p is out when the likelihood ratio of a fixed Beta mixture against p exceeds
// 1 / (1 - confidence) (Robbins 1970; Ville's inequality; Howard et al. 2021). It is exact at rates near
// zero, where normal approximations fail.
//
// A quantile is a rate: "p99 is at most x" says "at most 1 % is slower than x". Intervals of quantiles are
// therefore the order statistics that the same sequence leaves (Howard and Ramdas 2022), not a bootstrap. At
// one look a bootstrap's interval of a p99 ratio is about right and half as wide; looked at while the window
// grows, it loses the truth many times too often (tests/unit/ramp_judge/coverage_test.cpp measures both).
//
// Two releases are compared by the pairs that both sequences together leave: the product of the two ratios is
// again one that Ville's inequality bounds, and it is narrower than the difference of two intervals.
//
// Pure functions. Counts from other nodes are taken as they come: none is too large.
#pragma once

#include "protocols/ramp/sketch.hpp"

#include <cstdint>
#include <optional>

namespace dwcp::ramp {

/// `hits` of `n`; more hits than n count as n.
struct Proportion {
    std::uint64_t hits = 0;
    std::uint64_t n = 0;

    double rate() const; ///< 0 of nothing.
};

struct Interval {
    double low = 0;
    double high = 1;
};

/// ln of the gamma function, x > 0, to 1e-12 of its size. std::lgamma writes a global.
double log_gamma(double x);
/// The chance of `hits` or more of n at a rate; exact (regularised incomplete beta function).
double binomial_tail(Proportion observed, double rate);

/// The rates that the samples leave. `typical`: the rate where the decision is made, known before the
/// samples; the interval is narrowest there and valid everywhere.
Interval rate_interval(Proportion observed, double typical, double confidence);
/// canary's rate - stable's.
Interval difference_interval(Proportion canary, Proportion stable, double typical, double confidence);
/// So many samples would show a rate below `limit`, if it stays as it is; nullopt if it never would.
std::optional<std::uint64_t> samples_to_show(double rate, double limit, double confidence);

/// canary's quantile / stable's. `high` empty: the samples leave any.
struct RatioInterval {
    double ratio = 1;
    double low = 0;
    std::optional<double> high;
};
/// nullopt if one of them is empty.
std::optional<RatioInterval> quantile_ratio(const Sketch& canary, const Sketch& stable, double q,
                                            double confidence);

/// How many were slower, those within kRelativeError not counted.
Proportion slower_than(const Sketch& sketch, double limit);

} // namespace dwcp::ramp
