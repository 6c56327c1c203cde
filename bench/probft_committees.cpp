#include "bench/probft_committees.hpp"

#include "protocols/base/random.hpp"

#include <algorithm>
#include <numeric>

namespace dwcp::bench {

using probft::Bound;

namespace {

/// Draws of one committee.
class Draws {
  public:
    Draws(const ProbftCommittee& committee, std::uint64_t seed)
        : committee_(committee), sizes_(probft::sizes_of(committee.n, committee.faults, committee.samples)),
          random_(seed), all_(committee.n) {
        std::iota(all_.begin(), all_.end(), std::size_t{0});
    }

    const consensus::SampleSizes& sizes() const { return sizes_; }
    std::size_t n() const { return committee_.n; }
    /// Replicas 0 .. correct() - 1 are correct.
    std::size_t correct() const { return committee_.n - committee_.faults; }

    template<class Each>
    void sample(Each each) {
        for (std::size_t i = 0; i < sizes_.sample; ++i) {
            std::swap(all_[i], all_[i + random_.below(all_.size() - i)]);
            each(all_[i]);
        }
    }

  private:
    ProbftCommittee committee_;
    consensus::SampleSizes sizes_;
    Random random_;
    std::vector<std::size_t> all_;
};

std::size_t deciders_of_good_view(Draws& draws) {
    std::vector<std::size_t> prepares(draws.n()), commits(draws.n());
    for (std::size_t voter = 0; voter < draws.correct(); ++voter)
        draws.sample([&](std::size_t to) { ++prepares[to]; });
    for (std::size_t voter = 0; voter < draws.correct(); ++voter)
        if (prepares[voter] >= draws.sizes().quorum) draws.sample([&](std::size_t to) { ++commits[to]; });
    std::size_t deciders = 0;
    for (std::size_t replica = 0; replica < draws.correct(); ++replica)
        deciders += commits[replica] >= draws.sizes().quorum;
    return deciders;
}

struct Disagreement {
    bool any = false;
    bool prepared = false; ///< If only those decided that had prepared.
};

/// Whether in each half somebody decides its value.
Disagreement halves_disagree(Draws& draws, bool seen) {
    const auto correct = draws.correct();
    const auto half = [&](std::size_t replica) { return replica < correct / 2; };
    std::vector<bool> blocked(draws.n());
    std::vector<bool> votes(draws.n(), true);
    const auto phase = [&] {
        std::vector<std::size_t> counts(draws.n());
        for (std::size_t voter = 0; voter < draws.n(); ++voter) {
            if (!votes[voter]) continue;
            draws.sample([&](std::size_t to) {
                if (voter >= correct || half(voter) == half(to))
                    ++counts[to]; // the faulty ones show each half what it knows
                else if (to < correct)
                    blocked[to] = blocked[to] || seen;
            });
        }
        return counts;
    };
    const auto prepares = phase();
    for (std::size_t replica = 0; replica < correct; ++replica)
        votes[replica] = prepares[replica] >= draws.sizes().quorum && !blocked[replica];
    const auto commits = phase();
    bool decided[2] = {false, false};
    bool prepared[2] = {false, false};
    for (std::size_t replica = 0; replica < correct; ++replica) {
        if (commits[replica] < draws.sizes().quorum || blocked[replica]) continue;
        decided[half(replica)] = true;
        if (votes[replica]) prepared[half(replica)] = true;
    }
    return {decided[0] && decided[1], prepared[0] && prepared[1]};
}

/// PREPAREs and COMMITs that travel, all correct and all prepared.
std::size_t votes_sent(Draws& draws) {
    std::size_t sent = 0;
    for (int phase = 0; phase < 2; ++phase)
        for (std::size_t voter = 0; voter < draws.n(); ++voter)
            draws.sample([&](std::size_t to) { sent += to != voter; });
    return sent;
}

} // namespace

std::vector<ProbftCommittee> probft_committees() {
    return {{7, 2, {}}, {50, 10, {}}, {100, 20, {}}, {100, 20, {2000, 1500}}, {400, 80, {}}};
}

ProbftFigures play(const ProbftCommittee& committee, std::uint64_t trials, std::uint64_t seed) {
    Draws draws(committee, seed);
    ProbftFigures figures;
    figures.committee = committee;
    figures.trials = trials;
    figures.seed = seed;
    figures.bound = probft::bound_of(committee.n, committee.faults, draws.sizes());
    const auto share = [&](double count) { return count / static_cast<double>(trials); };
    std::size_t deciders = 0, all = 0, nobody = 0, unseen = 0, strict = 0, seen = 0, votes = 0;
    for (std::uint64_t trial = 0; trial < trials; ++trial) {
        const auto here = deciders_of_good_view(draws);
        deciders += here;
        all += here == draws.correct();
        nobody += here == 0;
        const auto hidden = halves_disagree(draws, false);
        unseen += hidden.any;
        strict += hidden.prepared;
        seen += halves_disagree(draws, true).any;
        votes += votes_sent(draws);
    }
    figures.deciding = share(static_cast<double>(deciders)) / static_cast<double>(draws.correct());
    figures.all_decide = share(static_cast<double>(all));
    figures.nobody = share(static_cast<double>(nobody));
    figures.disagree_unseen = share(static_cast<double>(unseen));
    figures.disagree_unseen_prepared = share(static_cast<double>(strict));
    figures.disagree_seen = share(static_cast<double>(seen));
    const auto others = static_cast<double>(committee.n - 1);
    figures.messages = others + share(static_cast<double>(votes));
    figures.messages_pbft = 2 * static_cast<double>(committee.n) * others;
    return figures;
}

std::vector<ProbftFigure> flat(const ProbftFigures& figures) {
    const Bound& bound = figures.bound;
    return {{"deciding_in_first_view", figures.deciding, "share"},
            {"all_decide", figures.all_decide, "probability"},
            {"nobody_decides", figures.nobody, "probability"},
            {"disagree_undetected", figures.disagree_unseen, "probability"},
            {"disagree_undetected_prepared", figures.disagree_unseen_prepared, "probability"},
            {"disagree_detected", figures.disagree_seen, "probability"},
            {"messages_per_decision", figures.messages, "messages"},
            {"messages_per_decision_pbft", figures.messages_pbft, "messages"},
            {"messages_of_pbft", figures.messages / figures.messages_pbft, "share"},
            {"bound_deciding_in_first_view", 1 - bound.no_decision, "share"},
            {"bound_disagree_estimate", bound.in_view_estimate, "probability"},
            {"bound_disagree_in_view", bound.in_view, "probability"},
            {"bound_disagreement", bound.disagreement(), "probability"},
            {"bound_chernoff_no_prepare", bound.chernoff_no_prepare, "probability"},
            {"bound_chernoff_half", bound.chernoff_half, "probability"}};
}

std::string conditions(const ProbftFigures& figures) {
    return "n=" + std::to_string(figures.committee.n) + " f=" + std::to_string(figures.committee.faults) +
           " q=" + std::to_string(figures.bound.sizes.quorum) +
           " s=" + std::to_string(figures.bound.sizes.sample) + " trials=" + std::to_string(figures.trials) +
           " seed=" + std::to_string(figures.seed);
}

} // namespace dwcp::bench
