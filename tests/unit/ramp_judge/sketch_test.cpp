#include "protocols/base/random.hpp"
#include "protocols/ramp/measure.hpp"
#include "protocols/ramp/sketch.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace dwcp;
using namespace dwcp::ramp;

TEST_CASE("a quantile of a sketch is within one percent of the sample's") {
    Random random(test::seed());
    for (int run = 0; run < 20; ++run) {
        Sketch sketch;
        std::vector<double> values;
        const std::size_t n = 1 + random.below(5'000);
        for (std::size_t i = 0; i < n; ++i) {
            values.push_back(std::exp(random.unit() * 20 - 13));
            sketch.add(values.back());
        }
        std::ranges::sort(values);
        for (const double q : {0.01, 0.5, 0.9, 0.99, 1.0}) {
            const auto rank = static_cast<std::size_t>(std::ceil(q * double(n) * (1 - 1e-12)));
            const double exact = values[std::max<std::size_t>(rank, 1) - 1];
            INFO("q " << q << " of " << n);
            CHECK(std::abs(sketch.quantile(q) / exact - 1) <= Sketch::kRelativeError * 1.0001);
        }
    }
}

TEST_CASE("the ranks of a quantile are exact, whatever rounding does to q times n") {
    Sketch sketch;
    for (int i = 1; i <= 100; ++i)
        sketch.add(std::pow(1.1, i) * 1e-3);
    for (int percent = 1; percent <= 100; ++percent) {
        const double exact = std::pow(1.1, percent) * 1e-3;
        INFO(percent);
        CHECK(sketch.quantile(percent / 100.0) == Approx(exact).epsilon(0.0101));
    }
}

TEST_CASE("a merged sketch is the sketch of all values, and subtracting gives the rest back") {
    Sketch first, second, all;
    for (int i = 1; i < 400; ++i) {
        (i % 3 == 0 ? first : second).add(i * 1e-3);
        all.add(i * 1e-3);
    }
    Sketch merged = first;
    merged.merge(second);
    CHECK(merged == all);
    merged.subtract(first);
    CHECK(merged == second);
    merged.subtract(all); // more than there is
    CHECK(merged == Sketch{});
}

TEST_CASE("a sketch can be sent as its buckets") {
    Sketch sketch;
    sketch.add(0.02, 7);
    sketch.add(3);
    CHECK(Sketch::from_buckets(sketch.buckets()) == sketch);
}

TEST_CASE("values that no latency has count at the ends, and what is not a number at the upper one") {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    Sketch sketch;
    for (const double low : {0.0, -1.0, -kInfinity, 1e-9})
        sketch.add(low);
    CHECK(sketch.buckets() == std::map<std::int32_t, std::uint64_t>{{0, 4}});
    sketch.add(kInfinity);
    sketch.add(std::nan(""));
    CHECK(sketch.count() == 6);
    CHECK(sketch.buckets().at(Sketch::kBucketLast) == 2);
    CHECK(sketch.quantile(1) == Approx(Sketch::kHighest).epsilon(0.02));
}

TEST_CASE("hostile buckets neither overflow nor leave the range") {
    constexpr auto kMost = std::numeric_limits<std::uint64_t>::max();
    const Sketch sketch = Sketch::from_buckets({{std::numeric_limits<std::int32_t>::min(), kMost},
                                                {5, 0},
                                                {std::numeric_limits<std::int32_t>::max(), kMost}});
    CHECK(sketch.count() == kMost);
    CHECK(sketch.buckets() ==
          std::map<std::int32_t, std::uint64_t>{{0, kMost}, {Sketch::kBucketLast, kMost}});
    CHECK(sketch.quantile(0.5) <= Sketch::kHighest);
    Sketch twice = sketch;
    twice.merge(sketch);
    CHECK(twice.count() == kMost);
}

TEST_CASE("an empty sketch has no quantile") { CHECK(Sketch{}.quantile(0.99) == 0); }

TEST_CASE("facts of nodes add up; the busiest node and eight names of failing checks remain") {
    Facts all;
    for (int i = 0; i < 12; ++i) {
        Facts node;
        node.corruptions = 1;
        node.checks_failing = 1;
        node.failing = {"check-" + std::to_string(i / 2)};
        node.resource_use = i == 4 ? 0.9 : 0.2;
        all.add(node);
    }
    CHECK(all.corruptions == 12);
    CHECK(all.failing.size() == 6);
    CHECK(all.resource_use == 0.9);
    Facts more;
    more.failing = {"a", "b", "c", "d"};
    all.add(more);
    CHECK(all.failing.size() == kFailingNamesMax);
    more.resource_use = std::nan("");
    all.add(more);
    more.resource_use = 0.1;
    all.add(more);
    CHECK(std::isnan(all.resource_use));
}
