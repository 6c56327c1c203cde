#include "protocols/breaker/breaker.hpp"

#include <catch2/catch.hpp>

#include <limits>
#include <vector>

using namespace dwcp;
using namespace dwcp::breaker;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart{1h};

/// Trips by failures in a row alone.
BreakerOptions plain() {
    BreakerOptions options;
    options.calls_min = 1000;
    return options;
}

struct Rig {
    explicit Rig(const BreakerOptions& options) : breaker(options) {}

    /// One whole call; nothing if it was refused.
    std::optional<Transition> call(Outcome outcome, Duration took = 0ns) {
        const auto admitted = breaker.admit(now);
        if (!admitted.permit) return std::nullopt;
        auto transition = breaker.report(*admitted.permit, outcome, took, now, "no answer");
        return transition ? transition : admitted.transition;
    }
    void calls(int count, Outcome outcome, Duration took = 0ns) {
        for (int i = 0; i < count; ++i)
            call(outcome, took);
    }
    void trip() {
        calls(5, Outcome::failure);
        REQUIRE(breaker.state() == State::open);
    }
    bool refused() { return !breaker.admit(now).permit; }

    Breaker breaker;
    TimePoint now = kStart;
};

} // namespace

TEST_CASE("states are encoded in one way: 0 closed, 1 half-open, 2 open") {
    CHECK(static_cast<int>(State::closed) == 0);
    CHECK(static_cast<int>(State::half_open) == 1);
    CHECK(static_cast<int>(State::open) == 2);
    CHECK(to_string(State::half_open) == "half_open");
}

TEST_CASE("five failures in a row trip it, and it says why and when it will probe") {
    Rig rig(plain());
    rig.calls(4, Outcome::failure);
    CHECK(rig.breaker.state() == State::closed);
    const auto tripped = rig.call(Outcome::failure);
    REQUIRE(tripped);
    CHECK(tripped->from == State::closed);
    CHECK(tripped->to == State::open);
    CHECK(tripped->reason == "5 calls in a row failed; the last: no answer");
    CHECK(rig.breaker.trips() == 1);
    rig.now += 10s;
    const auto refused = rig.breaker.admit(rig.now);
    CHECK_FALSE(refused.permit);
    CHECK(refused.retry_after == Duration(20s));
    CHECK(rig.breaker.reason() == tripped->reason);
}

TEST_CASE("a success in between starts the count of failures over") {
    Rig rig(plain());
    for (int round = 0; round < 10; ++round) {
        rig.calls(4, Outcome::failure);
        rig.call(Outcome::success);
    }
    CHECK(rig.breaker.state() == State::closed);
}

TEST_CASE("callers' own mistakes and cancelled calls count as neither") {
    Rig rig(plain());
    rig.calls(4, Outcome::failure);
    rig.calls(100, Outcome::ignored); // neither trips it nor starts the count over
    CHECK(rig.breaker.state() == State::closed);
    CHECK(rig.breaker.counts(rig.now).calls == 4);
    CHECK(rig.call(Outcome::failure));
    rig.now += 30s;
    rig.calls(10, Outcome::ignored); // as probes they neither open nor close it, and free their places
    CHECK(rig.breaker.state() == State::half_open);
    CHECK(rig.breaker.probes(rig.now) == 0);
}

TEST_CASE("errors are sorted into failures, answers that work, and mistakes of the caller") {
    CHECK(outcome_of(Errc::unavailable) == Outcome::failure);
    CHECK(outcome_of(Errc::deadline_exceeded) == Outcome::failure);
    CHECK(outcome_of(Errc::corrupted) == Outcome::failure);
    CHECK(outcome_of(Errc::io_error) == Outcome::failure);
    CHECK(outcome_of(Errc::internal) == Outcome::failure);
    CHECK(outcome_of(Errc::not_found) == Outcome::success);
    CHECK(outcome_of(Errc::precondition_failed) == Outcome::success);
    CHECK(outcome_of(Errc::condition_failed) == Outcome::success);
    CHECK(outcome_of(Errc::already_exists) == Outcome::success);
    for (const auto code : {Errc::invalid_argument, Errc::unauthenticated, Errc::permission_denied,
                            Errc::resource_exhausted, Errc::too_large, Errc::cancelled, Errc::unimplemented})
        CHECK(outcome_of(code) == Outcome::ignored);
}

TEST_CASE("half-open lets only as many through at a time as it has probes") {
    auto options = plain();
    options.probes_max = 3;
    options.successes_to_close = 4;
    Rig rig(options);
    rig.trip();
    rig.now += 30s;
    std::vector<Permit> permits;
    for (int i = 0; i < 3; ++i) {
        const auto admitted = rig.breaker.admit(rig.now);
        REQUIRE(admitted.permit);
        CHECK(admitted.transition.has_value() == (i == 0));
        permits.push_back(*admitted.permit);
    }
    CHECK(rig.refused());
    CHECK_FALSE(rig.breaker.report(permits[0], Outcome::success, 0ns, rig.now));
    const auto again = rig.breaker.admit(rig.now);
    REQUIRE(again.permit);
    CHECK(rig.refused());
    CHECK_FALSE(rig.breaker.report(permits[1], Outcome::success, 0ns, rig.now));
    CHECK_FALSE(rig.breaker.report(permits[2], Outcome::success, 0ns, rig.now));
    const auto closed = rig.breaker.report(*again.permit, Outcome::success, 0ns, rig.now);
    REQUIRE(closed);
    CHECK(closed->from == State::half_open);
    CHECK(closed->to == State::closed);
}

TEST_CASE("two successes close it, one does not") {
    Rig rig(plain());
    rig.trip();
    rig.now += 30s;
    rig.call(Outcome::success);
    CHECK(rig.breaker.state() == State::half_open);
    rig.call(Outcome::success);
    CHECK(rig.breaker.state() == State::closed);
}

TEST_CASE("a failed probe opens it for the whole time again, and is no new trip") {
    Rig rig(plain());
    rig.trip();
    rig.now += 30s;
    rig.call(Outcome::success);
    const auto opened = rig.call(Outcome::failure);
    REQUIRE(opened);
    CHECK(opened->from == State::half_open);
    CHECK(opened->to == State::open);
    CHECK(rig.breaker.opens_in(rig.now) == Duration(30s));
    CHECK(rig.breaker.trips() == 1);
}

TEST_CASE("a probe that never reports frees its place after its time") {
    auto options = plain();
    options.probes_max = 1;
    options.probe_timeout = 7s;
    Rig rig(options);
    rig.trip();
    rig.now += 30s;
    const auto lost = rig.breaker.admit(rig.now);
    REQUIRE(lost.permit);
    rig.now += 7s - 1ns;
    const auto refused = rig.breaker.admit(rig.now);
    CHECK_FALSE(refused.permit);
    CHECK(refused.retry_after == Duration(1ns));
    rig.now += 1ns;
    CHECK(rig.breaker.probes(rig.now) == 0);
    CHECK_FALSE(rig.refused());
}

TEST_CASE("reports of calls from before a change of state are dropped") {
    Rig rig(plain());
    const auto slow = rig.breaker.admit(rig.now);
    rig.trip();
    CHECK_FALSE(rig.breaker.report(*slow.permit, Outcome::failure, 20s, rig.now));
    rig.now += 30s;
    const auto probe = rig.breaker.admit(rig.now);
    REQUIRE(probe.permit);
    CHECK_FALSE(rig.breaker.report(*slow.permit, Outcome::failure, 50s, rig.now));
    CHECK(rig.breaker.state() == State::half_open); // an old failure is no failed probe
    CHECK_FALSE(rig.breaker.report(*slow.permit, Outcome::success, 50s, rig.now));
    rig.breaker.report(*probe.permit, Outcome::success, 0ns, rig.now);
    CHECK(rig.breaker.state() == State::half_open); // and an old success none that worked
}

TEST_CASE("the share of failures counts from the minimum of calls on, within the window only") {
    BreakerOptions options;
    options.failures_consecutive = 0;
    options.calls_min = 10;
    options.failure_pct = 50;
    options.window = 10s;
    Rig rig(options);
    rig.calls(9, Outcome::failure);
    CHECK(rig.breaker.state() == State::closed); // all of them failed, but they are too few
    rig.now += 10s;                              // forgotten
    CHECK(rig.breaker.counts(rig.now).calls == 0);
    rig.calls(6, Outcome::success);
    rig.now += 5s;
    rig.calls(5, Outcome::failure);
    CHECK(rig.breaker.state() == State::closed); // 5 of 11
    const auto tripped = rig.call(Outcome::failure);
    REQUIRE(tripped); // 6 of 12
    CHECK(tripped->reason == "6 of 12 calls (50 %) failed within 10 s; the last: no answer");
}

TEST_CASE("a share that has been reached trips at the next failure, never at a success") {
    BreakerOptions options;
    options.failures_consecutive = 0;
    options.calls_min = 4;
    Rig rig(options);
    rig.calls(3, Outcome::failure);
    CHECK_FALSE(rig.call(Outcome::success)); // 3 of 4, but it has just worked
    CHECK(rig.call(Outcome::failure));
}

TEST_CASE("slow calls trip it by their share, and a slow probe opens it again") {
    BreakerOptions options;
    options.calls_min = 4;
    options.slow_call = 100ms;
    options.slow_pct = 75;
    Rig rig(options);
    rig.call(Outcome::success, 100ms - 1ns);
    rig.calls(2, Outcome::success, 100ms);
    CHECK(rig.breaker.state() == State::closed);
    const auto tripped = rig.call(Outcome::success, 5s);
    REQUIRE(tripped);
    CHECK(tripped->reason == "3 of 4 calls (75 %) within 10 s took 0.1 s or more");
    rig.now += 30s;
    const auto opened = rig.call(Outcome::success, 1s);
    REQUIRE(opened);
    CHECK(opened->to == State::open);
    rig.now += 30s;
    rig.calls(2, Outcome::success);
    CHECK(rig.breaker.state() == State::closed);
}

TEST_CASE("slow calls mean nothing while their share is 0") {
    Rig rig(plain());
    rig.calls(5000, Outcome::success, 1h);
    CHECK(rig.breaker.state() == State::closed);
    CHECK(rig.breaker.counts(rig.now).slow == 0);
}

TEST_CASE("what was counted before a trip does not trip it once it has closed") {
    BreakerOptions options;
    options.calls_min = 4;
    options.open_for = 1ms; // shorter than the window
    Rig rig(options);
    rig.calls(4, Outcome::failure);
    REQUIRE(rig.breaker.state() == State::open);
    rig.now += 1ms;
    rig.calls(2, Outcome::success);
    REQUIRE(rig.breaker.state() == State::closed);
    rig.call(Outcome::failure);
    CHECK(rig.breaker.state() == State::closed);
}

TEST_CASE("a hint lets probes through at once, and a peer that still starts is tried soon again") {
    Rig rig(plain());
    rig.trip();
    const auto hinted = rig.breaker.hint(rig.now);
    REQUIRE(hinted);
    CHECK(hinted->to == State::half_open);
    rig.call(Outcome::failure); // it is not ready yet
    CHECK(rig.breaker.opens_in(rig.now) == Duration(30s) / kHintedOpenShare);
    Duration last = rig.breaker.opens_in(rig.now);
    for (int round = 0; round < 6; ++round) {
        rig.now += rig.breaker.opens_in(rig.now);
        rig.call(Outcome::failure);
        const Duration next = rig.breaker.opens_in(rig.now);
        CHECK(next == std::min(last * 2, Duration(30s)));
        last = next;
    }
    CHECK(last == Duration(30s));
    rig.now += 30s;
    rig.calls(2, Outcome::success);
    rig.call(Outcome::success); // the hint has come true: the next trip is a new story
    rig.trip();
    CHECK(rig.breaker.opens_in(rig.now) == Duration(30s));
}

TEST_CASE("a hint changes nothing about one that is closed or forced") {
    Rig rig(plain());
    CHECK_FALSE(rig.breaker.hint(rig.now));
    CHECK(rig.breaker.state() == State::closed);
    rig.breaker.force(Forced::open, "maintenance", rig.now);
    CHECK_FALSE(rig.breaker.hint(rig.now));
    CHECK(rig.refused());
}

TEST_CASE("forced open lets nothing through for as long as it takes, reset ends it") {
    Rig rig(plain());
    const auto forced = rig.breaker.force(Forced::open, "maintenance", rig.now);
    REQUIRE(forced);
    CHECK(forced->to == State::open);
    CHECK_FALSE(rig.breaker.force(Forced::open, "again", rig.now));
    rig.now += std::chrono::years(50);
    CHECK(rig.refused());
    CHECK(rig.breaker.effective() == State::open);
    CHECK(rig.breaker.reason() == "maintenance");
    CHECK(rig.breaker.trips() == 0);
    REQUIRE(rig.breaker.reset(rig.now));
    CHECK_FALSE(rig.refused());
    CHECK(rig.breaker.reason().empty());
}

TEST_CASE("forced closed lets everything through, whatever becomes of it") {
    Rig rig(plain());
    rig.trip();
    REQUIRE(rig.breaker.force(Forced::closed, "false alarm", rig.now));
    rig.calls(1000, Outcome::failure);
    CHECK_FALSE(rig.refused());
    CHECK(rig.breaker.effective() == State::closed);
    rig.breaker.reset(rig.now);
    rig.calls(4, Outcome::failure);
    CHECK(rig.breaker.state() == State::closed); // what failed while it was forced is not held against it
}

TEST_CASE("changed options hold from the next call on") {
    Rig rig(plain());
    rig.calls(3, Outcome::failure);
    auto options = plain();
    options.failures_consecutive = 4;
    options.open_for = 2s;
    rig.breaker.change_options(options);
    CHECK(rig.call(Outcome::failure));
    rig.now += 2s;
    CHECK_FALSE(rig.refused());
}

TEST_CASE("a clock that steps back makes nobody wait for longer than the open time from then") {
    Rig rig(plain());
    rig.trip();
    rig.now -= 30min;
    const auto refused = rig.breaker.admit(rig.now);
    CHECK_FALSE(refused.permit);
    CHECK(refused.retry_after == Duration(30s));
    rig.now += 30s;
    CHECK_FALSE(rig.refused());
}

TEST_CASE("a clock that jumps to its ends is harmless") {
    auto options = plain();
    options.probes_max = 1;
    Rig rig(options);
    for (const auto end : {TimePoint::max(), TimePoint::min(), TimePoint::max(), kStart}) {
        rig.now = end;
        rig.breaker.reset(rig.now);
        rig.trip();
        CHECK(rig.refused());
    }
    rig.now = TimePoint::max();
    CHECK_FALSE(rig.refused()); // the probe, which is then lost
    rig.now = TimePoint::min();
    CHECK(rig.refused());
    rig.now += rig.breaker.options().probe_timeout;
    CHECK_FALSE(rig.refused());
}
