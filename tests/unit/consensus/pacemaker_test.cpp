#include "protocols/consensus/pacemaker.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::consensus;

TimePoint at(int ms) { return TimePoint{} + milliseconds(ms); }

/// In a view since time 0, with a timeout of 100 ms that may grow to 450 ms.
Pacemaker entered() {
    Pacemaker pacemaker(milliseconds(100), milliseconds(450));
    pacemaker.enter(at(0));
    return pacemaker;
}

} // namespace

TEST_CASE("a view is suspected only while work waits in it") {
    Pacemaker pacemaker = entered();
    CHECK_FALSE(pacemaker.deadline());
    CHECK_FALSE(pacemaker.expired(at(100'000)));

    pacemaker.work(true, at(50));
    pacemaker.work(true, at(120)); // told again: the timer goes on
    CHECK(pacemaker.deadline() == at(150));
    CHECK_FALSE(pacemaker.expired(at(149)));
    CHECK(pacemaker.expired(at(150)));

    pacemaker.work(false, at(160));
    CHECK_FALSE(pacemaker.expired(at(100'000)));
}

TEST_CASE("progress begins the timer anew") {
    Pacemaker pacemaker = entered();
    pacemaker.work(true, at(0));
    pacemaker.progress(at(90));
    CHECK(pacemaker.deadline() == at(190));
}

TEST_CASE("an excuse begins the timer anew and leaves the timeout") {
    Pacemaker pacemaker = entered();
    pacemaker.leave();
    pacemaker.enter(at(0));
    pacemaker.work(true, at(0));
    pacemaker.excuse(at(10));
    CHECK(pacemaker.timeout() == milliseconds(200));
    CHECK(pacemaker.deadline() == at(210));
}

TEST_CASE("the timeout doubles with each failed view up to its maximum") {
    Pacemaker pacemaker = entered();
    pacemaker.leave();
    CHECK(pacemaker.timeout() == milliseconds(200));
    pacemaker.leave();
    pacemaker.leave();
    CHECK(pacemaker.timeout() == milliseconds(450));
    pacemaker.leave();
    CHECK(pacemaker.timeout() == milliseconds(450));
}

TEST_CASE("between views the timer stands until enough others have left too") {
    Pacemaker pacemaker = entered();
    pacemaker.work(true, at(0));
    pacemaker.leave();
    CHECK_FALSE(pacemaker.expired(at(100'000)));
    pacemaker.progress(at(500)); // of a view that is over
    CHECK_FALSE(pacemaker.deadline());

    pacemaker.expect(at(1000));
    pacemaker.expect(at(1100));
    CHECK(pacemaker.deadline() == at(1200));
    pacemaker.work(false, at(1110)); // the next leader owes a new view all the same
    CHECK(pacemaker.expired(at(1200)));
}

TEST_CASE("a new view has its whole time") {
    Pacemaker pacemaker = entered();
    pacemaker.work(true, at(0));
    pacemaker.leave();
    pacemaker.expect(at(100));
    pacemaker.enter(at(250));
    CHECK(pacemaker.deadline() == at(450));
}

TEST_CASE("quick progress halves the timeout back, slow progress does not") {
    Pacemaker pacemaker = entered();
    pacemaker.leave();
    pacemaker.leave(); // 400 ms
    pacemaker.enter(at(0));
    pacemaker.work(true, at(0));
    pacemaker.progress(at(100));
    CHECK(pacemaker.timeout() == milliseconds(400));
    pacemaker.progress(at(199));
    CHECK(pacemaker.timeout() == milliseconds(200));
    pacemaker.progress(at(200));
    pacemaker.progress(at(201));
    CHECK(pacemaker.timeout() == milliseconds(100));
}

TEST_CASE("a maximum below the timeout counts as the timeout") {
    Pacemaker pacemaker(milliseconds(100), milliseconds(10));
    pacemaker.leave();
    CHECK(pacemaker.timeout() == milliseconds(100));
}
