#include "tests/unit/consensus/epoch_end.hpp"
#include "tests/unit/probft/rig.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace dwcp;
using namespace dwcp::probft::test;
using std::chrono::seconds;

/// As many as drew themselves send nothing for it.
std::size_t self_draws(const Committees& rig, Kind kind, Height slot) {
    std::size_t count = 0;
    for (ReplicaId id = 0; id < rig.committee.n(); ++id)
        count += rig.draws(id, kind, 0, slot, id);
    return count;
}

} // namespace

TEST_CASE("committees whose samples are everybody decide, with (n - 1) + 2n(n - 1) messages a decision",
          "[probft]") {
    const std::size_t n = GENERATE(1, 4, 7, 10);
    Committees rig(n, {.samples = kEverybody});
    rig.start();
    rig.want(1);
    CHECK(rig.run(seconds(1), [&] { return rig.all_decided(1); }));
    rig.run(milliseconds(100));
    CHECK(rig.sent[Kind::propose] == n - 1);
    CHECK(rig.sent[Kind::prepare] == n * (n - 1));
    CHECK(rig.sent[Kind::commit] == n * (n - 1));
    CHECK(rig.all_sent() == (n - 1) + 2 * n * (n - 1));
    CHECK(rig.views_failed == 0);
    CHECK(rig.invalid == 0);
    CHECK(rig.evidence.empty());
}

TEST_CASE("the sizes of the samples are those of n = 7 by default: everybody, and a deterministic quorum",
          "[probft]") {
    Committees rig(7);
    const auto sizes = sample_sizes(rig.committee);
    CHECK(sizes.quorum == 5);
    CHECK(sizes.sample == 7);
}

TEST_CASE(
    "a committee of 40 decides with samples of 23, in (n - 1) + 2ns messages less what one sends oneself",
    "[probft]") {
    constexpr std::size_t n = 40;
    Rules rules;
    rules.tune = [](EngineOptions& options) { options.probft_any_parameters = true; };
    Committees rig(n, rules);
    const auto sizes = sample_sizes(rig.committee);
    REQUIRE(sizes.quorum == 13);
    REQUIRE(sizes.sample == 23);
    rig.start();
    rig.want(1);
    CHECK(rig.run(seconds(60), [&] { return rig.all_decided(1); }));

    Committees first(n, rules); // one that ends before anything is said again
    first.start();
    first.want(1);
    first.run(milliseconds(100));
    const auto own = self_draws(first, Kind::prepare, 1) + self_draws(first, Kind::commit, 1);
    CHECK(first.agreed.contains(1));
    CHECK(first.sent[Kind::prepare] + first.sent[Kind::commit] == 2 * n * sizes.sample - own);
    CHECK(first.all_sent() == (n - 1) + 2 * n * sizes.sample - own);
}

TEST_CASE("slots are decided in a pipeline, through checkpoints", "[probft]") {
    Committees rig(7, {.delay_max = milliseconds(5), .checkpoint_every = 64});
    rig.start();
    rig.want(300);
    CHECK(rig.run(seconds(60), [&] { return rig.all_decided(300); }));
    CHECK(rig.views_failed == 0);
    CHECK(rig.engine(3).status().stable >= 256);
    CHECK(rig.nodes[3]->disk.size() < 4 * kWindow);
}

TEST_CASE("losses are made up", "[probft]") {
    const std::uint64_t seed = GENERATE(range(1, 6));
    Committees rig(7, {.seed = seed,
                       .delay_max = milliseconds(30),
                       .lose_permille = 150,
                       .twice_permille = 100,
                       .checkpoint_every = 64});
    rig.start();
    rig.want(100);
    INFO("seed " << seed);
    CHECK(rig.run(seconds(300), [&] { return rig.all_decided(100); }));
}

TEST_CASE("nothing is committed above the end of an epoch, nor above what may become one", "[probft]") {
    Committees rig(4);
    check_nothing_is_committed_above_the_end_of_an_epoch(rig, GENERATE(false, true));
}
