// Faults of canaries: whom they strike, how often, and that they end.
#include "runtime/chaos/canary_faults.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::chaos;
using namespace std::chrono_literals;

TEST_CASE("a canary's fault strikes its own system, and nobody once it is removed") {
    CanaryFaults faults(7);
    CHECK_FALSE(faults.strike("manager").error);
    const CanaryFault fault{.system = "manager", .percent = 100, .strike = {.error = true}};
    const auto id = faults.add(fault);
    CHECK(faults.strike("manager").error);
    CHECK_FALSE(faults.strike("manager").crash);
    CHECK_FALSE(faults.strike("selector").error);
    CHECK(*fault.hits == 2);
    faults.remove(id);
    CHECK_FALSE(faults.strike("manager").error);
    CHECK(*fault.hits == 2);
}

TEST_CASE("a canary's fault strikes its share of the attempts and counts each") {
    CanaryFaults faults(7);
    const CanaryFault fault{.system = "manager", .percent = 30, .strike = {.error = true}};
    faults.add(fault);
    std::uint64_t struck = 0;
    for (int i = 0; i < 10'000; ++i)
        struck += faults.strike("manager").error ? 1 : 0;
    CHECK(struck > 2'700);
    CHECK(struck < 3'300);
    CHECK(*fault.hits == struck);
}

TEST_CASE("several faults of a canary add up, and each ends by itself") {
    CanaryFaults faults(7);
    faults.add({.system = "manager", .percent = 100, .strike = {.latency = 10ms}});
    const auto second = faults.add({.system = "manager", .percent = 100, .strike = {.latency = 20ms}});
    faults.add({.system = "manager", .percent = 100, .strike = {.crash = true}});
    auto strike = faults.strike("manager");
    CHECK(strike.latency == 30ms);
    CHECK(strike.crash);
    faults.remove(second);
    strike = faults.strike("manager");
    CHECK(strike.latency == 10ms);
    CHECK(strike.crash);
}

TEST_CASE("corruption befalls blocks, not requests, and the other faults befall no blocks") {
    CanaryFaults faults(7);
    const auto corruption = faults.add({.system = "manager", .percent = 100, .strike = {.corruption = true}});
    CHECK(faults.corrupts("manager"));
    CHECK_FALSE(faults.corrupts("selector"));
    const auto strike = faults.strike("manager");
    CHECK_FALSE(strike.error);
    CHECK_FALSE(strike.corruption);
    faults.remove(corruption);
    faults.add({.system = "manager", .percent = 100, .strike = {.error = true}});
    CHECK_FALSE(faults.corrupts("manager"));
}
