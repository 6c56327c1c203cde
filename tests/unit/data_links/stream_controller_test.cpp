#include "runtime/links/data/stream_controller.hpp"

#include <catch2/catch.hpp>

#include <functional>

using namespace dwcp;
using namespace dwcp::links;
using namespace std::chrono_literals;

namespace {

/// A link whose delivered rate depends on the number of streams, sampled every half second.
struct World {
    explicit World(StreamLimits limits_in, bool bbr = false, double loss = 0) : limits(limits_in) {
        sample.bbr = bbr;
        sample.loss_ratio = loss;
        sample.backlog = true;
        state = start_streams(limits, now);
    }

    void run(std::chrono::seconds time, const std::function<double(std::uint32_t)>& rate) {
        for (auto end = now + time; now < end; now += 500ms) {
            sample.streams = state.wanted; // dialling takes no time here
            sample.rate_bps = rate(sample.streams);
            state = on_sample(std::move(state), limits, sample, now);
            REQUIRE(state.wanted >= limits.min);
            REQUIRE(state.wanted <= limits.max);
            changes += state.wanted != last ? 1 : 0;
            last = state.wanted;
        }
    }

    StreamLimits limits;
    LinkSample sample;
    StreamState state;
    TimePoint now{1h};
    std::uint32_t last = 0;
    int changes = 0;
};

double linear(std::uint32_t streams) { return 10e6 * streams; }
double flat(std::uint32_t) { return 90e6; }
/// Each stream is worth 20 Mbit/s until the link is full at 90.
double capped(std::uint32_t streams) { return std::min(90e6, 20e6 * streams); }

} // namespace

TEST_CASE("where every stream adds as much as the first, all are used") {
    World world({1, 8});
    world.run(60s, linear);
    CHECK(world.state.wanted >= 7); // one less is tried now and then
}

TEST_CASE("where one stream fills the link, there stays one") {
    World world({1, 8});
    world.run(300s, flat);
    CHECK(world.state.wanted == 1);
    CHECK(world.state.failures > 0);
}

TEST_CASE("growth ends where the link is full") {
    World world({1, 8});
    world.run(120s, capped);
    CHECK(world.state.wanted >= 4);
    CHECK(world.state.wanted <= 6);
}

TEST_CASE("failed trials become rare") {
    World world({1, 8});
    world.run(100s, flat);
    const int early = world.changes;
    world.run(100s, flat);
    CHECK(world.changes - early < early);
}

TEST_CASE("cubic under loss doubles its streams, bbr takes one at a time") {
    World cubic({1, 16}, false, 0.005);
    cubic.run(15s, linear);
    World bbr({1, 16}, true, 0.005);
    bbr.run(15s, linear);
    CHECK(cubic.state.wanted == 16);
    CHECK(bbr.state.wanted < 8);
}

TEST_CASE("with bbr a failed trial is repeated later than with cubic") {
    World cubic({1, 8});
    cubic.run(30s, flat);
    World bbr({1, 8}, true);
    bbr.run(30s, flat);
    CHECK(bbr.changes < cubic.changes);
}

TEST_CASE("streams that have stopped being worth anything go one by one") {
    World world({1, 8});
    world.run(60s, linear);
    REQUIRE(world.state.wanted >= 7);
    world.run(900s, flat);
    CHECK(world.state.wanted <= 2);
}

TEST_CASE("a peer without work goes back to the minimum, but not at once") {
    World world({2, 8});
    world.run(60s, linear);
    const std::uint32_t busy = world.state.wanted;
    REQUIRE(busy > 2);
    world.sample.backlog = false;
    world.run(10s, linear);
    CHECK(world.state.wanted > 2);
    world.run(20s, linear);
    CHECK(world.state.wanted == 2);
    CHECK(world.state.reason == "idle");
}

TEST_CASE("without a backlog nothing is tried") {
    World world({1, 8});
    world.sample.backlog = false;
    world.run(60s, linear);
    CHECK(world.state.wanted == 1);
    CHECK(world.changes == 1); // from nothing to one
}

TEST_CASE("nothing is judged while streams are missing") {
    const StreamLimits limits{1, 8};
    StreamState state = start_streams(limits, TimePoint(1h));
    LinkSample sample{.streams = 0, .backlog = true, .rate_bps = 1e6};
    for (int i = 0; i < 100; ++i)
        state = on_sample(std::move(state), limits, sample, TimePoint(1h + i * 500ms));
    CHECK(state.wanted == 1);
}

TEST_CASE("a fixed number of streams stays as it is") {
    World world({4, 4});
    world.run(300s, capped);
    CHECK(world.state.wanted == 4);
    CHECK(world.changes == 1);
}
