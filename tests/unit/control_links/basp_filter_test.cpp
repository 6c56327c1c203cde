// What two gateways say to each other passes; nothing else does.
#include "runtime/links/control/basp_filter.hpp"

#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::links;
using Action = BaspFilter::Action;
using Side = BaspFilter::Side;

namespace {

const Bytes kSelf(32, 1);
const Bytes kPeer(32, 2);
const Bytes kThird(32, 3);
constexpr std::uint64_t kGateway = 7;
constexpr std::uint64_t kSpawnServer = 88;

std::shared_ptr<const BaspNode> self() {
    auto node = std::make_shared<BaspNode>();
    node->id = kSelf;
    node->spawn_server = kSpawnServer;
    node->gateway = kGateway;
    node->contents = {{to_bytes("frame:"), 0, {}}, {to_bytes("error:"), 2, to_bytes("text")}};
    node->reason = {{}, 2, to_bytes("none")};
    return node;
}

struct Header {
    int operation = 0;
    int flags = 0;
    std::uint32_t payload_bytes = 0;
    std::uint64_t data = 0;
    std::uint64_t source = 0;
    std::uint64_t dest = 0;
};

Bytes bytes_of(const Header& header) {
    Bytes bytes{static_cast<Byte>(header.operation), 0, 0, static_cast<Byte>(header.flags)};
    const auto append = [&](std::uint64_t value, int size) {
        for (int shift = 8 * (size - 1); shift >= 0; shift -= 8)
            bytes.push_back(static_cast<Byte>(value >> shift));
    };
    append(header.payload_bytes, 4);
    append(header.data, 8);
    append(header.source, 8);
    append(header.dest, 8);
    return bytes;
}

Bytes joined(Bytes first, const Bytes& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

/// A whole message through the filter.
BaspFilter::Verdict offer(BaspFilter& filter, Header header, const Bytes& payload = {}) {
    header.payload_bytes = static_cast<std::uint32_t>(payload.size());
    const auto verdict = filter.header(bytes_of(header));
    if (verdict.action == Action::close || payload.empty()) return verdict;
    REQUIRE(filter.payload_bytes() == payload.size());
    return filter.payload(payload);
}

constexpr Header kClientHandshake{.operation = 1};
constexpr Header kServerHandshake{.operation = 0, .data = 4};
constexpr Header kMessage{.operation = 2, .data = 1, .source = 9, .dest = kGateway};
constexpr Header kMonitor{.operation = 4, .dest = kGateway};
constexpr Header kDown{.operation = 5, .source = 9};
constexpr Header kHeartbeat{.operation = 6};

/// Has been greeted as kPeer, by an acceptor.
BaspFilter acquainted() {
    BaspFilter filter(Side::acceptor, self());
    REQUIRE(offer(filter, kClientHandshake, kPeer).action == Action::pass);
    REQUIRE(filter.node() == kPeer);
    return filter;
}

void check_closed(const BaspFilter::Verdict& verdict, Refused why) {
    CHECK(verdict.action == Action::close);
    CHECK(verdict.why == why);
    CHECK(!verdict.message.empty());
}

void check_dropped(const BaspFilter::Verdict& verdict, Dropped why) {
    CHECK(verdict.action == Action::drop);
    CHECK(verdict.dropped == why);
}

} // namespace

TEST_CASE("what two gateways say to each other passes") {
    auto filter = acquainted();
    CHECK(offer(filter, {.operation = 1, .flags = 2}, kPeer).action == Action::pass);
    CHECK(offer(filter, kHeartbeat).action == Action::pass);
    CHECK(offer(filter, kMessage, to_bytes("frame: hello")).action == Action::pass);
    CHECK(offer(filter, kMessage, to_bytes("error:12text")).action == Action::pass);
    CHECK(offer(filter, kMonitor, joined(kPeer, kSelf)).action == Action::pass);
    CHECK(offer(filter, kDown, joined(joined(kPeer, kSelf), to_bytes("12none"))).action == Action::pass);

    BaspFilter dialler(Side::dialler, self());
    CHECK(offer(dialler, kServerHandshake, joined(kPeer, to_bytes("more"))).action == Action::pass);
    CHECK(dialler.node() == kPeer);
    CHECK(offer(dialler, kMessage, to_bytes("frame: hello")).action == Action::pass);
}

TEST_CASE("a plain dialler's opening is no offence") {
    BaspFilter filter(Side::acceptor, self());
    const auto verdict = offer(filter, kHeartbeat);
    CHECK(verdict.action == Action::drop);
    CHECK(!verdict.dropped);
}

TEST_CASE("what is announced beyond the limit is refused before it comes, in any message") {
    for (int operation = 0; operation <= 6; ++operation) {
        BaspFilter filter(Side::acceptor, self());
        check_closed(filter.header(bytes_of({.operation = operation, .payload_bytes = 1U << 30})),
                     Refused::oversized);
        CHECK(filter.payload_bytes() == 0);
        auto later = acquainted();
        check_closed(
            later.header(bytes_of({.operation = operation, .payload_bytes = kBaspPayloadBytesMax + 1})),
            Refused::oversized);
    }
}

TEST_CASE("something else than CAF's protocol is named as such") {
    for (const char* text :
         {"GET / HTTP/1.1\r\nHost: localhost:80", "\x16\x03\x01\x02\x01\x01 a TLS client hello ..."}) {
        BaspFilter filter(Side::acceptor, self());
        check_closed(filter.header(as_bytes(text).first(kBaspHeaderBytes)), Refused::not_basp);
    }
}

TEST_CASE("a handshake without a payload is refused: CAF 0.17 would follow a null pointer") {
    BaspFilter acceptor(Side::acceptor, self());
    check_closed(offer(acceptor, kClientHandshake), Refused::malformed);
    BaspFilter dialler(Side::dialler, self());
    check_closed(offer(dialler, kServerHandshake), Refused::malformed);
    BaspFilter other(Side::acceptor, self());
    check_closed(offer(other, kServerHandshake), Refused::malformed);
}

TEST_CASE("a connection is one node for good, and never this one") {
    auto filter = acquainted();
    check_closed(offer(filter, kClientHandshake, kThird), Refused::malformed);
    BaspFilter mirror(Side::acceptor, self());
    check_dropped(offer(mirror, kClientHandshake, kSelf), Dropped::second_claim);
    check_closed(offer(mirror, kMessage, to_bytes("frame:")), Refused::malformed);
}

TEST_CASE("nothing is taken from who has not said which node it is") {
    for (const Header& header : {kMessage, kMonitor, kDown}) {
        BaspFilter filter(Side::acceptor, self());
        check_closed(offer(filter, header, Bytes(100, 0)), Refused::malformed);
    }
}

TEST_CASE("only the gateway can be reached, and only with frames and errors") {
    auto filter = acquainted();
    auto named = kMessage;
    named.flags = 1;
    check_dropped(offer(filter, named, to_bytes("frame: hello")), Dropped::lookup);
    named.dest = kSpawnServer; // CAF's own question to every node
    CHECK(offer(filter, named, to_bytes("frame: hello")).action == Action::drop);
    CHECK(!offer(filter, named, to_bytes("frame: hello")).dropped);
    auto stray = kMessage;
    stray.dest = kGateway + 1;
    check_dropped(offer(filter, stray, to_bytes("frame: hello")), Dropped::other_actor);
    check_dropped(offer(filter, kMessage, to_bytes("exit: kill")), Dropped::content);
    check_dropped(offer(filter, kMessage, to_bytes("error:12handle")), Dropped::content);
    auto curious = kMonitor;
    curious.dest = kGateway + 1;
    check_dropped(offer(filter, curious, joined(kPeer, kSelf)), Dropped::other_actor);
    check_dropped(offer(filter, kDown, joined(joined(kPeer, kSelf), to_bytes("12some"))), Dropped::content);
    // All of it harmless to the connection.
    CHECK(offer(filter, kMessage, to_bytes("frame: hello")).action == Action::pass);
}

TEST_CASE("nobody speaks for a third node or has messages forwarded to one") {
    auto filter = acquainted();
    check_closed(offer(filter, kMonitor, joined(kThird, kSelf)), Refused::malformed);
    check_closed(offer(filter, kMonitor, joined(kPeer, kThird)), Refused::malformed);
    check_closed(offer(filter, kDown, joined(joined(kThird, kSelf), to_bytes("12none"))), Refused::malformed);
    auto routed = kMessage;
    routed.operation = 3;
    check_closed(offer(filter, routed, to_bytes("frame:")), Refused::malformed);
}

TEST_CASE("the actors that a connection speaks from are bounded, since CAF keeps a proxy of each") {
    auto filter = acquainted();
    auto message = kMessage;
    for (std::uint64_t sender = 1; sender <= BaspFilter::kSendersMax; ++sender) {
        message.source = sender;
        CHECK(offer(filter, message, to_bytes("frame:")).action == Action::pass);
    }
    message.source = 1;
    CHECK(offer(filter, message, to_bytes("frame:")).action == Action::pass);
    message.source = 99;
    check_closed(offer(filter, message, to_bytes("frame:")), Refused::malformed);
}

TEST_CASE("a disowned connection may claim its node again and say nothing else") {
    auto filter = acquainted();
    filter.disown();
    CHECK(filter.node().empty());
    check_closed(offer(filter, kMessage, to_bytes("frame:")), Refused::node_in_use);
    CHECK(offer(filter, kClientHandshake, kPeer).action == Action::pass);
    CHECK(offer(filter, kMessage, to_bytes("frame:")).action == Action::pass);
}
