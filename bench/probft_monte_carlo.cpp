// Prints what ProBFT's samples do at several sizes of a committee: a table on standard error, and a line of
// JSON a figure on standard output.
#include "bench/probft_committees.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <iostream>

namespace {

using namespace dwcp::bench;

void print_head() {
    fmt::print(stderr,
               "{:>4} {:>3} {:>3} {:>3} | {:>8} {:>8} {:>7} | {:>7} {:>8} {:>8} {:>8} {:>6} | {:>8} {:>7}\n",
               "n", "f", "q", "s", "deciding", "computed", "all", "unseen", "prepared", "computed", "bound",
               "seen", "messages", "of PBFT");
}

void print_row(const ProbftFigures& row) {
    const auto& bound = row.bound;
    fmt::print(stderr,
               "{:>4} {:>3} {:>3} {:>3} | {:>8.4f} {:>8.4f} {:>7.4f} | {:>7.4f} {:>8.4f} {:>8.4f} {:>8.2g} "
               "{:>6.4f} | "
               "{:>8.0f} {:>5.1f} %\n",
               bound.n, bound.faults, bound.sizes.quorum, bound.sizes.sample, row.deciding,
               1 - bound.no_decision, row.all_decide, row.disagree_unseen, row.disagree_unseen_prepared,
               bound.in_view_estimate, bound.disagreement(), row.disagree_seen, row.messages,
               100 * row.messages / row.messages_pbft);
}

void print_lines(const ProbftFigures& row) {
    const nlohmann::json under = {{"n", row.committee.n},        {"f", row.committee.faults},
                                  {"q", row.bound.sizes.quorum}, {"s", row.bound.sizes.sample},
                                  {"trials", row.trials},        {"seed", row.seed}};
    for (const auto& figure : flat(row))
        std::cout << nlohmann::json{{"suite", "consensus"},    {"case", "committees"},
                                    {"metric", figure.metric}, {"value", figure.value},
                                    {"unit", figure.unit},     {"conditions", under}}
                  << '\n';
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("ProBFT's samples, by simulation and by its bound");
    std::uint64_t trials = 2000;
    std::uint64_t seed = 1;
    app.add_option("--trials", trials, "views a committee")->check(CLI::Range(1, 1'000'000));
    app.add_option("--seed", seed, "of the draws");
    CLI11_PARSE(app, argc, argv);
    print_head();
    for (const auto& committee : probft_committees()) {
        const auto row = play(committee, trials, seed);
        print_row(row);
        print_lines(row);
    }
}
