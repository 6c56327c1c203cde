#include "runtime/base/deadlines.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <vector>

using namespace dwcp;
using namespace std::chrono_literals;

TEST_CASE("what is due first runs first, also if it was asked for later") {
    std::vector<int> order;
    std::promise<void> done;
    {
        Deadlines deadlines;
        deadlines.after(40ms, [&] {
            order.push_back(2);
            done.set_value();
        });
        deadlines.after(1ms, [&] { order.push_back(1); });
        REQUIRE(done.get_future().wait_for(10s) == std::future_status::ready);
    }
    CHECK(order == std::vector<int>{1, 2});
}

TEST_CASE("what is cancelled never runs, and what has run cannot be cancelled") {
    std::promise<void> done;
    std::atomic<bool> wrong{false};
    Deadlines deadlines;
    const auto cancelled = deadlines.after(20ms, [&] { wrong = true; });
    CHECK(deadlines.cancel(cancelled));
    CHECK_FALSE(deadlines.cancel(cancelled));
    const auto run = deadlines.after(30ms, [&] { done.set_value(); });
    REQUIRE(done.get_future().wait_for(10s) == std::future_status::ready);
    CHECK_FALSE(deadlines.cancel(run));
    CHECK_FALSE(wrong);
}

TEST_CASE("an action may ask for the next one, and the end does not wait for what is not due") {
    std::promise<void> done;
    Deadlines deadlines;
    deadlines.after(1h, [] {});
    deadlines.after(0ms, [&] { deadlines.after(0ms, [&] { done.set_value(); }); });
    REQUIRE(done.get_future().wait_for(10s) == std::future_status::ready);
}
