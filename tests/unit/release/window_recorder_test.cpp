#include "runtime/release/window_recorder.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::release;
using namespace std::chrono_literals;

namespace {
const TimePoint kStart{1h};
} // namespace

TEST_CASE("a window holds what ended in it, and errors have no latency") {
    WindowRecorder window;
    window.reset(kStart, 60s);
    window.finished(kStart + 1s, 20ms, 1000, 300);
    window.finished(kStart + 2s, 40ms, 2000, 500);
    window.failed(kStart + 3s);
    const auto total = window.total();
    CHECK(total.requests == 3);
    CHECK(total.errors == 1);
    CHECK(total.bytes == 3000);
    CHECK(total.cost_us == 800);
    CHECK(total.latency.count() == 2);
    CHECK(total.latency.quantile(1) == Approx(0.04).epsilon(0.011));
}

TEST_CASE("the recent part forgets what is older, the total does not") {
    WindowRecorder window;
    window.reset(kStart, 10s);
    for (int second = 0; second < 60; ++second)
        window.finished(kStart + second * 1s, 10ms, 1, 1);
    CHECK(window.total().requests == 60);
    const auto recent = window.recent(kStart + 59s).requests;
    CHECK(recent >= 10);
    CHECK(recent <= 11);
    CHECK(window.recent(kStart + 2h).requests == 0);
    CHECK(window.total().latency.count() == 60);
}

TEST_CASE("a new window knows nothing of the old one") {
    WindowRecorder window;
    window.reset(kStart, 10s);
    window.finished(kStart, 10ms, 1, 1);
    window.failed(kStart);
    window.reset(kStart + 1s, 10s);
    CHECK(window.total().requests == 0);
    CHECK(window.recent(kStart + 1s).errors == 0);
    window.failed(kStart + 2s);
    CHECK(window.total().requests == 1);
    CHECK(window.recent(kStart + 2s).errors == 1);
}
