#include "tests/sim/consensus/campaign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>
#include <thread>

namespace dwcp::sim {
namespace {

struct Case {
    consensus::EngineKind engine;
    const Scenario* scenario;
};

/// The violation of a run; the same seed a second time if it is its turn.
RunReport run_case(const CampaignOptions& options, const Case& one, std::uint64_t seed) {
    const auto plan = plan_for(*one.scenario, one.engine, options.n, seed, options.mode);
    auto report = run_plan(plan, options.real_crypto);
    const bool twice = options.twice_one_in != 0 && seed % options.twice_one_in == 0;
    if (report.violation.empty() && twice) {
        const auto again = run_plan(plan, options.real_crypto);
        if (again.trace != report.trace)
            report.violation = fmt::format("I10: two runs of the same seed have traces {:016x} and {:016x}",
                                           report.trace, again.trace);
    }
    return report;
}

} // namespace

void Tally::add(const RunReport& report) {
    ++runs;
    events += report.events;
    messages += report.messages;
    heights += report.heights;
    commands += report.commands;
    crashes += report.crashes;
    certificates += report.certificates;
    convictions += report.convicted;
    refused += report.refused;
    epochs += report.epochs;
    views_max = std::max(views_max, report.views);
    healed_max = std::max(healed_max, report.healed_in);
    lost += !report.note.empty();
    trace += report.trace;
}

CampaignReport run_campaign(const CampaignOptions& options, const std::atomic<bool>& stop,
                            const std::function<void(std::uint64_t, std::uint64_t)>& progress) {
    std::vector<Case> cases;
    for (const auto* scenario : options.scenarios)
        for (const auto engine : options.engines)
            if (scenario->applies_to(engine)) cases.push_back({engine, scenario});
    const std::uint64_t all = cases.size() * (options.last_seed - options.first_seed + 1);
    CampaignReport report;
    std::mutex mutex;
    std::atomic<std::uint64_t> next{0};
    std::atomic<bool> failed{false};
    std::uint64_t done = 0;
    const auto work = [&] {
        while (!stop && !failed) {
            const auto number = next++;
            if (number >= all) return;
            const auto& one = cases[number % cases.size()];
            const auto seed = options.first_seed + number / cases.size();
            const auto run = run_case(options, one, seed);
            const std::lock_guard lock(mutex);
            report.tallies[{std::string(to_string(one.engine)), std::string(one.scenario->name)}].add(run);
            if (!run.violation.empty()) {
                report.failures.push_back({one.engine, std::string(one.scenario->name), seed, run.violation});
                failed = failed || !options.go_on;
            }
            progress(++done, all);
        }
    };
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < options.jobs; ++i)
        threads.emplace_back(work);
    work();
    for (auto& thread : threads)
        thread.join();
    std::ranges::sort(report.failures);
    report.interrupted = stop && done < all;
    report.seeds_done = cases.empty() ? 0 : done / cases.size();
    return report;
}

} // namespace dwcp::sim
