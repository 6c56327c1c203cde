// Which seeds a simulation test runs: 1, 2, 3, ..., as many as the test or DWCP_SEEDS says (for a long soak),
// or only DWCP_SEED, to replay one.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

namespace dwcp::sim {

/// For tests that take minutes where a sanitizer makes everything ten times as slow: a third of the seeds
/// there.
constexpr std::size_t fewer_if_sanitized(std::size_t count) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return (count + 2) / 3;
#else
    return count;
#endif
}

inline std::vector<std::uint64_t> seeds(std::size_t count) {
    if (const char* given = std::getenv("DWCP_SEED")) return {std::strtoull(given, nullptr, 0)};
    if (const char* given = std::getenv("DWCP_SEEDS")) count = std::strtoull(given, nullptr, 0);
    std::vector<std::uint64_t> all(count);
    std::iota(all.begin(), all.end(), 1);
    return all;
}

} // namespace dwcp::sim
