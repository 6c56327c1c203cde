// What ProBFT's samples do at the size of a committee: views played with uniform draws, next to what
// bound.hpp computes and to the messages of PBFT. Seeded: the same seed gives the same figures. Nothing is
// signed, nothing travels; the engine itself is measured elsewhere.
#pragma once

#include "protocols/probft/bound.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dwcp::bench {

struct ProbftCommittee {
    std::size_t n = 0;
    std::size_t faults = 0;
    consensus::SampleParameters samples;
};
/// (7, 2), (50, 10), (100, 20) and (400, 80) with l = 2, o = 1.7, and (100, 20) with o = 1.5.
std::vector<ProbftCommittee> probft_committees();

struct ProbftFigures {
    ProbftCommittee committee;
    std::uint64_t trials = 0;
    std::uint64_t seed = 0;
    probft::Bound bound;

    // The leader is good, `faults` replicas are silent.
    double deciding = 0;   ///< Mean share of the correct replicas that decide in the view.
    double all_decide = 0; ///< Chance that all of them do.
    double nobody = 0;     ///< Chance that none does, so that the view is lost.
    // The leader shows one value to half of the correct replicas and another to the rest, and the faulty ones
    // vote in each half for its own.
    double disagree_unseen = 0; ///< Everything between the halves is delayed until they have decided.
    /// The same, if a replica decided only what it prepared itself; the paper's, and our engine, only asks
    /// that it voted for it.
    double disagree_unseen_prepared = 0;
    double disagree_seen = 0; ///< It arrives in time, and two values block the view.

    double messages = 0; ///< A decision, all correct; what a replica would send itself is none.
    double messages_pbft = 0;
};

/// O(trials * n * s).
ProbftFigures play(const ProbftCommittee& committee, std::uint64_t trials, std::uint64_t seed);

struct ProbftFigure {
    std::string metric;
    double value = 0;
    std::string unit;
};
/// Flat, for reports: the simulated ones, and those of the bound with the prefix bound_.
std::vector<ProbftFigure> flat(const ProbftFigures& figures);
/// Conditions of a figure, as "n=100 f=20 q=20 s=34 trials=2000 seed=1".
std::string conditions(const ProbftFigures& figures);

} // namespace dwcp::bench
