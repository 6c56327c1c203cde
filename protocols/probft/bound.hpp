// How safe and how alive ProBFT is with given parameters: n replicas, at most `faults` of them Byzantine,
// quorums of q votes, samples of s replicas. Pure arithmetic in long double.
//
// A replica gets the vote of a voter with probability p = s / n, of each voter independently, so the votes
// that it gets of m voters are binomial (m, p): those tails are exact. What follows from them for whole views
// is a bound where the name says so, an estimate where it says so. The paper's figures (arXiv 2405.04606,
// section 4 and appendices) bound the same tails by Chernoff's inequality; they stand next to them.
//
// What no figure covers: an adversary that sees the draws and orders messages by them before the network is
// stable. Like the paper we assume that delays do not depend on the draws.
//
// There is no good choice for n = 3 f + 1: a view of a good leader needs o (n - f) / n > 1, a lying one's two
// halves must have o (n + f) / (2 n) < 1, and n / (n - f) < o < 2 n / (n + f) leaves nothing. Samples save
// messages only where fewer faults are assumed than the committee could bear (f / n of a fifth or less), and
// even then safety against a leader that signs two values rests on its detection.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/consensus/committee.hpp"
#include "protocols/consensus/verifier.hpp"

#include <string>

namespace dwcp::probft {

/// Chance of disagreement in one view of a lying leader that goes undetected; one in a million views.
inline constexpr double kBoundMax = 1e-6;
/// Beyond it a replica misses the decision of most good views.
inline constexpr double kUndecidedMax = 0.5;

struct Bound {
    std::size_t n = 0;
    std::size_t faults = 0;
    consensus::SampleSizes sizes;
    /// Two quorums share a correct replica, whatever is drawn: disagreement is impossible.
    bool deterministic = false;

    // A view of a good leader, `faults` replicas silent.
    double no_prepare = 1;  ///< A given correct replica does not prepare. Exact.
    double no_decision = 1; ///< ... does not decide. Estimate: as if others prepared independently.
    double chernoff_no_prepare = 1;

    // A view of a leader that signs two values, shows one to some of the correct replicas and the other to
    // the rest, and that nobody detects; `faults` vote for both. For the worst division.
    double in_view_estimate =
        0;              ///< Two replicas decide differently, correct ones divided in halves; as above.
    double in_view = 0; ///< The same, upper bound.
    /// One decides, and another has the other value prepared, so that the next leader may choose that one.
    /// Upper bound; includes in_view.
    double later = 0;
    double chernoff_half = 0; ///< A given replica of one half prepares.

    // A view of a good leader that one replica decided in before it failed.
    /// The next leader hears of no correct replica that prepared. Upper bound.
    double lost = 0;

    double disagreement() const { return deterministic ? 0 : later + lost < 1 ? later + lost : 1; }
    /// "q = 20 of n = 100, s = 34: with at most 20 faults ...".
    std::string describe() const;
};

/// q and s for an assumed number of faults; with committee.f() the same as consensus::sample_sizes().
consensus::SampleSizes sizes_of(std::size_t n, std::size_t faults,
                                const consensus::SampleParameters& parameters);

/// Requires faults < n and sizes.sample <= n. O(n^2).
Bound bound_of(std::size_t n, std::size_t faults, consensus::SampleSizes sizes);

/// Errc::precondition_failed, with parameters that would do, if disagreement() is above `bound_max` or
/// no_decision above kUndecidedMax. `faults`: how many are assumed at most; 0: all that the committee could
/// bear.
Result<Bound> check_parameters(const consensus::Committee& committee, double bound_max = kBoundMax,
                               std::size_t faults = 0);

} // namespace dwcp::probft
