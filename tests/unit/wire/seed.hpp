// The seed of a randomised test: DWCP_SEED if set, else from the system; printed so that a failure can be
// replayed.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>

namespace dwcp::test {

inline std::uint64_t seed() {
    static const std::uint64_t value = [] {
        const char* given = std::getenv("DWCP_SEED");
        const std::uint64_t chosen =
            given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
        std::cout << "DWCP_SEED=" << chosen << "\n";
        return chosen;
    }();
    return value;
}

} // namespace dwcp::test
