#include "protocols/base/random.hpp"

#include <catch2/catch.hpp>

#include <array>

namespace dwcp {

TEST_CASE("the generator gives the published numbers of SplitMix64") {
    // From the reference implementation (prng.di.unimi.it/splitmix64.c) with seed 1234567.
    Random random(1234567);
    CHECK(random.next() == 6457827717110365317ULL);
    CHECK(random.next() == 3203168211198807973ULL);
    CHECK(random.next() == 9817491932198370423ULL);
    CHECK(random.next() == 4593380528125082431ULL);
    CHECK(random.next() == 16408922859458223821ULL);
}

TEST_CASE("numbers stay below their bound and reach all of it") {
    Random random(1);
    std::array<int, 7> seen{};
    for (int i = 0; i < 7000; ++i)
        ++seen.at(random.below(7));
    for (int count : seen)
        CHECK(count > 800);
    CHECK(random.below(1) == 0);
}

TEST_CASE("unit numbers stay in [0, 1) and are spread evenly") {
    Random random(2);
    double sum = 0;
    for (int i = 0; i < 10000; ++i) {
        const double value = random.unit();
        REQUIRE(value >= 0.0);
        REQUIRE(value < 1.0);
        sum += value;
    }
    CHECK(sum / 10000 == Approx(0.5).margin(0.02));
}

} // namespace dwcp
