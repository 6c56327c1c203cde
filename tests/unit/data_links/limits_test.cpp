#include "runtime/links/data/socket.hpp"
#include "tests/unit/data_links/raw_peer.hpp"

#include <fstream>
#include <unistd.h>

using namespace dwcp;
using namespace dwcp::test;

namespace {

std::size_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    file >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// A frame prefix with any lengths and right checksums.
Bytes announcing(wire::FrameKind kind, std::uint32_t header_words, std::uint32_t payload_bytes) {
    Bytes frame = wire::encode_frame(kind, 1);
    std::memcpy(frame.data() + 16, &header_words, sizeof header_words);
    std::memcpy(frame.data() + 20, &payload_bytes, sizeof payload_bytes);
    const std::uint32_t checksum = wire::crc32c(ByteView(frame).first(28));
    std::memcpy(frame.data() + 28, &checksum, sizeof checksum);
    return frame;
}

} // namespace

TEST_CASE("a full queue refuses instead of growing") {
    auto options = quick_options();
    options.queue_blocks_max = 10;
    TestNode a("a", {"b"}, options);
    TestNode b("b", {"a"}, options);
    a.add_peer("b", b.plane->port());
    b.service.hold();
    Answers answers;
    for (std::uint64_t i = 0; i < 15; ++i) {
        a.plane->send_block("b", make_block(i, 100), "w", in(kPatience), answers.next());
    }
    REQUIRE(answers.wait_for(5));
    CHECK(answers.failed_with(Errc::resource_exhausted) == 5);
    CHECK(eventually([&] { return a.status_of("b").queued == 10; }));
    b.service.release();
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 10);
    CHECK(send_and_wait(a, "b", make_block(20, 100)).has_value()); // there is room again
}

TEST_CASE(
    "a slow service holds the sender back: what was received and not accepted is never above the credit") {
    auto options = quick_options();
    options.stream_credit_blocks = 3;
    options.streams_min = options.streams_max = 2;
    TestNode a("a", {"b"}, options);
    TestNode b("b", {"a"}, options);
    b.add_peer("a", a.plane->port());
    a.add_peer("b", b.plane->port());
    REQUIRE(eventually([&] { return a.status_of("b").streams == 2; }));
    b.service.hold();
    Answers answers;
    constexpr std::size_t kSize = 500'000;
    for (std::uint64_t i = 0; i < 40; ++i) {
        a.plane->send_block("b", make_block(i, kSize), "w", in(kPatience), answers.next());
    }
    const std::uint64_t window = 2 * 3 * kSize;
    REQUIRE(eventually([&] { return b.status_of("a").bytes_received == window; }));
    CHECK(a.status_of("b").bytes_sent == window); // nothing more was even begun
    CHECK(answers.answered() == 0);
    b.service.release();
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 40);
}

TEST_CASE("a peer that sends more than its credit is cut off and its frames are counted") {
    TestNode b("b", {"a"});
    RawPeer greedy(make_identity("a"), b.plane->port());
    b.add_peer("a", b.plane->port()); // only for the status
    b.service.hold();
    const std::uint32_t credit = greedy.join();
    REQUIRE(credit == quick_options().stream_credit_blocks);
    for (std::uint32_t i = 0; i <= credit; ++i)
        greedy.send_block(i + 1, make_block(i, 100));
    CHECK(greedy.closed());
    CHECK(eventually([&] { return b.status_of("a").bad_frames == 1; }));
    b.service.release();
}

TEST_CASE("a peer that fetches without reading gets no more than its credit") {
    TestNode b("b", {"a"});
    b.add_peer("a", 1); // only for the status
    const EncodedBlock block = make_block(1, kBlockBytes);
    b.service.put(block);
    RawPeer deaf(make_identity("a"), b.plane->port());
    const std::uint32_t credit = deaf.join();
    for (std::uint32_t i = 0; i < credit; ++i) {
        deaf.send(wire::FrameKind::fetch, i + 1, wire::encode_fetch(block.hash));
    }
    std::uint32_t blocks = 0;
    while (blocks < credit) {
        const auto frame = deaf.receive();
        REQUIRE(frame.has_value());
        if (frame->kind != wire::FrameKind::fetch_block) continue;
        CHECK(frame->payload == *block.bytes);
        ++blocks;
    }
    CHECK(b.status_of("a").bytes_sent == std::uint64_t{credit} * kBlockBytes);
}

TEST_CASE("an announced gigabyte costs nothing, before and after the handshake") {
    TestNode b("b", {"a"});
    const std::size_t before = resident_bytes();
    RawPeer stranger(make_identity("a"), b.plane->port());
    stranger.send_bytes(announcing(wire::FrameKind::hello, 0, 1U << 30));
    CHECK(stranger.closed());
    RawPeer member(make_identity("a"), b.plane->port());
    REQUIRE(member.join() > 0);
    member.send_bytes(announcing(wire::FrameKind::block, 10, 1U << 30));
    CHECK(member.closed());
    CHECK(resident_bytes() < before + (64U << 20));
}

TEST_CASE("garbage, and frames that are not for a server, are dropped with their stream") {
    TestNode b("b", {"a"});
    b.add_peer("a", 1); // only for the status
    const identity::Identity self = make_identity("a");
    std::uint64_t bad = 0;
    for (const wire::FrameKind kind :
         {wire::FrameKind::hello, wire::FrameKind::credit, wire::FrameKind::block_ack,
          wire::FrameKind::refuse, wire::FrameKind::error}) {
        RawPeer peer(self, b.plane->port());
        REQUIRE(peer.join() > 0);
        peer.send(kind, 1);
        CHECK(peer.closed());
        ++bad;
    }
    RawPeer peer(self, b.plane->port());
    REQUIRE(peer.join() > 0);
    peer.send(wire::FrameKind::block, 1, wire::Words(8, 0x1234567812345678ULL),
              Bytes(100)); // a header of nonsense
    CHECK(peer.closed());
    ++bad;
    CHECK(eventually([&] { return b.status_of("a").bad_frames == bad; }));
    RawPeer noise(self, b.plane->port());
    noise.send_bytes(Bytes(5000, 0x5a));
    CHECK(noise.closed());
    CHECK(b.status_of("a").bad_frames == bad); // nobody proved to be "a"
}

TEST_CASE("one address cannot hold more connections open than its share without saying who it is") {
    TestNode b("b", {"a"});
    std::vector<std::unique_ptr<RawPeer>> strangers;
    for (int i = 0; i < 64; ++i)
        strangers.push_back(std::make_unique<RawPeer>(make_identity("a"), b.plane->port()));
    RawPeer one_more(make_identity("a"), b.plane->port());
    CHECK(one_more.closed());
}

TEST_CASE("two peers share a slow service fairly, although one has more streams and more to send") {
    auto many = quick_options();
    many.streams_min = many.streams_max = 4;
    auto receiver = quick_options();
    receiver.worker_threads = 1;
    TestNode c("c", {"a", "b"}, receiver);
    TestNode a("a", {"c"}, many);
    TestNode b("b", {"c"});
    a.add_peer("c", c.plane->port());
    b.add_peer("c", c.plane->port());
    c.add_peer("a", a.plane->port());
    c.add_peer("b", b.plane->port());
    REQUIRE(eventually([&] { return a.status_of("c").streams == 4 && b.up("c"); }));
    c.service.hold();
    Answers answers;
    const auto ship = [&](TestNode& from, std::uint64_t seed, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            from.plane->send_block("c", make_block(seed + i, kBlockBytes), "w", in(kPatience),
                                   answers.next());
        }
    };
    ship(a, 0, 60);
    ship(b, 1000, 20);
    // Both windows lie at the receiver before the service begins: 16 blocks of one, 4 of the other.
    REQUIRE(eventually([&] { return c.status_of("a").bytes_received == 16U * kBlockBytes; }));
    REQUIRE(eventually([&] { return c.status_of("b").bytes_received == 4U * kBlockBytes; }));
    c.service.release();
    REQUIRE(answers.wait_all());
    const auto order = c.service.order();
    const auto of_b = std::count(order.begin(), order.begin() + 8, NodeName("b"));
    CHECK(of_b >= 3); // in turn: about four of the first eight
}

TEST_CASE("listening on an address of another machine is told apart from a port in use") {
    const auto elsewhere = links::listen_on("192.0.2.1", 0); // for documentation: no machine has it
    REQUIRE_FALSE(elsewhere);
    CHECK(elsewhere.error().remedy == "this machine has no such address: correct [listen].data");
    const auto first = links::listen_on("127.0.0.1", 0);
    const auto second = links::listen_on("127.0.0.1", *links::local_port(*first));
    REQUIRE_FALSE(second);
    CHECK(second.error().remedy == "stop what uses the port, or choose another in [listen].data");
}
