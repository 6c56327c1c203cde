#include "protocols/probft/bound.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

namespace dwcp::probft {

using consensus::Committee;
using consensus::SampleParameters;
using consensus::SampleSizes;

namespace {

using Real = long double;

std::size_t deterministic_quorum(std::size_t n, std::size_t faults) { return (n + faults + 2) / 2; }

/// log of n over k.
Real log_choose(std::size_t n, std::size_t k) {
    return std::lgamma(Real(n) + 1) - std::lgamma(Real(k) + 1) - std::lgamma(Real(n - k) + 1);
}

/// P(binomial(n, p) = k).
Real point(std::size_t n, Real p, std::size_t k) {
    if (k > n) return 0;
    if (p >= 1) return k == n ? 1 : 0;
    if (p <= 0) return k == 0 ? 1 : 0;
    return std::exp(log_choose(n, k) + Real(k) * std::log(p) + Real(n - k) * std::log1p(-p));
}

/// P(binomial(n, p) >= k): the smaller tail is summed, so that a small one keeps its digits.
Real at_least(std::size_t n, Real p, std::size_t k) {
    if (k == 0) return 1;
    if (k > n) return 0;
    Real sum = 0;
    if (Real(k) > Real(n) * p) {
        for (std::size_t i = k; i <= n; ++i)
            sum += point(n, p, i);
        return std::min<Real>(sum, 1);
    }
    for (std::size_t i = 0; i < k; ++i)
        sum += point(n, p, i);
    return std::max<Real>(1 - sum, 0);
}

Real less_than(std::size_t n, Real p, std::size_t k) {
    if (k == 0) return 0;
    if (k > n) return 1;
    Real sum = 0;
    for (std::size_t i = 0; i < k; ++i)
        sum += point(n, p, i);
    return std::min<Real>(sum, 1);
}

/// Everything that one configuration asks again and again.
struct Terms {
    std::size_t n, faults, correct, q;
    Real p;
    std::vector<Real> gets; ///< gets[m]: a replica gets a quorum out of the votes of m voters.

    Terms(std::size_t n_, std::size_t faults_, SampleSizes sizes)
        : n(n_), faults(faults_), correct(n_ - faults_), q(sizes.quorum), p(Real(sizes.sample) / Real(n_)) {
        for (std::size_t m = 0; m <= n; ++m)
            gets.push_back(at_least(m, p, q));
    }

    /// Upper bound: somebody of `side` correct replicas that were shown one value prepares it.
    Real prepares(std::size_t side) const { return std::min<Real>(1, Real(side) * gets[side + faults]); }

    /// Upper bound: somebody of them decides it. Its quorum of COMMITs comes of `k` or more of the side
    /// (Markov) or of fewer; and it is never easier than to prepare, for no more can commit than did prepare.
    Real decides(std::size_t side) const {
        Real one = gets[side + faults];
        for (std::size_t k = 1; k <= side; ++k)
            one = std::min(one, std::min<Real>(1, Real(side) * gets[side + faults] / Real(k)) +
                                    gets[k - 1 + faults]);
        return std::min<Real>(1, Real(side) * one);
    }

    /// The same as if all were independent.
    Real decides_estimate(std::size_t side) const {
        Real sum = 0;
        for (std::size_t k = 0; k <= side; ++k)
            sum += point(side, gets[side + faults], k) * (1 - std::pow(1 - gets[k + faults], Real(side)));
        return sum;
    }
};

/// Upper bound: a decision stands on q COMMITs, j of them of faulty replicas, so q - j correct replicas
/// prepared; the next leader hears of the faulty ones, which lie, and of so many of the correct ones that it
/// has its quorum, none of which prepared (hypergeometric).
Real lost(const Terms& terms) {
    const std::size_t heard = deterministic_quorum(terms.n, terms.faults) - terms.faults;
    Real sum = 0;
    for (std::size_t j = 0; j <= terms.faults; ++j) {
        const std::size_t prepared = terms.q > j ? terms.q - j : 0;
        if (prepared + heard > terms.correct) continue;
        sum += point(terms.faults, terms.p, j) *
               std::exp(log_choose(terms.correct - prepared, heard) - log_choose(terms.correct, heard));
    }
    return std::min<Real>(1, Real(terms.correct) * sum);
}

Real chernoff_below(Real mean, Real q) {
    return mean > q ? std::exp(-(mean - q) * (mean - q) / (2 * mean)) : Real(1);
}

Real chernoff_above(Real mean, Real q) {
    if (mean >= q) return 1;
    const Real delta = q / mean - 1;
    return std::exp(-delta * delta * mean / (2 + delta));
}

void good_view(const Terms& terms, Bound& bound) {
    const Real no_prepare = less_than(terms.correct, terms.p, terms.q);
    Real decides = 0;
    for (std::size_t k = 0; k <= terms.correct; ++k)
        decides += point(terms.correct, 1 - no_prepare, k) * terms.gets[k];
    bound.no_prepare = static_cast<double>(no_prepare);
    bound.no_decision = static_cast<double>(std::max<Real>(0, 1 - decides));
    bound.chernoff_no_prepare =
        static_cast<double>(chernoff_below(Real(terms.correct) * terms.p, Real(terms.q)));
}

void lying_leader(const Terms& terms, Bound& bound) {
    const std::size_t half = terms.correct / 2;
    bound.in_view_estimate =
        static_cast<double>(terms.decides_estimate(half) * terms.decides_estimate(terms.correct - half));
    // The draws of a faulty voter fall on both sides, but a sample of fixed size that falls on one side falls
    // less on the other (negative association, Joag-Dev and Proschan 1983): the product is an upper bound.
    Real in_view = 0;
    Real later = 0;
    for (std::size_t side = 1; side < terms.correct; ++side) {
        const Real decides = terms.decides(side);
        in_view = std::max(in_view, decides * terms.decides(terms.correct - side));
        later = std::max(later, decides * terms.prepares(terms.correct - side));
    }
    bound.in_view = static_cast<double>(in_view);
    bound.later = static_cast<double>(later);
    const Real mean = Real(terms.correct - half + terms.faults) * terms.p;
    bound.chernoff_half = static_cast<double>(chernoff_above(mean, Real(terms.q)));
}

std::string shown(double probability) {
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.begin(), text.end(), probability, std::chars_format::general, 2).ptr;
    return {text.begin(), end};
}

bool is_dead(const Bound& bound) { return bound.no_decision > kUndecidedMax; }
bool is_unsafe(const Bound& bound, double bound_max) { return bound.disagreement() > bound_max; }

/// Smallest l and o, in thousandths, that give the deterministic quorum and samples of everybody.
SampleParameters deterministic_parameters(std::size_t n, std::size_t faults) {
    const auto quorum = deterministic_quorum(n, faults);
    SampleParameters parameters{.l_permille = 1000, .o_permille = 1000};
    while (sizes_of(n, faults, parameters).quorum < quorum)
        parameters.l_permille += 100;
    while (sizes_of(n, faults, parameters).sample < n)
        parameters.o_permille += 100;
    return parameters;
}

std::string remedy(const Committee& committee, std::size_t faults, double bound_max) {
    const auto n = committee.n();
    const auto sure = deterministic_parameters(n, committee.f());
    const auto sizes = sizes_of(n, committee.f(), sure);
    std::string text = "l = " + std::to_string(sure.l_permille) +
                       " and o = " + std::to_string(sure.o_permille) +
                       " (thousandths) give q = " + std::to_string(sizes.quorum) +
                       ", s = " + std::to_string(sizes.sample) + ", which is deterministically safe";
    for (std::size_t fewer = faults; fewer-- > 1;) {
        const auto bound = bound_of(n, fewer, consensus::sample_sizes(committee));
        if (is_dead(bound) || is_unsafe(bound, bound_max)) continue;
        return text + "; these l and o would do where no more than " + std::to_string(fewer) +
               " replicas are assumed to be Byzantine";
    }
    return text + "; these l and o do for no number of faults at n = " + std::to_string(n);
}

} // namespace

SampleSizes sizes_of(std::size_t n, std::size_t faults, const SampleParameters& parameters) {
    // ceil(l sqrt n) in integers: the smallest q with (1000 q)^2 >= l^2 n.
    const std::uint64_t square = std::uint64_t{parameters.l_permille} * parameters.l_permille * n;
    std::uint64_t quorum = 0;
    while (quorum * quorum * 1'000'000 < square)
        ++quorum;
    quorum = std::min<std::uint64_t>(quorum, deterministic_quorum(n, faults));
    const std::uint64_t sample = (parameters.o_permille * quorum + 999) / 1000;
    return {.quorum = quorum, .sample = std::min<std::uint64_t>(sample, n)};
}

Bound bound_of(std::size_t n, std::size_t faults, SampleSizes sizes) {
    Bound bound;
    bound.n = n;
    bound.faults = faults;
    bound.sizes = sizes;
    bound.deterministic =
        2 * sizes.quorum > n + faults && sizes.quorum + deterministic_quorum(n, faults) > n + faults;
    const Terms terms(n, faults, sizes);
    good_view(terms, bound);
    lying_leader(terms, bound);
    bound.lost = static_cast<double>(lost(terms));
    return bound;
}

std::string Bound::describe() const {
    std::string text = "q = " + std::to_string(sizes.quorum) + " of n = " + std::to_string(n) +
                       ", s = " + std::to_string(sizes.sample) + ": with at most " + std::to_string(faults) +
                       " Byzantine ";
    text += deterministic ? "agreement is certain"
                          : "disagreement in a view of an undetected lying leader has a chance of at most " +
                                shown(disagreement());
    return text + ", a replica misses the decision of a good view with a chance of " + shown(no_decision);
}

Result<Bound> check_parameters(const Committee& committee, double bound_max, std::size_t faults) {
    if (faults == 0 || faults > committee.f()) faults = committee.f();
    const auto bound = bound_of(committee.n(), faults, consensus::sample_sizes(committee));
    const bool dead = is_dead(bound);
    if (!dead && !is_unsafe(bound, bound_max)) return bound;
    return fail(Errc::precondition_failed,
                "ProBFT's parameters are " + std::string(dead ? "dead" : "unsafe") + ": " + bound.describe() +
                    (dead ? "" : "; allowed is " + shown(bound_max)),
                remedy(committee, faults, bound_max));
}

} // namespace dwcp::probft
