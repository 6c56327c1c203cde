// Many runs: scenarios, engines and seeds, on as many threads as are given; each run is of one thread and
// depends on its seed alone, so the summary is the same on however many.
//
// Seeds are the outer loop, so a campaign that is ended early has seen every scenario as often.
#pragma once

#include "tests/sim/consensus/run.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::sim {

struct CampaignOptions {
    std::vector<consensus::EngineKind> engines;
    std::vector<const Scenario*> scenarios;
    std::size_t n = 0; ///< 0: four or seven, by the seed.
    std::uint64_t first_seed = 1;
    std::uint64_t last_seed = 1;
    Mode mode = Mode::both;
    bool real_crypto = false;
    unsigned jobs = 1;
    /// Every so many seeds are run twice, and their traces must be the same (I10); 0: none.
    std::uint64_t twice_one_in = 50;
    bool go_on = false; ///< After a violation.
};

struct Failure {
    consensus::EngineKind engine = consensus::EngineKind::pbft;
    std::string scenario;
    std::uint64_t seed = 0;
    std::string violation;

    auto operator<=>(const Failure&) const = default;
};

struct Tally {
    std::uint64_t runs = 0;
    std::uint64_t events = 0;
    std::uint64_t messages = 0;
    std::uint64_t heights = 0;
    std::uint64_t commands = 0;
    std::uint64_t crashes = 0;
    std::uint64_t certificates = 0;
    std::uint64_t convictions = 0;
    std::uint64_t refused = 0;
    std::uint64_t epochs = 0;
    std::uint64_t views_max = 0;
    Moment healed_max = 0;
    std::uint64_t lost = 0;  ///< Runs over the threshold in which something was lost.
    std::uint64_t trace = 0; ///< Sum of the trace hashes: the same campaign, the same sum.

    void add(const RunReport& report);
};

struct CampaignReport {
    std::map<std::pair<std::string, std::string>, Tally> tallies; ///< By engine and scenario.
    std::vector<Failure> failures;                                ///< In order.
    std::uint64_t seeds_done = 0;                                 ///< Of every scenario.
    bool interrupted = false;
};

/// `stop` ends it at the next run; `progress` is called now and then from one of the threads.
CampaignReport run_campaign(const CampaignOptions& options, const std::atomic<bool>& stop,
                            const std::function<void(std::uint64_t runs, std::uint64_t of)>& progress);

} // namespace dwcp::sim
