#include "protocols/ramp/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace dwcp::ramp {

namespace {

/// Beyond it a double no longer counts singly; larger counts are scaled down, which only widens an interval.
constexpr double kSamplesMax = 1e12;
/// Halvings of a search: 2^-60 of its range is below what a double holds.
constexpr int kHalvings = 60;
/// The mixture's weight in hits at the typical rate. Of rates: half a hit (Krichevsky and Trofimov 1981), so
/// that a release without any error is believed soonest. Of quantiles, where hits are always there: what is
/// narrowest when some fifty samples lie beyond the quantile.
constexpr double kPriorHitsOfRate = 0.5;
constexpr double kPriorHitsOfQuantile = 5;

struct Counts {
    double hits = 0;
    double n = 0;
};

Counts counts_of(Proportion observed) {
    const double n = static_cast<double>(observed.n);
    const double hits = std::min(static_cast<double>(observed.hits), n);
    const double scale = n > kSamplesMax ? kSamplesMax / n : 1;
    return {hits * scale, n * scale};
}

double log_beta(double a, double b) { return log_gamma(a) + log_gamma(b) - log_gamma(a + b); }

/// ln of the mixture's likelihood ratio against a rate.
class Against {
  public:
    Against(Counts counts, double typical, double prior_hits) : counts_(counts) {
        const double rate = std::clamp(typical, 1e-9, 1 - 1e-9);
        const double misses = prior_hits * (1 - rate) / rate;
        mixture_ = log_beta(prior_hits + counts.hits, misses + counts.n - counts.hits) -
                   log_beta(prior_hits, misses);
    }

    double operator()(double rate) const {
        return mixture_ - log_power(rate, counts_.hits) - log_power(1 - rate, counts_.n - counts_.hits);
    }

    /// The rate at which the evidence grows by `slope` a unit of rate: the root of
    /// slope p^2 + (n - slope) p - hits = 0 within [0, 1], written so that nothing cancels.
    double rate_at_slope(double slope) const {
        const double rest = counts_.n - slope;
        const double root = std::sqrt(std::max(0.0, rest * rest + 4 * slope * counts_.hits));
        const double rate = rest > 0 ? 2 * counts_.hits / (rest + root) : (root - rest) / (2 * slope);
        return std::clamp(rate, 0.0, 1.0);
    }

    double observed() const { return counts_.n > 0 ? counts_.hits / counts_.n : 0; }

  private:
    static double log_power(double base, double exponent) {
        if (exponent <= 0) return 0;
        return base <= 0 ? -HUGE_VAL : exponent * std::log(base);
    }

    Counts counts_;
    double mixture_ = 0;
};

double budget_of(double confidence) {
    constexpr double kWithoutOne = 0.99;
    if (std::isnan(confidence)) confidence = kWithoutOne;
    return -std::log(1 - std::clamp(confidence, 0.5, 1 - 1e-12));
}

/// The end of the interval between `inside` and `outside`.
double edge(const Against& against, double inside, double outside, double budget) {
    if (against(outside) < budget) return outside;
    for (int i = 0; i < kHalvings; ++i) {
        const double middle = inside + (outside - inside) / 2;
        (against(middle) < budget ? inside : outside) = middle;
    }
    return outside;
}

/// The largest difference up - down that the samples leave: on its edge both rates give way at the same
/// slope.
double widest(const Against& up, const Against& down, double budget) {
    const auto spent = [&](double slope) {
        return up(up.rate_at_slope(slope)) + down(down.rate_at_slope(-slope));
    };
    double inside = 0, outside = 1;
    while (spent(outside) < budget && outside < 1e18) {
        inside = outside;
        outside *= 4;
    }
    for (int i = 0; i < kHalvings; ++i) {
        const double middle = inside + (outside - inside) / 2;
        (spent(middle) < budget ? inside : outside) = middle;
    }
    return up.rate_at_slope(outside) - down.rate_at_slope(-outside);
}

/// The continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's method.
double beta_fraction(double x, double a, double b) {
    constexpr int kTermsMax = 10'000; // it needs about sqrt(a + b), and there is no harm in an early end
    constexpr double kTiny = 1e-300;
    const auto not_zero = [](double value) { return std::abs(value) < kTiny ? kTiny : value; };
    double c = 1, d = 1 / not_zero(1 - (a + b) * x / (a + 1)), value = d;
    for (int m = 1; m <= kTermsMax; ++m) {
        const double twice = 2 * m;
        double term = m * (b - m) * x / ((a + twice - 1) * (a + twice));
        d = 1 / not_zero(1 + term * d);
        c = not_zero(1 + term / c);
        value *= d * c;
        term = -(a + m) * (a + b + m) * x / ((a + twice) * (a + twice + 1));
        d = 1 / not_zero(1 + term * d);
        c = not_zero(1 + term / c);
        value *= d * c;
        if (std::abs(d * c - 1) < 1e-14) break;
    }
    return value;
}

double incomplete_beta(double x, double a, double b) {
    if (x <= 0) return 0;
    if (x >= 1) return 1;
    const double front = std::exp(a * std::log(x) + b * std::log1p(-x) - log_beta(a, b));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(x, a, b) / a;
    return 1 - front * beta_fraction(1 - x, b, a) / b;
}

/// What a bucket costs, if the quantile lay in it.
struct Place {
    double value = 0;
    double cost = 0;
};

/// What every place of a quantile costs, ascending.
struct Places {
    std::vector<Place> list;
    double cost_below = HUGE_VAL; ///< Of a quantile below every sample.
    double cost_above = HUGE_VAL; ///< Of one above every sample.
    double cost_least = HUGE_VAL;
};

Places places_of(const Sketch& sketch, double q) {
    const double n = static_cast<double>(sketch.count());
    const auto cost = [&](double slower) { return Against({slower, n}, 1 - q, kPriorHitsOfQuantile)(1 - q); };
    Places places;
    double below = 0;
    for (const auto& [bucket, times] : sketch.buckets()) {
        // Anywhere within the bucket: what costs least.
        const double most = n - below;
        below = std::min(n, below + static_cast<double>(times));
        const double slower = std::clamp(n * (1 - q), n - below, most);
        places.list.push_back({Sketch::value_of(bucket), cost(slower)});
        places.cost_least = std::min(places.cost_least, places.list.back().cost);
    }
    places.cost_below = cost(n);
    places.cost_above = cost(0);
    return places;
}

/// The largest up/down whose costs together stay within the budget; empty: there is none.
std::optional<double> largest_ratio(const Places& up, const Places& down, double budget) {
    if (up.cost_above + down.cost_least < budget || up.cost_least + down.cost_below < budget)
        return std::nullopt;
    double best = 0;
    for (const Place& low : down.list) {
        for (auto high = up.list.rbegin(); high != up.list.rend(); ++high) {
            if (high->value <= best * low.value) break;
            if (high->cost + low.cost < budget) best = high->value / low.value;
        }
    }
    return best;
}

} // namespace

double Proportion::rate() const {
    return n == 0 ? 0 : static_cast<double>(std::min(hits, n)) / static_cast<double>(n);
}

double log_gamma(double x) {
    // Stirling's series is exact to a double from here on.
    constexpr double kStirlingFrom = 12;
    double shift = 0;
    for (; x < kStirlingFrom; ++x)
        shift += std::log(x);
    const double y = 1 / (x * x);
    const double series =
        (1.0 / 12 -
         y * (1.0 / 360 - y * (1.0 / 1260 - y * (1.0 / 1680 - y * (1.0 / 1188 - y * 691 / 360360))))) /
        x;
    return (x - 0.5) * std::log(x) - x + 0.5 * std::log(2 * std::numbers::pi) + series - shift;
}

double binomial_tail(Proportion observed, double rate) {
    const Counts counts = counts_of(observed);
    if (counts.hits <= 0) return 1;
    return std::clamp(incomplete_beta(rate, counts.hits, counts.n - counts.hits + 1), 0.0, 1.0);
}

Interval rate_interval(Proportion observed, double typical, double confidence) {
    if (observed.n == 0) return {};
    const Against against(counts_of(observed), typical, kPriorHitsOfRate);
    const double budget = budget_of(confidence);
    return {edge(against, against.observed(), 0, budget), edge(against, against.observed(), 1, budget)};
}

Interval difference_interval(Proportion canary, Proportion stable, double typical, double confidence) {
    if (canary.n == 0 || stable.n == 0) return {-1, 1};
    const Against ours(counts_of(canary), typical, kPriorHitsOfRate);
    const Against theirs(counts_of(stable), typical, kPriorHitsOfRate);
    const double budget = budget_of(confidence);
    return {-widest(theirs, ours, budget), widest(ours, theirs, budget)};
}

std::optional<std::uint64_t> samples_to_show(double rate, double limit, double confidence) {
    if (!(rate < limit)) return std::nullopt;
    const double budget = budget_of(confidence);
    const auto shown = [&](double n) {
        return Against({rate * n, n}, limit, kPriorHitsOfRate)(limit) >= budget;
    };
    double n = 1;
    while (!shown(n) && n < kSamplesMax)
        n *= 1.05; // a tenth more or less is nothing to a reader
    if (n >= kSamplesMax) return std::nullopt;
    return static_cast<std::uint64_t>(std::ceil(n));
}

std::optional<RatioInterval> quantile_ratio(const Sketch& canary, const Sketch& stable, double q,
                                            double confidence) {
    if (canary.count() == 0 || stable.count() == 0) return std::nullopt;
    const Places ours = places_of(canary, q), theirs = places_of(stable, q);
    const double budget = budget_of(confidence);
    RatioInterval interval;
    interval.ratio = canary.quantile(q) / stable.quantile(q);
    interval.high = largest_ratio(ours, theirs, budget);
    const auto other = largest_ratio(theirs, ours, budget);
    interval.low = other && *other > 0 ? 1 / *other : 0;
    return interval;
}

Proportion slower_than(const Sketch& sketch, double limit) {
    Proportion slower{.n = sketch.count()};
    for (auto it = sketch.buckets().rbegin(); it != sketch.buckets().rend(); ++it) {
        if (!(Sketch::value_of(it->first) > limit * (1 + Sketch::kRelativeError))) break;
        slower.hits += it->second;
    }
    return slower;
}

} // namespace dwcp::ramp
