// Pools of streams to one peer share nothing but the peer.
#include "tests/unit/data_links/fixture.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::links;
using namespace dwcp::test;
using namespace std::chrono_literals;

namespace {

DataPlaneOptions both_pools() {
    auto options = quick_options();
    options.streams_min = options.streams_max = 3;
    options.pools = {Pool::one_stream, Pool::multi_stream};
    return options;
}

PoolStatus pool_of(const TestNode& node, const NodeName& peer, Pool pool) {
    for (const auto& status : node.status_of(peer).pools) {
        if (status.pool == pool) return status;
    }
    return {};
}

} // namespace

TEST_CASE("both pools to a peer stand, and a status tells them apart") {
    Pair pair(both_pools());
    REQUIRE(eventually([&] {
        return pool_of(pair.a, "b", Pool::one_stream).streams == 1 &&
               pool_of(pair.a, "b", Pool::multi_stream).streams == 3;
    }));
    CHECK(pair.a.status_of("b").streams == 4);
    CHECK(pair.a.status_of("b").pools.size() == 2);
    for (const Pool pool : {Pool::one_stream, Pool::multi_stream}) {
        const auto block = make_block(7 + static_cast<std::uint64_t>(pool), 3000);
        Answer<void> sent;
        pair.a.plane->send_block("b", block, "w", in(kPatience), sent.callback(), pool);
        CHECK(sent.wait().has_value());
        Answer<std::vector<Hash256>> synced;
        pair.a.plane->sync("b", {block.hash}, "w", in(kPatience), synced.callback(), pool);
        CHECK(synced.wait()->empty());
        Answer<EncodedBlock> fetched;
        pair.a.plane->fetch("b", block.hash, in(kPatience), fetched.callback(), pool);
        CHECK(fetched.wait()->hash == block.hash);
    }
}

TEST_CASE("the pool of one stream stays at one, however much waits") {
    Pair pair(both_pools());
    Answers answers;
    for (std::uint64_t i = 0; i < 100; ++i) {
        pair.a.plane->send_block("b", make_block(i, 50'000), "w", in(kPatience), answers.next(),
                                 Pool::one_stream);
        CHECK(pool_of(pair.a, "b", Pool::one_stream).streams <= 1);
    }
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 100);
    CHECK(pool_of(pair.a, "b", Pool::multi_stream).queued == 0);
}

TEST_CASE("a pool that is not kept refuses by name") {
    Pair pair;
    Answer<void> sent;
    pair.a.plane->send_block("b", make_block(1, 10), "w", in(kPatience), sent.callback(), Pool::one_stream);
    const auto answer = sent.wait();
    REQUIRE_FALSE(answer.has_value());
    CHECK(answer.error().code == Errc::invalid_argument);
    CHECK(answer.error().message.find("one-stream") != std::string::npos);
}

TEST_CASE("a full queue of one pool leaves room in the other") {
    auto options = both_pools();
    options.queue_blocks_max = 4;
    Answers full; // outlive the node, which answers what is left when it ends
    Answers other;
    TestNode a("a", {"b"}, options); // "b" is not there
    a.add_peer("b", 1);
    for (std::uint64_t i = 0; i < 5; ++i)
        a.plane->send_block("b", make_block(i, 10), "w", in(kPatience), full.next(), Pool::multi_stream);
    REQUIRE(full.wait_for(1));
    CHECK(full.failed_with(Errc::resource_exhausted) == 1);
    a.plane->send_block("b", make_block(9, 10), "w", in(100ms), other.next(), Pool::one_stream);
    REQUIRE(other.wait_all());
    CHECK(other.failed_with(Errc::resource_exhausted) == 0);
}

TEST_CASE(
    "abandoning a pool fails what is under way on it, and leaves its streams and the other pool alone") {
    Answers canary; // outlive the nodes
    Answers stable;
    Pair pair(both_pools());
    REQUIRE(eventually([&] {
        return pool_of(pair.a, "b", Pool::one_stream).up &&
               pool_of(pair.a, "b", Pool::multi_stream).streams == 3;
    }));
    pair.b.service.hold();
    for (std::uint64_t i = 0; i < 20; ++i) // more than the streams may carry: some wait here
        pair.a.plane->send_block("b", make_block(i, 10'000), "w", in(kPatience), canary.next(),
                                 Pool::multi_stream);
    for (std::uint64_t i = 100; i < 102; ++i)
        pair.a.plane->send_block("b", make_block(i, 10'000), "w", in(kPatience), stable.next(),
                                 Pool::one_stream);
    REQUIRE(eventually([&] { return pair.b.service.waiting() > 0; }));
    CHECK(canary.answered() == 0);
    pair.a.plane->abandon(Pool::multi_stream);
    REQUIRE(canary.wait_all());
    CHECK(canary.failed_with(Errc::cancelled) == 20);
    CHECK(stable.answered() == 0);
    pair.b.service.release();
    REQUIRE(stable.wait_all());
    CHECK(stable.succeeded() == 2);
    // What the peer still answers to the abandoned is no offence, and the streams carry what comes next.
    Answer<void> again;
    pair.a.plane->send_block("b", make_block(0, 10'000), "w", in(kPatience), again.callback(),
                             Pool::multi_stream);
    CHECK(again.wait().has_value());
    CHECK(pool_of(pair.a, "b", Pool::multi_stream).streams == 3);
    CHECK(pair.a.status_of("b").bad_frames == 0);
    CHECK(pair.a.events_named("data_peer_down") == 0);
    CHECK(canary.each_exactly_once());
    CHECK(pair.b.service.has(make_block(0, 10'000).hash));
}
