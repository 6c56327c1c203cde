#include "tests/unit/release/clock.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::release;
using namespace std::chrono_literals;

namespace {

struct Switched {
    TestClock clock;
    ReleaseSwitch releases;
    explicit Switched(Pin pin = Pin::none) : releases(names_of("manager"), pin, clock.clocks()) {}

    void weigh(double percent, bool new_window = false) {
        releases.obey({percent, false, false, new_window ? std::optional<Duration>(60s) : std::nullopt});
    }
};

} // namespace

TEST_CASE("without a word of the ramp everything is stable's") {
    Switched all;
    CHECK(all.releases.route("a").release() == Release::stable);
    CHECK(all.releases.unsettled().empty());
}

TEST_CASE("a key with work under way stays with its release while the weight changes") {
    Switched all;
    Lease first = all.releases.route("key");
    REQUIRE(first.release() == Release::stable);
    all.weigh(100);
    Lease second = all.releases.route("key");
    CHECK(second.release() == Release::stable);
    first.finished(1ms, 1, 1);
    Lease third = all.releases.route("key");
    CHECK(third.release() == Release::stable);
    second.finished(1ms, 1, 1);
    third.finished(1ms, 1, 1);
    Lease fourth = all.releases.route("key");
    CHECK(fourth.release() == Release::canary);
    all.weigh(0.01); // the key is not in this set, but its work goes on
    CHECK_FALSE(fourth.revoked());
    CHECK(all.releases.route("key").release() == Release::canary);
}

TEST_CASE("a rollback revokes what the canary holds and tells its system") {
    Switched all;
    int told = 0;
    auto listening = all.releases.on_withdrawn([&told] { ++told; });
    all.weigh(100);
    Lease held = all.releases.route("key");
    REQUIRE(held.release() == Release::canary);
    CHECK(all.releases.unsettled() == "the canary has weight");
    all.weigh(0);
    CHECK(told == 1);
    CHECK(held.revoked());
    CHECK(all.releases.canary_in_flight() == 1);
    CHECK(all.releases.unsettled() == "1 requests of the canary are under way");
    Lease next = all.releases.route("key");
    CHECK(next.release() == Release::stable); // at once, though the canary still holds the key
    held.move_to_stable();
    CHECK(all.releases.canary_in_flight() == 0);
    CHECK(all.releases.unsettled().empty());
    CHECK_FALSE(held.revoked());
    held.finished(1ms, 10, 1);
    const auto report = all.releases.report();
    CHECK(report.total[0].requests + report.total[1].requests == 0); // neither can be judged by it
    all.weigh(0);
    CHECK(told == 1);
    listening.reset();
    all.weigh(10);
    all.weigh(0);
    CHECK(told == 1);
}

TEST_CASE("a lease of before a rollback stays revoked when the weight rises again") {
    Switched all;
    all.weigh(100);
    Lease held = all.releases.route("key");
    all.weigh(0);
    all.weigh(100);
    CHECK(held.revoked());
    CHECK(all.releases.route("key").release() == Release::stable); // until what is under way ended
    held = Lease();
    CHECK(all.releases.route("key").release() == Release::canary);
}

TEST_CASE("a stable that was forced stays until a new directive") {
    Switched all;
    all.weigh(50, true);
    all.releases.force_stable("crash loop");
    all.weigh(50);
    CHECK(all.releases.canary_percent() == 0);
    CHECK(all.releases.report().forced == "crash loop");
    all.weigh(25, true);
    CHECK(all.releases.canary_percent() == 25);
    CHECK(all.releases.report().forced.empty());
}

TEST_CASE("the counts start anew with a new window and only then") {
    Switched all;
    all.weigh(100, true);
    all.releases.route("a").finished(5ms, 7, 3);
    all.releases.route("b").failed();
    { const Lease nobody_counts = all.releases.route("c"); }
    CHECK(all.releases.report().total[1].requests == 2);
    CHECK(all.releases.report().total[1].errors == 1);
    all.weigh(50);
    CHECK(all.releases.report().total[1].requests == 2);
    all.weigh(50, true);
    CHECK(all.releases.report().total[1].requests == 0);
    CHECK(all.releases.report().recent[1].requests == 0);
}

TEST_CASE("a pinned system has no canary for the ramp") {
    Switched stable(Pin::stable);
    stable.weigh(100);
    CHECK(stable.releases.route("a").release() == Release::stable);
    CHECK(stable.releases.report().canary.empty());
    Switched canary(Pin::canary);
    CHECK(canary.releases.route("a").release() == Release::canary);
    CHECK(canary.releases.report().stable == "better-1");
    CHECK(canary.releases.report().canary.empty());
    canary.releases.obey({0, false, true, std::nullopt});
    CHECK(canary.releases.route("b").release() == Release::stable);
}

TEST_CASE("the canary is on trial while it serves, until a plan has promoted it") {
    Switched all;
    CHECK_FALSE(all.releases.on_trial());
    all.weigh(10);
    CHECK(all.releases.on_trial());
    all.weigh(100);
    CHECK(all.releases.on_trial());
    all.releases.obey({.canary_percent = 100, .shadow = true});
    CHECK_FALSE(all.releases.on_trial()); // stable serves, and proves itself
    all.releases.obey({.canary_percent = 100, .promoted = true});
    CHECK_FALSE(all.releases.on_trial());
    all.releases.force_stable("crash loop");
    CHECK_FALSE(all.releases.on_trial());
    CHECK(Switched(Pin::canary).releases.on_trial());
}

TEST_CASE("stable that is not ready is not settled") {
    Switched all;
    all.releases.check_stable_with([] { return std::string("no stream to site-b"); });
    CHECK(all.releases.unsettled() == "no stream to site-b");
}

TEST_CASE("shadows are counted apart") {
    Switched all;
    all.releases.obey({100, true, false, 60s});
    Lease lease = all.releases.route("a");
    CHECK(lease.shadowed());
    all.releases.shadow_finished(3ms, 10, 4);
    all.releases.shadow_failed();
    lease.finished(1ms, 10, 4);
    const auto report = all.releases.report();
    CHECK(report.total[0].requests == 1);
    CHECK(report.total[1].requests == 0);
    CHECK(report.shadow.requests == 2);
    CHECK(report.shadow.errors == 1);
}

TEST_CASE("a shadow stage mirrors its share and lets the canary answer nobody") {
    Switched all;
    all.releases.obey({25, true, false, std::nullopt});
    CHECK(all.releases.canary_percent() == 0);
    CHECK(all.releases.unsettled().empty());
    int shadowed = 0;
    for (int i = 0; i < 4000; ++i) {
        const Lease lease = all.releases.route("key " + std::to_string(i));
        REQUIRE(lease.release() == Release::stable);
        REQUIRE(lease.shadowed() == (bucket_of("manager", "key " + std::to_string(i)) < kBuckets / 4));
        shadowed += lease.shadowed() ? 1 : 0;
    }
    CHECK(shadowed > 0);
    all.releases.obey({25, false, false, std::nullopt}); // and what was mirrored may answer
    CHECK(all.releases.canary_percent() == 25);
}
