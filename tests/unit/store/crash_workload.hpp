// What the killed process writes and the crash test expects: every number stands for one value or block.
#pragma once

#include "tests/unit/store/sample_blocks.hpp"

#include <array>
#include <string>

namespace dwcp::store::test {

/// Rounds and writers have number ranges of their own, so that nothing is written twice.
inline std::uint64_t first_number(std::uint64_t round, std::uint64_t writer) {
    return (round * 4 + writer) << 32;
}

inline std::string value_key(std::uint64_t number) { return "workload/" + std::to_string(number); }
inline std::string value_text(std::uint64_t number) { return "value of " + std::to_string(number); }

/// Always written together with one value.
constexpr std::array<const char*, 3> kBatchKeys{"a", "b", "c"};

} // namespace dwcp::store::test
