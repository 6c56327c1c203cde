// A clock that a test moves by hand.
#pragma once

#include "runtime/release/release_switch.hpp"

#include <memory>

namespace dwcp::release {

struct TestClock {
    std::shared_ptr<TimePoint> now = std::make_shared<TimePoint>(std::chrono::hours(1));

    void advance(Duration by) const { *now += by; }
    Clocks clocks() const {
        return {[now = now] { return *now; }, [] { return UnixMillis{1'700'000'000'000}; }};
    }
};

inline ReleaseNames names_of(const std::string& system) {
    return {system, "plain-1", "better-1", "microseconds"};
}

} // namespace dwcp::release
