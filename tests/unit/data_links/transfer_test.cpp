#include "tests/unit/data_links/fixture.hpp"

using namespace dwcp;
using namespace dwcp::test;

namespace {} // namespace

TEST_CASE("a block arrives whole, with its codec and workload") {
    Pair pair;
    EncodedBlock block = make_block(1, 100'000);
    block.codec = {Codec::zstd, 3};
    block.raw_bytes = 500'000; // the link does not decode
    REQUIRE(send_and_wait(pair.a, "b", block, "workload-1").has_value());
    const auto stored = pair.b.service.load(block.hash);
    REQUIRE(stored.has_value());
    CHECK(*stored->bytes == *block.bytes);
    CHECK(stored->codec == block.codec);
    CHECK(stored->raw_bytes == block.raw_bytes);
    CHECK(pair.b.service.workloads() == std::set<WorkloadId>{"workload-1"});
    CHECK(pair.b.service.order() == std::vector<NodeName>{"a"});
}

TEST_CASE("blocks of the smallest and the largest size travel both ways at once") {
    Pair pair;
    for (const std::size_t size : {std::size_t{1}, std::size_t{4095}, std::size_t{kBlockBytes}}) {
        const EncodedBlock there = make_block(size, size);
        const EncodedBlock back = make_block(size + 7, size);
        CHECK(send_and_wait(pair.a, "b", there).has_value());
        CHECK(send_and_wait(pair.b, "a", back).has_value());
        CHECK(pair.b.service.has(there.hash));
        CHECK(pair.a.service.has(back.hash));
    }
}

TEST_CASE("many blocks over many streams all arrive and are counted") {
    auto options = quick_options();
    options.streams_min = options.streams_max = 4;
    Pair pair(options);
    Answers answers;
    std::vector<Hash256> hashes;
    for (std::uint64_t i = 0; i < 120; ++i) {
        const EncodedBlock block = make_block(i, 100'000);
        hashes.push_back(block.hash);
        pair.a.plane->send_block("b", block, "w", in(kPatience), answers.next());
    }
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 120);
    CHECK(sync_and_wait(pair.a, "b", hashes)->empty());
    CHECK(eventually([&] { return pair.a.status_of("b").queued == 0; }));
    const auto status = pair.a.status_of("b");
    CHECK(status.streams == 4);
    CHECK(status.bytes_sent == 120 * 100'000);
    CHECK(eventually([&] { return pair.b.status_of("a").bytes_received == 120 * 100'000; }));
    CHECK_FALSE(status.congestion.empty());
}

TEST_CASE("a sync names exactly the blocks that are missing") {
    Pair pair;
    const EncodedBlock there = make_block(1, 1000);
    const EncodedBlock missing = make_block(2, 1000);
    REQUIRE(send_and_wait(pair.a, "b", there).has_value());
    const auto answer = sync_and_wait(pair.a, "b", {there.hash, missing.hash});
    REQUIRE(answer.has_value());
    CHECK(*answer == std::vector<Hash256>{missing.hash});
    CHECK(sync_and_wait(pair.a, "b", {})->empty());
}

TEST_CASE("a fetch brings the block, or says that the peer has none") {
    Pair pair;
    EncodedBlock block = make_block(1, kBlockBytes);
    pair.b.service.put(block);
    const auto fetched = fetch_and_wait(pair.a, "b", block.hash);
    REQUIRE(fetched.has_value());
    CHECK(*fetched->bytes == *block.bytes);
    CHECK(fetched->hash == block.hash);
    CHECK(fetch_and_wait(pair.a, "b", make_block(2, 10).hash).error().code == Errc::not_found);
    CHECK(eventually([&] { return pair.a.status_of("b").bytes_received == kBlockBytes; }));
}

TEST_CASE("a block whose content does not match its hash is refused by the service and reported") {
    Pair pair;
    EncodedBlock block = make_block(1, 1000);
    block.hash = make_block(2, 1000).hash;
    const auto result = send_and_wait(pair.a, "b", block);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::corrupted);
    CHECK(pair.a.up("b")); // the link is not to blame
}

TEST_CASE("a callback may send the next block") {
    Pair pair;
    Answers answers;
    std::function<void(int)> send_next = [&](int left) {
        const auto done = answers.next();
        pair.a.plane->send_block("b", make_block(static_cast<std::uint64_t>(left), 5000), "w", in(kPatience),
                                 [&, done, left](Result<void> result) {
                                     if (left > 1) send_next(left - 1);
                                     done(std::move(result));
                                 });
    };
    send_next(20);
    REQUIRE(answers.wait_for(20));
    CHECK(answers.succeeded() == 20);
}

TEST_CASE("a peer goes up with an event, and down with one when its node leaves") {
    TestNode a("a", {"b"});
    auto b = std::make_unique<TestNode>("b", std::set<NodeName>{"a"});
    a.add_peer("b", b->plane->port());
    REQUIRE(eventually([&] { return a.up("b"); }));
    CHECK(a.events_named("data_peer_up") == 1);
    b.reset();
    REQUIRE(eventually([&] { return !a.up("b"); }));
    CHECK(a.events_named("data_peer_down") == 1);
    Answer<void> answer;
    a.plane->send_block("b", make_block(1, 10), "w", in(200ms), answer.callback());
    const auto result = answer.wait();
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::unavailable);
}

TEST_CASE("a node that comes back gets what was sent meanwhile") {
    TestNode a("a", {"b"});
    auto b = std::make_unique<TestNode>("b", std::set<NodeName>{"a"});
    const std::uint16_t port = b->plane->port();
    const identity::Identity self = b->self;
    a.add_peer("b", port);
    REQUIRE(eventually([&] { return a.up("b"); }));
    b->plane.reset();
    REQUIRE(eventually([&] { return !a.up("b"); }));
    Answer<void> answer;
    a.plane->send_block("b", make_block(1, 1000), "w", in(kPatience), answer.callback());
    auto options = quick_options();
    options.listen_port = port;
    b->plane = std::move(*links::DataPlane::start(options, self, *b->trust, b->service, b->events));
    CHECK(answer.wait().has_value());
    CHECK(b->service.has(make_block(1, 1000).hash));
}

TEST_CASE(
    "a request to a name that is no peer, a block that cannot be shipped and a drained plane are refused") {
    Pair pair;
    CHECK(send_and_wait(pair.a, "nobody", make_block(1, 10)).error().code == Errc::not_found);
    EncodedBlock empty = make_block(1, 10);
    empty.bytes = share({});
    CHECK(send_and_wait(pair.a, "b", empty).error().code == Errc::invalid_argument);
    empty.bytes = nullptr;
    CHECK(send_and_wait(pair.a, "b", empty).error().code == Errc::invalid_argument);
    CHECK(sync_and_wait(pair.a, "b", std::vector<Hash256>(40'000)).error().code == Errc::too_large);
    pair.a.plane->drain();
    CHECK(send_and_wait(pair.a, "b", make_block(1, 10)).error().code == Errc::unavailable);
}

TEST_CASE("an unknown congestion control falls back to the system's") {
    TestNode a("a", {"b"});
    TestNode b("b", {"a"});
    a.add_peer("b", b.plane->port(), "no-such-thing");
    REQUIRE(eventually([&] { return a.up("b"); }));
    CHECK_FALSE(a.status_of("b").congestion.empty());
    CHECK(a.status_of("b").congestion != "no-such-thing");
}

TEST_CASE("a congestion control that the system offers is used, as the kernel reports it") {
    TestNode a("a", {"b"});
    TestNode b("b", {"a"});
    a.add_peer("b", b.plane->port(), "reno"); // every kernel has it and allows it
    REQUIRE(eventually([&] { return a.up("b"); }));
    CHECK(a.status_of("b").congestion == "reno");
}
