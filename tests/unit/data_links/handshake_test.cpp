#include "tests/unit/data_links/raw_peer.hpp"

using namespace dwcp;
using namespace dwcp::test;

namespace {

/// Gives a frame another wire version, with a right checksum.
Bytes of_version(Bytes frame, Byte version) {
    frame[4] = version;
    const std::uint32_t checksum = wire::crc32c(ByteView(frame).first(28));
    std::memcpy(frame.data() + 28, &checksum, sizeof checksum);
    return frame;
}

} // namespace

TEST_CASE("a node of another cluster is refused, and both ends say so") {
    TestNode a("a", {"b"}, quick_options(), "cluster-one");
    TestNode b("b", {"a"}, quick_options(), "cluster-two");
    a.add_peer("b", b.plane->port());
    REQUIRE(eventually([&] { return a.events_named("data_peer_refused", "cluster-two") > 0; }));
    REQUIRE(eventually([&] { return b.events_named("data_peer_refused", "cluster-one") > 0; }));
    CHECK(a.events_named("data_peer_refused", "refused_by=b") == 1);
    CHECK(b.events_named("data_peer_refused", "refused_by=b") == 1);
    CHECK(b.events_named("data_peer_refused", "remedy=check cluster_id") == 1);
    CHECK_FALSE(a.up("b"));
    Answer<void> answer;
    a.plane->send_block("b", make_block(1, 10), "w", in(100ms), answer.callback());
    const auto result = answer.wait();
    CHECK(result.error().code == Errc::unavailable);
    CHECK(result.error().message.find("cluster") != std::string::npos);
}

TEST_CASE("a node whose name nobody configured is refused by the one that was dialled") {
    TestNode a("a", {"b"});
    TestNode b("b", {"c"});
    a.add_peer("b", b.plane->port());
    REQUIRE(eventually([&] { return a.events_named("data_peer_refused", "code=unauthenticated") > 0; }));
    REQUIRE(eventually([&] { return b.events_named("data_peer_refused", "code=unauthenticated") > 0; }));
    CHECK_FALSE(a.up("b"));
}

TEST_CASE("a node that shows another key than the pinned one is refused") {
    TestNode b("b", {"a"});
    RawPeer first(make_identity("a"), b.plane->port());
    CHECK(first.join() > 0);
    RawPeer second(make_identity("a"), b.plane->port());
    CHECK(second.join() == 0);
    CHECK(second.failure().code == Errc::unauthenticated);
    CHECK(second.closed());
    CHECK(b.events_named("data_peer_refused", "refused_by=b") == 1);
}

TEST_CASE("the dialler refuses a node that answers with an unknown key, and tells it") {
    TestNode a("a", {"b"});
    TestNode b("b", {"a"});
    // a has pinned another key for b
    REQUIRE(a.trust->check("b", make_identity("b").public_key()).has_value());
    a.add_peer("b", b.plane->port());
    REQUIRE(eventually([&] { return a.events_named("data_peer_refused", "refused_by=a") > 0; }));
    REQUIRE(eventually([&] { return b.events_named("data_peer_refused", "refused_by=a") > 0; }));
    CHECK_FALSE(a.up("b"));
}

TEST_CASE("a node that answers at another's address is refused") {
    TestNode a("a", {"b", "c"});
    TestNode c("c", {"a"});
    a.add_peer("b", c.plane->port());
    REQUIRE(
        eventually([&] { return a.events_named("data_peer_refused", "answers at the address of 'b'") > 0; }));
    CHECK_FALSE(a.up("b"));
}

TEST_CASE("an older wire version is refused with a frame that names both versions") {
    TestNode b("b", {"a"});
    RawPeer old(make_identity("a"), b.plane->port());
    old.send_bytes(of_version(
        wire::encode_frame(wire::FrameKind::hello, 0, wire::encode_hello(links::make_hello(old.self()))),
        wire::kWireVersionMin - 1));
    CHECK(old.note_failure(old.receive()) == 0);
    CHECK(old.failure().code == Errc::unimplemented);
    CHECK(old.failure().message.find("wire version 0") != std::string::npos);
    CHECK(old.closed());
    CHECK(b.events_named("data_peer_refused", "remedy=upgrade the node that called") == 1);
}

TEST_CASE("a node does not talk to itself") {
    TestNode a("a", {"a"});
    a.add_peer("a", a.plane->port());
    REQUIRE(eventually([&] { return a.events_named("data_peer_refused", "of the same name") > 0; }));
    CHECK_FALSE(a.up("a"));
}

TEST_CASE("a signature of another handshake proves nothing") {
    TestNode b("b", {"a"});
    RawPeer thief(make_identity("a"), b.plane->port());
    const wire::Hello hello = links::make_hello(thief.self());
    thief.send(wire::FrameKind::hello, 0, wire::encode_hello(hello));
    const auto frame = thief.receive();
    REQUIRE(frame.has_value());
    auto ack = wire::decode_hello_ack(frame->header);
    REQUIRE(ack.has_value());
    ack->hello.nonce[0] ^= 1; // as if signed for an earlier nonce
    thief.send(wire::FrameKind::proof, 0,
               wire::encode_proof(links::make_proof(thief.self(), hello, ack->hello)));
    CHECK(thief.note_failure(thief.receive()) == 0);
    CHECK(thief.failure().code == Errc::unauthenticated);
    // It did not get the name pinned to its key either.
    RawPeer honest(make_identity("a"), b.plane->port());
    CHECK(honest.join() > 0);
}

TEST_CASE("the acceptor's own signature does not pass as the dialler's") {
    TestNode b("b", {"a"});
    RawPeer mirror(make_identity("a"), b.plane->port());
    mirror.send(wire::FrameKind::hello, 0, wire::encode_hello(links::make_hello(mirror.self())));
    const auto ack = wire::decode_hello_ack(mirror.receive()->header);
    mirror.send(wire::FrameKind::proof, 0, wire::encode_proof(ack->signature));
    CHECK(mirror.note_failure(mirror.receive()) == 0);
    CHECK(mirror.failure().code == Errc::unauthenticated);
}

TEST_CASE("a client that says nothing is dropped when its time is up") {
    auto options = quick_options();
    options.connect_timeout_ms = 100;
    TestNode b("b", {"a"}, options);
    RawPeer silent(make_identity("a"), b.plane->port());
    CHECK(silent.closed());
}

TEST_CASE("a client that stops in the middle of the handshake is dropped when its time is up") {
    auto options = quick_options();
    options.connect_timeout_ms = 100;
    TestNode b("b", {"a"}, options);
    RawPeer slow(make_identity("a"), b.plane->port());
    slow.send(wire::FrameKind::hello, 0, wire::encode_hello(links::make_hello(slow.self())));
    CHECK(slow.closed());
}

TEST_CASE("a stranger that makes up names cannot fill the events") {
    TestNode b("b", {"a"});
    for (int i = 0; i < 80; ++i) {
        RawPeer stranger(make_identity("made-up-" + std::to_string(i), "another-cluster"), b.plane->port());
        CHECK(stranger.join() == 0);
        CHECK(stranger.failure().code == Errc::permission_denied);
    }
    CHECK(b.events_named("data_peer_refused") == 64);
}
