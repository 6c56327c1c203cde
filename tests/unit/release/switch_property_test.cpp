#include "protocols/base/random.hpp"
#include "tests/unit/release/clock.hpp"

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>
#include <iostream>
#include <set>
#include <thread>

using namespace dwcp;
using namespace dwcp::release;
using namespace std::chrono_literals;

namespace {

std::uint64_t seed_of_run() {
    const char* given = std::getenv("DWCP_SEED");
    const std::uint64_t seed =
        given ? std::strtoull(given, nullptr, 10)
              : static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    std::cout << "DWCP_SEED=" << seed << '\n';
    return seed;
}

std::set<int> canaries_at(ReleaseSwitch& releases, double percent, std::uint64_t seed, int keys) {
    releases.obey({percent});
    std::set<int> canaries;
    for (int i = 0; i < keys; ++i) {
        const auto key = std::to_string(seed) + "/" + std::to_string(i);
        if (releases.route(key).release() == Release::canary) canaries.insert(i);
    }
    return canaries;
}

} // namespace

TEST_CASE("a smaller share lies inside a larger one, and each is as large as it says") {
    const auto seed = seed_of_run();
    constexpr int kKeys = 20'000;
    for (const std::string system : {"manager", "selector", "tpbft"}) {
        ReleaseSwitch releases(names_of(system), Pin::none, {});
        std::set<int> smaller;
        for (const double percent : {0.5, 10.0, 25.0, 50.0, 99.0, 100.0}) {
            auto larger = canaries_at(releases, percent, seed, kKeys);
            CAPTURE(system, percent, larger.size());
            CHECK(std::includes(larger.begin(), larger.end(), smaller.begin(), smaller.end()));
            const double share = percent / 100;
            const double five_sigma = 5 * std::sqrt(kKeys * share * (1 - share));
            CHECK(std::abs(static_cast<double>(larger.size()) - kKeys * share) <= five_sigma);
            smaller = std::move(larger);
        }
        CHECK(smaller.size() == kKeys);
    }
}

TEST_CASE("the canaries of two systems do not meet the same keys") {
    const auto seed = seed_of_run();
    constexpr int kKeys = 20'000;
    ReleaseSwitch one(names_of("manager"), Pin::none, {});
    ReleaseSwitch other(names_of("selector"), Pin::none, {});
    const auto first = canaries_at(one, 10, seed, kKeys);
    const auto second = canaries_at(other, 10, seed, kKeys);
    std::vector<int> both;
    std::ranges::set_intersection(first, second, std::back_inserter(both));
    CHECK(std::abs(static_cast<double>(both.size()) - kKeys * 0.01) <= 5 * std::sqrt(kKeys * 0.01));
}

TEST_CASE("in any order of routes, ends and weights a key in flight has one release until a rollback") {
    Random random(seed_of_run());
    struct Held {
        std::string key;
        Lease lease;
        std::uint64_t rollbacks;
    };
    ReleaseSwitch releases(names_of("manager"), Pin::none, {});
    std::vector<Held> held;
    std::uint64_t rollbacks = 0;
    double percent = 0;
    for (int step = 0; step < 20'000; ++step) {
        const auto what = random.below(100);
        if (what < 2) {
            const double next = random.below(3) == 0 ? 0 : static_cast<double>(random.below(101));
            if (percent > 0 && next == 0) ++rollbacks;
            percent = next;
            releases.obey({percent});
        } else if (what < 60 || held.empty()) {
            const auto key = std::to_string(random.below(20));
            Lease lease = releases.route(key);
            for (const auto& other : held) {
                if (other.key != key || other.rollbacks != rollbacks) continue;
                REQUIRE(other.lease.release() == lease.release());
            }
            if (percent == 0) REQUIRE(lease.release() == Release::stable);
            held.push_back({key, std::move(lease), rollbacks});
        } else {
            const auto at = random.below(held.size());
            auto& lease = held[at].lease;
            REQUIRE(lease.revoked() ==
                    (lease.release() == Release::canary && held[at].rollbacks != rollbacks));
            if (random.below(2) == 0) lease.finished(1us, 1, 1);
            if (lease.revoked() && random.below(2) == 0) lease.move_to_stable();
            held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
        }
    }
    held.clear();
    CHECK(releases.canary_in_flight() == 0);
}

TEST_CASE("threads that route while the weight changes never get a canary after a rollback") {
    const auto seed = seed_of_run();
    ReleaseSwitch releases(names_of("manager"), Pin::none, {});
    auto listening = releases.on_withdrawn([] {});
    // Odd: the weight is 0 for sure. A route that began and ended within the same odd number saw only that.
    std::atomic<std::uint64_t> phase = 1;
    std::atomic<std::uint64_t> routed = 0;
    std::atomic<int> wrong = 0;
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < 4; ++i) {
        threads.emplace_back([&, i](const std::stop_token& stop) {
            Random random(seed + i);
            while (!stop.stop_requested()) {
                const auto before = phase.load();
                Lease lease = releases.route(std::to_string(random.below(50)));
                const bool canary = lease.release() == Release::canary;
                if (before % 2 == 1 && canary && !lease.revoked() && phase.load() == before) ++wrong;
                if (canary && lease.revoked()) lease.move_to_stable();
                if (random.below(2) == 0)
                    lease.finished(1us, 1, 1);
                else
                    lease.failed();
                ++routed;
            }
        });
    }
    Random random(seed + 99);
    for (int round = 0; round < 300; ++round) {
        ++phase;
        releases.obey({static_cast<double>(1 + random.below(100)), false, false, 60s});
        const auto goal = routed.load() + 20;
        while (routed < goal)
            std::this_thread::yield();
        releases.obey({0});
        ++phase;
        const auto next = routed.load() + 20;
        while (routed < next)
            std::this_thread::yield();
        (void)releases.report();
    }
    threads.clear();
    CHECK(wrong == 0);
    CHECK(releases.canary_in_flight() == 0);
    const auto report = releases.report();
    CHECK(report.total[0].requests + report.total[1].requests > 0);
}
