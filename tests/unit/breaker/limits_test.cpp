#include "protocols/base/random.hpp"
#include "protocols/breaker/limits.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <vector>

using namespace dwcp;
using namespace dwcp::breaker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{1h};

int take_all(TokenBucket& bucket, TimePoint now) {
    int taken = 0;
    while (!bucket.take(now))
        ++taken;
    return taken;
}

} // namespace

TEST_CASE("a full bucket admits its burst at once and then its rate") {
    TokenBucket bucket(10, 3);
    CHECK(take_all(bucket, kStart) == 3);
    CHECK(bucket.take(kStart) == Duration(100ms));
    CHECK(bucket.take(kStart + 40ms) == Duration(60ms));
    CHECK_FALSE(bucket.take(kStart + 100ms));
    CHECK(bucket.take(kStart + 100ms) == Duration(100ms));
    CHECK(take_all(bucket, kStart + 300ms) == 2);
}

TEST_CASE("a bucket never holds more than its burst, however long it was quiet") {
    TokenBucket bucket(std::numeric_limits<std::uint32_t>::max(), 5);
    CHECK(take_all(bucket, kStart) == 5);
    CHECK(take_all(bucket, kStart + std::chrono::years(200)) == 5);
}

TEST_CASE("limits of zero are read as one") {
    TokenBucket bucket(0, 0);
    CHECK(take_all(bucket, kStart) == 1);
    CHECK(bucket.take(kStart) == Duration(1s));
}

TEST_CASE("a clock that steps back gives nothing away") {
    TokenBucket bucket(10, 1);
    CHECK(take_all(bucket, kStart) == 1);
    CHECK(bucket.take(kStart - 1h) == Duration(100ms));
    CHECK(bucket.take(kStart + 99ms) == Duration(1ms));
    CHECK_FALSE(bucket.take(kStart + 100ms));
}

TEST_CASE("no window sees more than rate times its length plus burst, and waiting as told is enough") {
    Random random(test::seed());
    CAPTURE(test::seed());
    for (int round = 0; round < 60; ++round) {
        const auto rate = static_cast<std::uint32_t>(1 + random.below(5000));
        const auto burst = static_cast<std::uint32_t>(1 + random.below(20));
        TokenBucket bucket(rate, burst);
        std::vector<TimePoint> taken;
        TimePoint now = kStart;
        for (int step = 0; step < 400; ++step) {
            const auto wait = bucket.take(now);
            if (!wait) {
                taken.push_back(now);
            } else if (random.below(2) == 0) {
                REQUIRE(*wait > 0ns);
                REQUIRE(bucket.take(now + *wait - 1ns));
                now += *wait;
                REQUIRE_FALSE(bucket.take(now));
                taken.push_back(now);
            }
            now += Duration(random.below(3'000'000'000 / rate));
        }
        bool within = true;
        for (std::size_t first = 0; first < taken.size(); ++first) {
            for (std::size_t last = first; last < taken.size(); ++last) {
                const double window_s = std::chrono::duration<double>(taken[last] - taken[first]).count();
                within = within && static_cast<double>(last - first + 1) <= rate * window_s + burst + 1e-6;
            }
        }
        REQUIRE(within);
    }
}
