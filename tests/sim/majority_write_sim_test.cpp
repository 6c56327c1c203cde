// The plain lane in a simulated world of crashes, bad networks and partitions. DWCP_SEED=n replays one seed.
#include "tests/sim/lane/run.hpp"
#include "tests/sim/world/seeds.hpp"

#include <catch2/catch.hpp>

#include <iostream>

namespace {

using namespace dwcp;
using namespace dwcp::sim;

consensus::MajorityWriteOptions options_of(const NodeName& self, const std::vector<NodeName>& all) {
    consensus::MajorityWriteOptions options;
    options.lane = "metadata";
    options.self = self;
    options.sequencer = all.front();
    options.members = all;
    return options;
}

MemberFactory majority_write(Mutation mutation = Mutation::none) {
    return [mutation](Surroundings world, Observer observer, const NodeName& self,
                      const std::vector<NodeName>& all) {
        return std::make_unique<MajorityWriteMember>(world, std::move(observer), options_of(self, all),
                                                     mutation);
    };
}

RunOptions with_seed(std::uint64_t seed) {
    constexpr std::size_t kSizes[] = {3, 3, 5, 1, 2, 3, 4, 7};
    RunOptions options;
    options.seed = seed;
    options.members = kSizes[seed % std::size(kSizes)];
    return options;
}

/// The first of `count` seeds whose run breaks a promise; 0: none did.
std::uint64_t first_caught(Mutation mutation, std::uint64_t count) {
    for (std::uint64_t seed = 1; seed <= count; ++seed) {
        RunOptions options;
        options.seed = seed;
        const auto report = run_lane(options, majority_write(mutation));
        if (report.violation.empty()) continue;
        std::cout << "caught by seed " << seed << ": " << report.violation << "\n";
        return seed;
    }
    return 0;
}

} // namespace

TEST_CASE("the lane keeps its promises through crashes, partitions and a bad network") {
    std::size_t answered = 0, entries = 0, runs = 0;
    std::uint64_t crashes = 0, datagrams = 0;
    for (const auto seed : seeds(200)) {
        const auto options = with_seed(seed);
        const auto report = run_lane(options, majority_write());
        INFO("DWCP_SEED=" << seed << ", " << options.members << " members: " << report.violation);
        REQUIRE(report.violation.empty());
        REQUIRE(report.answered > 0);
        ++runs;
        answered += report.answered;
        entries += report.entries;
        crashes += report.crashes;
        datagrams += report.datagrams;
    }
    std::cout << runs << " runs: " << answered << " answers, " << entries << " entries, " << crashes
              << " crashes, " << datagrams << " datagrams\n";
}

TEST_CASE("the lane gets through long runs with few faults") {
    for (const auto seed : seeds(4)) {
        RunOptions options;
        options.seed = seed;
        options.clients = 40;
        options.faults_for = std::chrono::seconds(30);
        options.fault_every = std::chrono::seconds(4);
        const auto report = run_lane(options, majority_write());
        INFO("DWCP_SEED=" << seed << ": " << report.violation);
        REQUIRE(report.violation.empty());
        REQUIRE(report.entries > 1000);
    }
}

TEST_CASE("the same seed gives the same run, another seed another one") {
    for (const auto seed : {11U, 12U}) {
        const auto first = run_lane(with_seed(seed), majority_write());
        CHECK(first.trace == run_lane(with_seed(seed), majority_write()).trace);
        CHECK(first.trace != run_lane(with_seed(seed + 8), majority_write()).trace);
    }
}

TEST_CASE("the suite sees a quorum that is one too small") {
    CHECK(first_caught(Mutation::quorum_minus_one, 10) != 0);
}

TEST_CASE("the suite sees an acknowledgement before the disk has it") {
    CHECK(first_caught(Mutation::ack_before_durable, 10) != 0);
}

TEST_CASE("the suite sees a restarted sequencer that forgot the ids in its log") {
    CHECK(first_caught(Mutation::forget_ids, 20) != 0);
}

TEST_CASE("the suite sees an applied index that is written apart from the effects") {
    CHECK(first_caught(Mutation::applied_not_together, 20) != 0);
}
