// References: exact fractions (binomial tails) and an independent bisection with 300-bit steps, made with
// python3's fractions and math modules.
#include "protocols/ramp/statistics.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <limits>

using namespace dwcp::ramp;

namespace {

constexpr double kConfidence = 0.99;

} // namespace

TEST_CASE("log_gamma has the known values") {
    CHECK(log_gamma(0.5) == Approx(0.5723649429247004).epsilon(1e-12));
    CHECK(log_gamma(1) == Approx(0).margin(1e-12));
    CHECK(log_gamma(2.5) == Approx(0.2846828704729196).epsilon(1e-11));
    CHECK(log_gamma(10.5) == Approx(13.940625219403763).epsilon(1e-12));
    CHECK(log_gamma(123.456) == Approx(469.60554712992956).epsilon(1e-12));
    CHECK(log_gamma(1e6) == Approx(12815504.569147611).epsilon(1e-12));
}

TEST_CASE("binomial tails are those of exact fractions") {
    CHECK(binomial_tail({1, 50}, 0.01) == Approx(0.39499393286246337).epsilon(1e-10));
    CHECK(binomial_tail({4, 60}, 0.01) == Approx(0.0031233291715546912).epsilon(1e-10));
    CHECK(binomial_tail({13, 600}, 0.01) == Approx(0.008491639726553583).epsilon(1e-10));
    CHECK(binomial_tail({3, 120}, 0.001) == Approx(0.00025730410564609146).epsilon(1e-10));
    CHECK(binomial_tail({500, 1000}, 0.5) == Approx(0.5126125090891804).epsilon(1e-10));
    CHECK(binomial_tail({30, 30}, 0.9) == Approx(0.0423911582752162).epsilon(1e-10));
    CHECK(binomial_tail({0, 30}, 0.9) == 1);
    CHECK(binomial_tail({5, 10}, 0) == 0);
    CHECK(binomial_tail({5, 10}, 1) == 1);
}

TEST_CASE("the interval of a rate is the one that was computed by hand") {
    struct Known {
        Proportion observed;
        double typical, low, high;
    };
    const Known known[]{{{0, 1000}, 0.001, 0, 0.005141712684164579},
                        {{5, 2000}, 0.001, 0.00030129586874703073, 0.008688633799237289},
                        {{120, 10000}, 0.01, 0.008255676492530103, 0.016719645467216215},
                        {{1, 50}, 0.01, 3.582086253965658e-05, 0.1573592039171244}};
    for (const Known& one : known) {
        const Interval interval = rate_interval(one.observed, one.typical, kConfidence);
        INFO(one.observed.hits << " of " << one.observed.n);
        CHECK(interval.low == Approx(one.low).epsilon(1e-9).margin(1e-15));
        CHECK(interval.high == Approx(one.high).epsilon(1e-9));
    }
}

TEST_CASE("the interval of a difference is the one that a search over all pairs of rates finds") {
    const Interval some = difference_interval({20, 10000}, {90, 90000}, 0.001, kConfidence);
    CHECK(some.low == Approx(-0.0004985761).epsilon(1e-4));
    CHECK(some.high == Approx(0.0036539382).epsilon(1e-4));
    const Interval none = difference_interval({0, 5000}, {10, 50000}, 0.001, kConfidence);
    CHECK(none.low == Approx(-0.00056505).epsilon(1e-3));
    CHECK(none.high == Approx(0.0013821556).epsilon(1e-3));
}

TEST_CASE("a difference seen from the other side is its negative") {
    const Interval there = difference_interval({20, 1000}, {90, 9000}, 0.01, kConfidence);
    const Interval back = difference_interval({90, 9000}, {20, 1000}, 0.01, kConfidence);
    CHECK(there.low == Approx(-back.high));
    CHECK(there.high == Approx(-back.low));
}

TEST_CASE("without samples everything is possible") {
    CHECK(rate_interval({0, 0}, 0.001, kConfidence).high == 1);
    CHECK(difference_interval({0, 0}, {0, 100}, 0.001, kConfidence).low == -1);
    CHECK(difference_interval({0, 100}, {0, 0}, 0.001, kConfidence).high == 1);
    CHECK(quantile_ratio({}, {}, 0.99, kConfidence) == std::nullopt);
}

TEST_CASE("counts that no cluster can have stay finite") {
    constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
    for (const Proportion huge : {Proportion{kMost, kMost}, Proportion{0, kMost}, Proportion{kMost, 1}}) {
        const Interval rate = rate_interval(huge, 0.001, kConfidence);
        CHECK(rate.low >= 0);
        CHECK(rate.high <= 1);
        CHECK(rate.low <= rate.high);
        const Interval difference = difference_interval(huge, {3, 100}, 0.001, kConfidence);
        CHECK(difference.low >= -1);
        CHECK(difference.high <= 1);
    }
    CHECK(binomial_tail({kMost, kMost}, 0.01) == Approx(0).margin(1e-9));
}

TEST_CASE("a confidence that is none still gives an interval, not certainty") {
    for (const double confidence : {std::nan(""), 1.0, 2.0, -1.0, 0.0}) {
        const Interval interval = rate_interval({1, 100}, 0.01, confidence);
        CHECK(interval.low < 0.01);
        CHECK(interval.high > 0.01);
    }
}

TEST_CASE("the samples that would do are what the interval then needs") {
    const auto needed = samples_to_show(0, 0.001, kConfidence);
    REQUIRE(needed);
    CHECK(rate_interval({0, *needed}, 0.001, kConfidence).high <= 0.001);
    CHECK(rate_interval({0, *needed * 9 / 10}, 0.001, kConfidence).high > 0.001);
    CHECK(samples_to_show(0.001, 0.001, kConfidence) == std::nullopt);
    CHECK(samples_to_show(std::nan(""), 0.001, kConfidence) == std::nullopt);
}

TEST_CASE("the ratio of two p99 has the ends that the order statistics leave") {
    Sketch canary, stable;
    for (int i = 1; i <= 10'000; ++i) { // evenly spread: rank r is r / 10,000 s
        canary.add(i * 1e-4 * 1.2);
        stable.add(i * 1e-4);
    }
    const auto interval = quantile_ratio(canary, stable, 0.99, kConfidence);
    REQUIRE(interval);
    CHECK(interval->ratio == Approx(1.2).epsilon(0.02));
    // Both p99 are known to a few tenths of a percent of 1 s: four deviations of 0.1 % each, and two buckets.
    CHECK(interval->low == Approx(1.2).epsilon(0.03));
    REQUIRE(interval->high);
    CHECK(*interval->high == Approx(1.2).epsilon(0.03));
    CHECK(interval->low <= interval->ratio);
    CHECK(*interval->high >= interval->ratio);
}

TEST_CASE("too few samples leave the p99 without an upper end") {
    Sketch few, many;
    few.add(0.02, 300);
    many.add(0.02, 30'000);
    const auto interval = quantile_ratio(few, many, 0.99, kConfidence);
    REQUIRE(interval);
    CHECK(interval->high == std::nullopt);
    const auto median = quantile_ratio(few, many, 0.5, kConfidence);
    REQUIRE(median);
    CHECK(median->high == Approx(1));
    few.add(0.02, 1'500);
    CHECK(quantile_ratio(few, many, 0.99, kConfidence)->high == Approx(1));
}

TEST_CASE("slower ones are counted beyond the sketch's own error") {
    Sketch sketch;
    sketch.add(0.1, 90);
    sketch.add(0.5, 7);
    sketch.add(0.6, 3);
    CHECK(slower_than(sketch, 0.5).hits == 3);
    CHECK(slower_than(sketch, 0.48).hits == 10);
    CHECK(slower_than(sketch, 0.48).n == 100);
    CHECK(slower_than(sketch, 1e9).hits == 0);
    CHECK(slower_than({}, 0.5).n == 0);
}
