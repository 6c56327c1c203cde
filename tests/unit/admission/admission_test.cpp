#include "actors/manager/admission.hpp"
#include "protocols/base/random.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace dwcp;
using namespace dwcp::manager;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{1h};

} // namespace

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

TEST_CASE("low priority leaves the last quarter of the places to others") {
    Admission admission({1000, 1000, 8});
    int low = 0;
    while (admission.admit(kStart, health::Priority::low))
        ++low;
    CHECK(low == 6);
    const auto refused = admission.admit(kStart, health::Priority::low);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == RefusalReason::in_flight);
    CHECK(refused.error().error.message.find("the last 2 places are not for low priority") !=
          std::string::npos);
    CHECK(admission.admit(kStart));
    CHECK(admission.admit(kStart, health::Priority::critical));
    CHECK_FALSE(admission.admit(kStart, health::Priority::critical));
}

TEST_CASE("low priority leaves the last quarter of the burst to others, and waits until it is earned again") {
    Admission admission({4, 8, 100});
    int low = 0;
    while (admission.admit(kStart, health::Priority::low))
        ++low;
    CHECK(low == 6);
    CHECK(admission.admit(kStart));
    CHECK(admission.admit(kStart));
    CHECK_FALSE(admission.admit(kStart));
    const auto refused = admission.admit(kStart, health::Priority::low);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == RefusalReason::rate);
    CHECK(refused.error().retry_after_ms == 750); // three tokens at four a second
    CHECK(admission.admit(kStart + milliseconds(750), health::Priority::low));
}

TEST_CASE("a burst of one token serves low priority, too") {
    Admission admission({1, 1, 1});
    CHECK(admission.admit(kStart, health::Priority::low));
}

namespace {

/// Ten commits a second of `took` each, for so many seconds, all places in use.
void commit_for(Admission& admission, int seconds, Duration took, TimePoint& now) {
    for (int i = 0; i < seconds * 10; ++i, now += 100ms)
        admission.committed(took, now);
}

} // namespace

TEST_CASE("while commits are slow fewer workloads are admitted, and all again when they are fast") {
    Admission admission({100'000, 100'000, 80, 1s});
    TimePoint now = kStart;
    admission.resume(70);
    commit_for(admission, 3, 2s, now);
    CHECK(admission.in_flight_allowed() < 70);
    const auto refused = admission.admit(now);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().reason == RefusalReason::latency);
    CHECK(refused.error().error.code == Errc::resource_exhausted);
    CHECK(admission.in_flight() == 70); // what was admitted goes on
    commit_for(admission, 60, 2s, now);
    CHECK(admission.in_flight_allowed() == 10); // an eighth always comes in
    commit_for(admission, 120, 10ms, now);
    CHECK(admission.in_flight_allowed() == 80);
    CHECK(admission.admit(now));
}

TEST_CASE("how long commits take does not matter without a target, and no more when it is taken away") {
    Admission careless({100'000, 100'000, 80});
    TimePoint now = kStart;
    careless.resume(70);
    commit_for(careless, 60, 10s, now);
    CHECK(careless.in_flight_allowed() == 80);

    Admission careful({100'000, 100'000, 80, 1s});
    careful.resume(70);
    commit_for(careful, 60, 10s, now);
    REQUIRE(careful.in_flight_allowed() < 70);
    careful.change_limits({100'000, 100'000, 80}, now);
    CHECK(careful.in_flight_allowed() == 80);
    CHECK(careful.admit(now));
}
