#include "protocols/breaker/retry.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::breaker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{1h};
constexpr TimePoint kNever = kStart + 24h;

} // namespace

TEST_CASE("delays double up to the longest, half of each at random") {
    Random random(test::seed());
    CAPTURE(test::seed());
    const Backoff backoff{100ms, 1000ms};
    bool differ = false;
    Duration last{};
    for (int i = 0; i < 200; ++i) {
        for (const auto& [retry, longest] : {std::pair(0U, 100ms),
                                             {1U, 200ms},
                                             {2U, 400ms},
                                             {3U, 800ms},
                                             {4U, 1000ms},
                                             {4'000'000'000U, 1000ms}}) {
            const auto delay = backoff.delay(retry, random);
            REQUIRE(delay >= longest / 2);
            REQUIRE(delay <= longest);
            if (retry == 0) differ = differ || (i > 0 && delay != last), last = delay;
        }
    }
    CHECK(differ);
    CHECK(Backoff{50ms, 10ms}.delay(9, random) <= 50ms); // a longest below the shortest is read as that
    CHECK(Backoff{50ms, 10ms}.delay(9, random) >= 25ms);
}

TEST_CASE("no retry goes beyond the deadline") {
    RetryPolicy policy({.backoff = {100ms, 100ms}}, test::seed());
    const auto delay = policy.next(1, kStart, kStart + 101ms);
    REQUIRE(delay);
    CHECK(*delay < 101ms);
    CHECK(policy.next(1, kStart, kStart + 50ms) == std::unexpected(NoRetry::deadline));
    CHECK(policy.next(1, kStart, kStart - 1h) == std::unexpected(NoRetry::deadline));
}

TEST_CASE("what the other side asks to wait is waited for, if the deadline allows it") {
    RetryPolicy policy({.backoff = {10ms, 10ms}}, test::seed());
    CHECK(policy.next(1, kStart, kNever, 3s) == Duration(3s));
    CHECK(policy.next(1, kStart, kStart + 2s, 3s) == std::unexpected(NoRetry::deadline));
}

TEST_CASE("tries are counted with the first") {
    RetryPolicy policy({.backoff = {}, .tries_max = 3}, test::seed());
    CHECK(policy.next(1, kStart, kNever));
    CHECK(policy.next(2, kStart, kNever));
    CHECK(policy.next(3, kStart, kNever) == std::unexpected(NoRetry::tries));
}

TEST_CASE("retries are a share of the requests, and a few a second in any case") {
    RetryPolicy policy({.backoff = {}, .budget_pct = 20, .budget_min_per_s = 3}, test::seed());
    for (int i = 0; i < 50; ++i)
        policy.began(kStart);
    int retries = 0;
    while (policy.next(1, kStart, kNever))
        ++retries;
    CHECK(retries == 10 + 3); // 20 % of 50, then what is there for the quiet
    CHECK(policy.next(1, kStart + 999ms, kNever) == std::unexpected(NoRetry::budget));
    retries = 0;
    while (policy.next(1, kStart + 1s, kNever))
        ++retries;
    CHECK(retries == 3);
    policy.began(kStart + 1s);
    CHECK_FALSE(policy.next(1, kStart + 1s, kNever)); // a fifth of a retry is none
    for (int i = 0; i < 4; ++i)
        policy.began(kStart + 1s);
    CHECK(policy.next(1, kStart + 1s, kNever));
}

TEST_CASE("what is saved up in calm times is bounded") {
    RetryPolicy policy({.backoff = {}, .budget_pct = 10, .budget_min_per_s = 0}, test::seed());
    for (int i = 0; i < 100'000; ++i)
        policy.began(kStart);
    int retries = 0;
    while (policy.next(1, kStart, kNever))
        ++retries;
    CHECK(retries == 100);
}

TEST_CASE("a retry that the deadline forbids takes nothing from the budget") {
    RetryPolicy policy({.backoff = {}, .budget_pct = 0, .budget_min_per_s = 1}, test::seed());
    for (int i = 0; i < 10; ++i)
        CHECK(policy.next(1, kStart, kStart) == std::unexpected(NoRetry::deadline));
    CHECK(policy.next(1, kStart, kNever));
    CHECK(policy.next(1, kStart, kNever) == std::unexpected(NoRetry::budget));
}
