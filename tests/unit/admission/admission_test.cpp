#include "actors/manager/admission.hpp"
#include "protocols/base/random.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <string>
#include <vector>

using namespace dwcp;
using namespace dwcp::manager;
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

TEST_CASE("a full bulkhead refuses with a reason and takes no token") {
    Admission admission({1, 2, 1});
    REQUIRE(admission.admit(kStart));
    for (int i = 0; i < 5; ++i) {
        const auto refused = admission.admit(kStart);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().reason == RefusalReason::in_flight);
        CHECK(refused.error().error.code == Errc::resource_exhausted);
        CHECK(refused.error().error.message == "1 workloads are in flight, allowed are 1");
        CHECK(refused.error().error.remedy == "retry after 500 ms");
        CHECK(refused.error().retry_after_ms == 500);
    }
    admission.release();
    CHECK(admission.admit(kStart)); // the burst's second token is still there
}

TEST_CASE("an empty bucket refuses and says when to retry, rounded up to a millisecond") {
    Admission admission({3, 1, 10});
    REQUIRE(admission.admit(kStart));
    const auto refused = admission.admit(kStart);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == RefusalReason::rate);
    CHECK(refused.error().retry_after_ms == 334);
    CHECK(refused.error().error.code == Errc::resource_exhausted);
    CHECK(refused.error().error.message == "more than 3 requests a second after a burst of 1");
    CHECK(refused.error().error.remedy == "retry after 334 ms");
    CHECK(admission.in_flight() == 1);
    CHECK(admission.admit(kStart + 334ms));
    CHECK(to_string(RefusalReason::rate) == "rate");
    CHECK(to_string(RefusalReason::in_flight) == "in_flight");
}

TEST_CASE("changed limits hold at once, for the rate, the burst and the bulkhead") {
    Admission admission({1, 2, 10});
    REQUIRE(admission.admit(kStart));
    REQUIRE(admission.admit(kStart));
    REQUIRE_FALSE(admission.admit(kStart));
    admission.change_limits({1000, 50, 3}, kStart);
    CHECK_FALSE(admission.admit(kStart)); // a larger burst gives no tokens away
    CHECK(admission.admit(kStart + 1ms));
    const auto full = admission.admit(kStart + 10ms);
    REQUIRE_FALSE(full);
    CHECK(full.error().reason == RefusalReason::in_flight);
    CHECK(full.error().error.message.find("allowed are 3") != std::string::npos);
    admission.change_limits({1000, 1, 100}, kStart + 10ms);
    CHECK(admission.admit(kStart + 10ms));
    CHECK_FALSE(admission.admit(kStart + 10ms)); // nine tokens were there, the new burst holds one
    admission.change_limits({1000, 1, 100}, kStart + 10ms);
    CHECK(admission.in_flight() == 4);
}

TEST_CASE("workloads resumed from the journal hold places but take no tokens") {
    Admission admission({1, 1, 2});
    admission.resume(3);
    CHECK(admission.in_flight() == 3);
    CHECK_FALSE(admission.admit(kStart));
    admission.release();
    admission.release();
    CHECK(admission.admit(kStart));
}

TEST_CASE("a release too many does not open or close the bulkhead") {
    Admission admission({100, 100, 1});
    admission.release();
    CHECK(admission.in_flight() == 0);
    CHECK(admission.admit(kStart));
    CHECK_FALSE(admission.admit(kStart));
}

TEST_CASE("any interleaving keeps the number in flight within its limit") {
    Random random(test::seed());
    CAPTURE(test::seed());
    Admission admission({1000, 50, 7});
    TimePoint now = kStart;
    std::uint32_t in_flight = 0;
    for (int step = 0; step < 20'000; ++step) {
        now += Duration(random.below(2'000'000));
        if (random.below(2) == 0 && in_flight > 0) {
            admission.release();
            --in_flight;
        } else if (const auto admitted = admission.admit(now)) {
            ++in_flight;
        } else {
            REQUIRE(admitted.error().retry_after_ms >= 1);
            REQUIRE((admitted.error().reason == RefusalReason::in_flight) == (in_flight == 7));
        }
        REQUIRE(in_flight <= 7);
        REQUIRE(admission.in_flight() == in_flight);
    }
}
