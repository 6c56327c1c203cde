// Expansion of a VRF output into a sample. The vectors were computed by a second implementation.
#include "protocols/base/random.hpp"
#include "protocols/crypto/sampling.hpp"
#include "tests/unit/crypto/hex.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace dwcp::crypto {
namespace {

using Members = std::vector<std::uint16_t>;

// Output of example 16 of RFC 9381.
constexpr const char* kExample =
    "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af026798e8f"
    "81cd2e333de5cdf4f3e140fdd8ae";

Bytes seed_of(std::uint64_t number) {
    Random random(number);
    Bytes seed(64);
    for (Byte& byte : seed)
        byte = static_cast<Byte>(random.next());
    return seed;
}

} // namespace

TEST_CASE("the committed vectors of samples are met") {
    const Bytes example = test::bytes_of(kExample);
    CHECK(expand_sample(example, 7, 5) == Members{1, 3, 4, 5, 6});
    CHECK(expand_sample(example, 100, 34) == Members{2,  3,  4,  6,  11, 12, 14, 16, 18, 19, 20, 25,
                                                     27, 29, 30, 31, 40, 43, 46, 47, 48, 49, 50, 54,
                                                     61, 65, 73, 74, 76, 79, 84, 86, 88, 93});
    // 40 of 40000: more than one block of the stream, and every third draw refused.
    CHECK(expand_sample(example, 40000, 40) ==
          Members{1216,  1779,  8811,  9261,  10618, 12279, 12853, 14742, 15106, 15983,
                  16250, 16786, 18432, 19867, 22081, 22344, 23070, 24942, 25264, 25303,
                  25400, 25425, 25846, 27766, 28346, 30648, 32443, 33931, 34715, 35033,
                  35090, 35537, 35889, 36908, 38237, 38520, 38850, 39219, 39388, 39548});
    Bytes ascending(64);
    std::iota(ascending.begin(), ascending.end(), Byte{0});
    CHECK(expand_sample(ascending, 65536, 4) == Members{4169, 4926, 23673, 46426});
}

TEST_CASE("a sample has distinct members in ascending order within bounds") {
    for (std::size_t n = 0; n <= 64; ++n) {
        for (std::size_t s = 0; s <= n; ++s) {
            const Members sample = expand_sample(seed_of(n * 100 + s), n, s);
            REQUIRE(sample.size() == s);
            REQUIRE(std::is_sorted(sample.begin(), sample.end()));
            REQUIRE(std::adjacent_find(sample.begin(), sample.end()) == sample.end());
            REQUIRE((sample.empty() || sample.back() < n));
        }
    }
}

TEST_CASE("a sample of none is empty and one of all or more is everybody") {
    const Bytes seed = seed_of(1);
    CHECK(expand_sample(seed, 7, 0).empty());
    CHECK(expand_sample(seed, 0, 0).empty());
    CHECK(expand_sample(seed, 0, 5).empty());
    CHECK(expand_sample(seed, 7, 7) == Members{0, 1, 2, 3, 4, 5, 6});
    CHECK(expand_sample(seed, 7, 8) == Members{0, 1, 2, 3, 4, 5, 6});
    CHECK(expand_sample(seed, kSampledFromMax, kSampledFromMax).size() == kSampledFromMax);
    CHECK(expand_sample(seed, kSampledFromMax + 1, 5).empty());
}

TEST_CASE("another seed gives another sample") {
    const Members one = expand_sample(seed_of(1), 1000, 100);
    CHECK(one == expand_sample(seed_of(1), 1000, 100));
    CHECK(one != expand_sample(seed_of(2), 1000, 100));
}

TEST_CASE("every member is drawn equally often and independently of its neighbour") {
    // Chi-square over fixed seeds, so that the verdict is the same at each run.
    constexpr std::size_t kMembers = 50;
    constexpr std::size_t kSample = 26;
    constexpr int kDraws = 20000;
    std::vector<double> drawn(kMembers);
    std::vector<double> together(kMembers);
    for (int draw = 0; draw < kDraws; ++draw) {
        const Members sample = expand_sample(seed_of(static_cast<std::uint64_t>(draw)), kMembers, kSample);
        std::vector<bool> in(kMembers);
        for (const std::uint16_t member : sample)
            in[member] = true;
        for (std::size_t i = 0; i < kMembers; ++i) {
            drawn[i] += in[i] ? 1 : 0;
            together[i] += in[i] && in[(i + 1) % kMembers] ? 1 : 0;
        }
    }
    const double share = double(kSample) / kMembers;
    double chi_square = 0;
    for (const double count : drawn) {
        const double off = count - kDraws * share;
        // Counts of a draw without replacement vary less than a multinomial: scale to chi-square of 49
        // degrees.
        chi_square += off * off / (kDraws * share * (1 - share)) * (kMembers - 1) / kMembers;
    }
    CHECK(chi_square < 85.4); // 99.9th percentile
    CHECK(chi_square > 23.9); // 0.1th percentile: more even than chance would be as wrong
    const double both = share * (kSample - 1) / (kMembers - 1);
    for (const double count : together)
        CHECK(std::abs(count - kDraws * both) < 4.5 * std::sqrt(kDraws * both * (1 - both)));
}

TEST_CASE("the refused draws leave no bias towards low members") {
    // Modulo alone would draw a member below 25536 of 40000 twice as often as one above.
    std::size_t low = 0;
    std::size_t all = 0;
    for (std::uint64_t draw = 0; draw < 2000; ++draw) {
        for (const std::uint16_t member : expand_sample(seed_of(draw), 40000, 10)) {
            low += member < 25536 ? 1 : 0;
            ++all;
        }
    }
    const double share = 25536.0 / 40000;
    const double spread = std::sqrt(static_cast<double>(all) * share * (1 - share));
    CHECK(std::abs(static_cast<double>(low) - static_cast<double>(all) * share) < 4 * spread);
}

} // namespace dwcp::crypto
