#include "bench/consensus_bench.hpp"
#include "bench/probft_committees.hpp"

#include <fmt/format.h>

namespace dwcp::bench {
namespace {

constexpr std::uint64_t kViews = 2000;
constexpr std::uint64_t kViewsQuick = 200;
constexpr std::uint64_t kSeed = 1;

} // namespace

void measure_committees(const SuiteSettings& settings, const ConsensusWanted& wanted,
                        const ConsensusReport& report) {
    for (const auto& committee : probft_committees()) {
        const std::string name = fmt::format("committees/n={}/f={}/o={:.1f}", committee.n, committee.faults,
                                             committee.samples.o_permille / 1000.0);
        if (!wanted(name)) continue;
        fmt::print(stderr, "{}\n", name);
        const auto row = play(committee, settings.quick ? kViewsQuick : kViews, kSeed);
        std::vector<ConsensusReport::Figure> figures;
        for (auto& figure : flat(row))
            figures.push_back({std::move(figure.metric), figure.value, std::move(figure.unit)});
        report.add(name, figures,
                   {{"engine", "probft"},
                    {"mode", "simulated: samples drawn, nothing signed or sent"},
                    {"n", committee.n},
                    {"f", committee.faults},
                    {"q", row.bound.sizes.quorum},
                    {"s", row.bound.sizes.sample},
                    {"views", row.trials},
                    {"seed", row.seed}});
    }
}

} // namespace dwcp::bench
