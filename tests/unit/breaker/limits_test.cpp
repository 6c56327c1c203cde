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

TEST_CASE("a bulkhead runs so many, and refuses more with a reason") {
    Bulkhead bulkhead("calls", 2);
    CHECK(bulkhead.enter());
    CHECK(bulkhead.enter());
    const auto refused = bulkhead.enter();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == RefusalReason::in_flight);
    CHECK(refused.error().error.code == Errc::resource_exhausted);
    CHECK(refused.error().error.message == "2 calls are in flight, allowed are 2");
    CHECK(refused.error().retry_after_ms == 500);
    bulkhead.leave();
    CHECK(bulkhead.enter());
    CHECK(bulkhead.running() == 2);
}

TEST_CASE("an adaptive limit that nothing holds down follows its ceiling, one that is held down does not") {
    AdaptiveOptions options{.floor = 1, .ceiling = 10, .target = 100ms, .every = 1s, .decrease_pct = 50};
    AdaptiveLimit limit(options);
    options.ceiling = 100;
    limit.change_options(options);
    CHECK(limit.limit() == 100);
    for (int i = 0; i < 10; ++i)
        limit.sample(1s, 60, kStart + i * 200ms);
    REQUIRE(limit.limit() == 50);
    options.ceiling = 1000;
    limit.change_options(options);
    CHECK(limit.limit() == 50);
    options.ceiling = 20;
    limit.change_options(options);
    CHECK(limit.limit() == 20);
}

TEST_CASE("an adaptive limit falls while calls are slow, no further than its floor, and comes back") {
    AdaptiveLimit limit({.floor = 5, .ceiling = 100, .target = 100ms, .every = 1s, .decrease_pct = 10});
    CHECK(limit.limit() == 100);
    TimePoint now = kStart;
    const auto second = [&](Duration took, std::uint32_t used) {
        for (int i = 0; i < 20; ++i, now += 60ms)
            limit.sample(took, used, now);
    };
    second(200ms, 90);
    CHECK(limit.limit() == 90);
    for (int i = 0; i < 100; ++i)
        second(200ms, limit.limit());
    CHECK(limit.limit() == 5);
    const auto refused = limit.admit(5);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == RefusalReason::latency);
    CHECK(refused.error().retry_after_ms == 100);
    CHECK(limit.admit(4));
    for (int i = 0; i < 40; ++i)
        second(10ms, limit.limit());
    CHECK(limit.limit() > 30);
    for (int i = 0; i < 400; ++i)
        second(10ms, limit.limit());
    CHECK(limit.limit() == 100);
}

TEST_CASE("an adaptive limit does not rise while nobody comes near it, nor fall for a single slow call") {
    AdaptiveLimit limit({.floor = 1, .ceiling = 100, .target = 100ms, .every = 1s, .decrease_pct = 50});
    TimePoint now = kStart;
    for (int i = 0; i < 10; ++i, now += 500ms)
        limit.sample(1s, 60, now);
    const auto low = limit.limit();
    REQUIRE(low < 100);
    for (int i = 0; i < 200; ++i, now += 200ms)
        limit.sample(1ms, 1, now);
    CHECK(limit.limit() == low);
    for (int i = 0; i < 200; ++i, now += 200ms)
        limit.sample(i % 5 == 0 ? 1s : 1ms, 1, now);
    CHECK(limit.limit() == low);
}
