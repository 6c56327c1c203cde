// Do the intervals hold what they promise, on samples of known truth, while somebody peeks? Seeded, so that
// the counts are the same at each run; DWCP_SEED tries others, on which a check may fail by chance.
#include "protocols/base/random.hpp"
#include "protocols/ramp/statistics.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <numbers>
#include <vector>

using namespace dwcp;
using namespace dwcp::ramp;

namespace {

constexpr double kConfidence = 0.99;

std::uint64_t fixed_seed() {
    const char* given = std::getenv("DWCP_SEED");
    return given != nullptr ? std::strtoull(given, nullptr, 0) : 20'261'124;
}

double exponential(Random& random) { return -std::log(1 - random.unit()); }

double normal(Random& random) {
    return std::sqrt(2 * exponential(random)) * std::cos(2 * std::numbers::pi * random.unit());
}

double latency(Random& random, double sigma) { return 0.02 * std::exp(sigma * normal(random)); }

/// Of so many runs, how many were wrong at least at one look.
int wrong_runs(int runs, const std::function<bool(Random&)>& ever_wrong) {
    int wrong = 0;
    for (int run = 0; run < runs; ++run) {
        Random random(fixed_seed() + static_cast<std::uint64_t>(run) * 7'919);
        wrong += ever_wrong(random);
    }
    return wrong;
}

/// A p99 by the bootstrap: the order statistic of a resampled set lies at a Beta-distributed place of the
/// samples.
class Bootstrap {
  public:
    explicit Bootstrap(const Sketch& sketch) : n_(sketch.count()) {
        std::uint64_t below = 0;
        for (const auto& [bucket, times] : sketch.buckets())
            steps_.emplace_back(below += times, Sketch::value_of(bucket));
    }

    double p99(Random& random) const {
        const double n = static_cast<double>(n_), rank = std::ceil(0.99 * n - 1e-9);
        double above = 0;
        for (double i = rank; i <= n; ++i)
            above += exponential(random);
        const double below = rank + std::sqrt(rank) * normal(random); // a gamma variable of some thousands
        const auto place = static_cast<std::uint64_t>(n * below / (below + above)) + 1;
        return std::ranges::lower_bound(steps_, place, {}, &std::pair<std::uint64_t, double>::first)->second;
    }

  private:
    std::uint64_t n_;
    std::vector<std::pair<std::uint64_t, double>> steps_;
};

bool bootstrap_excludes_equality(Random& random, const Sketch& canary, const Sketch& stable) {
    constexpr int kDraws = 400;
    const Bootstrap ours(canary), theirs(stable);
    std::vector<double> ratios;
    for (int i = 0; i < kDraws; ++i)
        ratios.push_back(ours.p99(random) / theirs.p99(random));
    std::ranges::sort(ratios);
    constexpr int kTail = kDraws * 5 / 1000; // half a percent at each end
    return ratios[kTail] > 1 || ratios[kDraws - 1 - kTail] < 1;
}

bool ours_excludes_equality(const Sketch& canary, const Sketch& stable) {
    const auto interval = quantile_ratio(canary, stable, 0.99, kConfidence);
    return interval->low > 1 || (interval->high && *interval->high < 1);
}

} // namespace

TEST_CASE("the interval of a rate holds the truth at all of 100 looks, at rates from 0.01 to 1 percent") {
    constexpr int kRuns = 500;
    for (const double rate : {0.0001, 0.0005, 0.001, 0.01}) {
        const int wrong = wrong_runs(kRuns, [rate](Random& random) {
            Proportion seen;
            bool outside = false;
            while (seen.n < 20'000 && !outside) {
                seen.hits += random.unit() < rate;
                if (++seen.n % 200 != 0) continue;
                const Interval interval = rate_interval(seen, 0.001, kConfidence);
                outside = rate < interval.low || rate > interval.high;
            }
            return outside;
        });
        INFO("rate " << rate << ": " << wrong << " of " << kRuns << " runs");
        CHECK(wrong <= kRuns / 100);
    }
}

TEST_CASE("the interval of a difference holds the truth at all looks, also when one side is far larger") {
    constexpr int kRuns = 300;
    for (const double rate : {0.0002, 0.001, 0.01}) {
        const double worse = rate * 1.5;
        const int wrong = wrong_runs(kRuns, [=](Random& random) {
            Proportion canary, stable;
            bool outside = false;
            while (canary.n < 10'000 && !outside) {
                canary.hits += random.unit() < worse;
                for (int i = 0; i < 9; ++i)
                    stable.hits += random.unit() < rate;
                stable.n += 9;
                if (++canary.n % 250 != 0) continue;
                const Interval interval = difference_interval(canary, stable, 0.001, kConfidence);
                outside = worse - rate < interval.low || worse - rate > interval.high;
            }
            return outside;
        });
        INFO("rate " << rate << ": " << wrong << " of " << kRuns << " runs");
        CHECK(wrong <= kRuns / 100);
    }
}

TEST_CASE("the interval of a rate is of use: it shows 0.02 percent to be below 0.1 percent within 30,000") {
    const int unsure = wrong_runs(200, [](Random& random) {
        Proportion seen{.n = 30'000};
        for (std::uint64_t i = 0; i < seen.n; ++i)
            seen.hits += random.unit() < 0.0002;
        return rate_interval(seen, 0.001, kConfidence).high > 0.001;
    });
    INFO(unsure << " of 200 runs");
    CHECK(unsure <= 10);
}

TEST_CASE("the interval of a p99 ratio holds under peeking, where a bootstrap does not") {
    constexpr int kRuns = 200;
    constexpr std::uint64_t kFrom = 300, kTo = 6'000, kEach = 300;
    for (const double sigma : {0.5, 1.0}) {
        int bootstrap_wrong = 0, bootstrap_wrong_at_end = 0;
        const int wrong = wrong_runs(kRuns, [&](Random& random) {
            Sketch canary, stable;
            bool outside = false, bootstrap_outside = false, at_end = false;
            for (std::uint64_t n = kFrom; n <= kTo; n += kEach) {
                while (canary.count() < n)
                    canary.add(latency(random, sigma));
                while (stable.count() < 3 * n)
                    stable.add(latency(random, sigma));
                outside = outside || ours_excludes_equality(canary, stable);
                at_end = bootstrap_excludes_equality(random, canary, stable);
                bootstrap_outside = bootstrap_outside || at_end;
            }
            bootstrap_wrong += bootstrap_outside;
            bootstrap_wrong_at_end += at_end;
            return outside;
        });
        UNSCOPED_INFO("sigma " << sigma << ": order statistics " << wrong << ", bootstrap " << bootstrap_wrong
                               << " (" << bootstrap_wrong_at_end << " at the last look alone) of " << kRuns
                               << " runs");
        CHECK(wrong <= kRuns / 100);
        CHECK(bootstrap_wrong > kRuns / 40); // why the judge does not use it
        CHECK(bootstrap_wrong_at_end <= kRuns / 40);
    }
}

TEST_CASE("the interval of a p99 ratio is of use: 20,000 latencies show that equal releases differ by less "
          "than 10 percent") {
    const int unsure = wrong_runs(50, [](Random& random) {
        Sketch canary, stable;
        for (int i = 0; i < 20'000; ++i)
            canary.add(latency(random, 0.5));
        for (int i = 0; i < 60'000; ++i)
            stable.add(latency(random, 0.5));
        const auto interval = quantile_ratio(canary, stable, 0.99, kConfidence);
        return !interval->high || *interval->high > 1.1;
    });
    INFO(unsure << " of 50 runs");
    CHECK(unsure <= 5);
}
