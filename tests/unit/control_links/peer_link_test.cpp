#include "runtime/links/control/peer_link.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <vector>

using namespace dwcp;
using namespace dwcp::links;
using namespace std::chrono_literals;

namespace {

using State = PeerLink::State;
using Step = PeerLink::Step;
using Change = PeerLink::Change;

const PeerLink::Settings kDials{
    .dials = true, .reconnect_min = 50ms, .reconnect_max = 2000ms, .ping_after = 500ms};
const PeerLink::Settings kAccepts{
    .dials = false, .reconnect_min = 50ms, .reconnect_max = 2000ms, .ping_after = 500ms};

/// A link of the dialling end that has just come up.
PeerLink up_at(TimePoint now) {
    PeerLink link(kDials, 1);
    link.start(now);
    link.wake(now);
    link.probed(1);
    link.connected(1);
    REQUIRE(link.greeted(1, now).change == Change::up);
    return link;
}

} // namespace

TEST_CASE("a dialling link probes, connects, greets and is up") {
    const TimePoint now{1h};
    PeerLink link(kDials, 1);
    CHECK(link.start(now).wake_at == now);
    CHECK(link.wake(now).step == Step::probe);
    CHECK(link.probed(link.attempt()).step == Step::connect);
    CHECK(link.connected(link.attempt()).step == Step::greet);
    const auto effects = link.greeted(link.attempt(), now);
    CHECK(effects.change == Change::up);
    CHECK(effects.step == Step::ping);
    CHECK(effects.wake_at == now + 500ms);
    CHECK(link.problem().empty());
}

TEST_CASE("an accepting link only waits, and is up as soon as a greeting is complete") {
    const TimePoint now{1h};
    PeerLink link(kAccepts, 1);
    CHECK(!link.start(now).wake_at);
    CHECK(link.wake(now).step == Step::none);
    CHECK(link.accepted(now).change == Change::up);
    const auto effects = link.failed(link.attempt(), "gone", now);
    CHECK(effects.change == Change::down);
    CHECK(!effects.wake_at);
}

TEST_CASE("a result of an earlier attempt changes nothing") {
    const TimePoint now{1h};
    PeerLink link(kDials, 1);
    link.start(now);
    link.wake(now);
    const auto first = link.attempt();
    const auto retry = link.failed(first, "no answer", now);
    link.wake(*retry.wake_at);
    REQUIRE(link.attempt() == first + 1);
    CHECK(link.probed(first).step == Step::none);
    CHECK(link.state() == State::probing);
    CHECK(!link.failed(first, "again", now).wake_at);
    CHECK(link.state() == State::probing);
    link.refused(first, "late", now);
    CHECK(link.state() == State::probing);
}

TEST_CASE("a wake before its time does nothing, and a doubled wake does it once") {
    const TimePoint now{1h};
    PeerLink link(kDials, 1);
    link.start(now);
    CHECK(link.wake(now - 1ms).step == Step::none);
    CHECK(link.wake(now).step == Step::probe);
    CHECK(link.wake(now).step == Step::none);
}

TEST_CASE("a refusal is told once for each reason, and retried after the longest pause only") {
    TimePoint now{1h};
    PeerLink link(kDials, 7);
    link.start(now);
    link.wake(now);
    auto effects = link.refused(link.attempt(), "another cluster", now);
    CHECK(effects.change == Change::refused);
    for (int round = 0; round < 20; ++round) {
        INFO("round " << round);
        CHECK(*effects.wake_at - now >= 1000ms);
        CHECK(*effects.wake_at - now <= 2000ms);
        now = *effects.wake_at;
        REQUIRE(link.wake(now).step == Step::probe);
        effects = link.refused(link.attempt(), "another cluster", now);
        CHECK(effects.change == Change::none);
    }
    link.wake(*effects.wake_at);
    CHECK(link.refused(link.attempt(), "another key", now).change == Change::refused);
}

TEST_CASE("an idle link is pinged, a busy one is not, and one ping is out at a time") {
    TimePoint now{1h};
    auto link = up_at(now); // which sends the first one
    link.heard(now);
    now += 500ms;
    CHECK(link.wake(now).step == Step::ping);
    now += 500ms;
    CHECK(link.wake(now).step == Step::none);
    link.heard(now);
    now += 499ms;
    link.heard(now);
    now += 1ms;
    CHECK(link.wake(now).step == Step::none);
    now += 500ms;
    CHECK(link.wake(now).step == Step::ping);
}

TEST_CASE("pauses double up to the maximum and start over after a link has been up for long") {
    TimePoint now{1h};
    auto link = up_at(now);
    Duration longest{};
    for (int failure = 0; failure < 12; ++failure) {
        const auto retry = link.failed(link.attempt(), "no answer", now);
        REQUIRE(retry.wake_at);
        longest = *retry.wake_at - now;
        now = *retry.wake_at;
        link.wake(now);
    }
    CHECK(longest >= 1000ms);
    link.probed(link.attempt());
    link.connected(link.attempt());
    link.greeted(link.attempt(), now);
    SECTION("a link that falls at once is not retried at full speed") {
        CHECK(*link.failed(link.attempt(), "gone", now).wake_at - now >= 1000ms);
    }
    SECTION("a link that was up for long is") {
        now += 2000ms;
        CHECK(*link.failed(link.attempt(), "gone", now).wake_at - now == 50ms);
    }
}

TEST_CASE("after any interleaving a dialling link is up, has an attempt under way, or will wake") {
    Random random(test::seed());
    for (int run = 0; run < 200; ++run) {
        TimePoint now{1h};
        PeerLink link(kDials, random.next());
        std::vector<TimePoint> wakes{*link.start(now).wake_at};
        bool was_up = false;
        for (int step = 0; step < 200; ++step) {
            // Now and then an event of an earlier attempt, which must change nothing.
            const auto attempt = link.attempt() - (random.below(5) == 0 ? 1 : 0);
            PeerLink::Effects effects;
            switch (random.below(7)) {
            case 0:
                effects = link.probed(attempt);
                break;
            case 1:
                effects = link.connected(attempt);
                break;
            case 2:
                effects = link.greeted(attempt, now);
                break;
            case 3:
                effects = link.failed(attempt, "f", now);
                break;
            case 4:
                effects = link.refused(attempt, "r", now);
                break;
            case 5:
                link.heard(now);
                break;
            default:
                now += Duration(random.below(700'000'000));
                std::erase_if(wakes, [&](TimePoint at) {
                    if (at > now) return false;
                    const auto woken = link.wake(now);
                    if (woken.wake_at) effects.wake_at = woken.wake_at;
                    return true;
                });
            }
            if (effects.wake_at) {
                wakes.push_back(*effects.wake_at);
                CHECK(*effects.wake_at - now >= 50ms);
                CHECK(*effects.wake_at - now <= 2000ms);
            }
            // Up and down are told in turn.
            if (effects.change == Change::up) {
                REQUIRE(!was_up);
                was_up = true;
            }
            if (effects.change == Change::down) {
                REQUIRE(was_up);
                was_up = false;
            }
            REQUIRE(was_up == link.up());
            if (link.state() == State::down || link.up()) REQUIRE(!wakes.empty());
        }
    }
}
