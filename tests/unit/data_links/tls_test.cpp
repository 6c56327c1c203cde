#include "runtime/metrics/metrics.hpp"
#include "tests/unit/data_links/proxy.hpp"
#include "tests/unit/data_links/raw_peer.hpp"
#include "tests/unit/data_links/tls_fixture.hpp"
#include "tests/unit/wire/seed.hpp"

using namespace dwcp;
using namespace dwcp::test;

namespace {

struct SecurePair {
    SecurePair() { a.add_peer("b", b.plane->port()); }

    Certificates certificates;
    TestNode a{"a", {"b"}, with_tls(certificates.node("a"))};
    TestNode b{"b", {"a"}, with_tls(certificates.node("b"))};
};

double refusals(const std::string& end, Errc code) {
    return metrics::counter("dwcp_data_refusals_total", "",
                            {{"end", end}, {"code", std::string(to_string(code))}})
        .value();
}

/// Both ends tell it, each in its own words.
void check_refused(TestNode& dialler, const std::string& says, TestNode& acceptor, const std::string& hears) {
    REQUIRE(eventually([&] { return dialler.events_named("data_peer_refused", says) > 0; }));
    REQUIRE(eventually([&] { return acceptor.events_named("data_peer_refused", hears) > 0; }));
    CHECK_FALSE(dialler.up("b"));
    CHECK(eventually([&] { return dialler.status_of("b").reason.find(says) != std::string::npos; }));
}

} // namespace

TEST_CASE("blocks, syncs and fetches cross a link in TLS") {
    SecurePair pair;
    const auto block = make_block(1, kBlockBytes);
    REQUIRE(send_and_wait(pair.a, "b", block).has_value());
    CHECK(pair.b.service.has(block.hash));
    const auto lacking = make_block(2, 10).hash;
    CHECK(sync_and_wait(pair.a, "b", {block.hash, lacking}).value() == std::vector{lacking});
    const auto fetched = fetch_and_wait(pair.a, "b", block.hash);
    REQUIRE(fetched.has_value());
    CHECK(*fetched->bytes == *block.bytes);
}

TEST_CASE("in TLS, blocks of any size come whole through every turn of the loop") {
    Random random(test::seed());
    SecurePair pair;
    Answers answers;
    std::vector<EncodedBlock> blocks;
    for (std::uint64_t i = 0; i < 400; ++i) {
        // Below a record, about a record, and many of them.
        const std::uint64_t most = i % 3 == 0 ? 200 : i % 3 == 1 ? 40'000 : kBlockBytes;
        blocks.push_back(make_block(i, 1 + random.below(most)));
        pair.a.plane->send_block("b", blocks.back(), "w", in(kPatience), answers.next());
        if (i % 100 == 99) REQUIRE(answers.wait_all()); // the queue has room for 256
    }
    CHECK(answers.succeeded() == blocks.size());
    for (const auto& block : blocks)
        REQUIRE(*fetch_and_wait(pair.a, "b", block.hash)->bytes == *block.bytes);
}

TEST_CASE("in TLS, a transfer goes on after its stream was cut") {
    Certificates certificates;
    TestNode a("a", {"b"}, with_tls(certificates.node("a")));
    TestNode b("b", {"a"}, with_tls(certificates.node("b")));
    Proxy proxy(b.plane->port());
    a.add_peer("b", proxy.port());
    REQUIRE(eventually([&] { return a.up("b"); }));
    proxy.cut_after(700'000, 3);
    Answers answers;
    for (std::uint64_t i = 0; i < 40; ++i)
        a.plane->send_block("b", make_block(i, 200'000), "w", in(kPatience), answers.next());
    REQUIRE(answers.wait_all());
    CHECK(proxy.cuts() == 3);
    CHECK(answers.succeeded() == 40);
    CHECK(answers.each_exactly_once());
}

TEST_CASE("in TLS, a changed byte costs a stream and no block") {
    Certificates certificates;
    TestNode a("a", {"b"}, with_tls(certificates.node("a")));
    TestNode b("b", {"a"}, with_tls(certificates.node("b")));
    Proxy proxy(b.plane->port());
    a.add_peer("b", proxy.port());
    REQUIRE(eventually([&] { return a.up("b"); }));
    proxy.corrupt_after(300'000);
    Answers answers;
    for (std::uint64_t i = 0; i < 10; ++i)
        a.plane->send_block("b", make_block(i, 200'000), "w", in(kPatience), answers.next());
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 10);
    CHECK(proxy.connections() > 1);
}

TEST_CASE("in TLS, a slow service still holds the sender back") {
    auto options = quick_options();
    options.stream_credit_blocks = 3;
    options.streams_min = options.streams_max = 2;
    Certificates certificates;
    TestNode a("a", {"b"}, with_tls(certificates.node("a"), options));
    TestNode b("b", {"a"}, with_tls(certificates.node("b"), options));
    b.add_peer("a", a.plane->port());
    a.add_peer("b", b.plane->port());
    REQUIRE(eventually([&] { return a.status_of("b").streams == 2; }));
    b.service.hold();
    Answers answers;
    for (std::uint64_t i = 0; i < 40; ++i)
        a.plane->send_block("b", make_block(i, 500'000), "w", in(kPatience), answers.next());
    const std::uint64_t window = 2 * 3 * 500'000;
    REQUIRE(eventually([&] { return b.status_of("a").bytes_received == window; }));
    CHECK(a.status_of("b").bytes_sent == window);
    b.service.release();
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 40);
}

TEST_CASE("a dialler with another authority's certificate is refused, and both ends say why") {
    const double before = refusals("here", Errc::unauthenticated);
    Certificates certificates;
    const testing::TestAuthority other("test-cluster", "another authority");
    // It trusts both authorities, so that only its own certificate is in question.
    auto files = other.node(certificates.folder("a"), "a");
    testing::write_file(files.ca, other.pem() + certificates.authority.pem());
    TestNode a("a", {"b"}, with_tls(load_tls(files)));
    TestNode b("b", {"a"}, with_tls(certificates.node("b")));
    a.add_peer("b", b.plane->port());
    check_refused(a, "refused this end's certificate", b, "not trusted here");
    CHECK(a.events_named("data_peer_refused", "refused_by=b") > 0);
    CHECK(b.events_named("data_peer_refused", "refused_by=b") > 0);
    CHECK(refusals("here", Errc::unauthenticated) > before);
}

TEST_CASE("an acceptor with another authority's certificate is refused, and both ends say why") {
    Certificates certificates;
    const testing::TestAuthority other("test-cluster", "another authority");
    TestNode a("a", {"b"}, with_tls(certificates.node("a")));
    TestNode b("b", {"a"}, with_tls(load_tls(other.node(certificates.folder("b"), "b"))));
    a.add_peer("b", b.plane->port());
    check_refused(a, "not trusted here", b, "refused this end's certificate");
    CHECK(a.events_named("data_peer_refused", "refused_by=a") > 0);
}

TEST_CASE("a certificate that expired after its node had started is refused, and both ends say so") {
    Certificates certificates;
    const auto soon = load_tls(certificates.authority.issue(
        certificates.folder("a"), {.file = "a", .uris = {"dwcp://test-cluster/node/a"}, .until_s = 2}));
    TestNode a("a", {"b"}, with_tls(soon));
    TestNode b("b", {"a"}, with_tls(certificates.node("b")));
    REQUIRE(eventually([&] { return unix_now_ms() > soon->own().until_ms + 1000; }));
    a.add_peer("b", b.plane->port());
    check_refused(a, "it has expired", b, "expired on");
}

TEST_CASE("an operator's certificate opens no data link") {
    Certificates certificates;
    const auto operators =
        load_tls(certificates.authority.client(certificates.folder("ann"), "operator", "ann"));
    TestNode a("a", {"b"}, with_tls(operators));
    TestNode b("b", {"a"}, with_tls(certificates.node("b")));
    a.add_peer("b", b.plane->port());
    check_refused(a, "refused this end's certificate", b, "belongs to operator ann");
}

TEST_CASE("the dialler refuses whoever shows another node's certificate at its peer's address") {
    Certificates certificates;
    TestNode a("a", {"b"}, with_tls(certificates.node("a")));
    TestNode b("b", {"a"}, with_tls(certificates.node("c")));
    a.add_peer("b", b.plane->port());
    check_refused(a, "belongs to node c, not to b", b, "refused this end's certificate");
}

TEST_CASE("a dialler may only be the node that its certificate names") {
    Certificates certificates;
    TestNode a("a", {"b"}, with_tls(certificates.node("c")));
    TestNode b("b", {"a", "c"}, with_tls(certificates.node("b")));
    a.add_peer("b", b.plane->port());
    check_refused(a, "node 'a' shows the certificate of node 'c'", b,
                  "node 'a' shows the certificate of node 'c'");
}

TEST_CASE("a node of the cluster that nobody configured as a peer is refused in spite of its certificate") {
    Certificates certificates;
    TestNode a("a", {"b"}, with_tls(certificates.node("a")));
    TestNode b("b", {"d"}, with_tls(certificates.node("b")));
    a.add_peer("b", b.plane->port());
    check_refused(a, "is not a peer of this node", b, "is not a peer of this node");
}

TEST_CASE("plain text at a TLS port is refused in words that the caller can read") {
    Certificates certificates;
    TestNode a("a", {"b"});
    TestNode b("b", {"a"}, with_tls(certificates.node("b")));
    a.add_peer("b", b.plane->port());
    check_refused(a, "was called in plain text", b, "was called in plain text");
    CHECK(a.events_named("data_peer_refused", "remedy=it takes only TLS") > 0);
}

TEST_CASE("TLS at a plain port is refused, and both ends say so") {
    Certificates certificates;
    TestNode a("a", {"b"}, with_tls(certificates.node("a")));
    TestNode b("b", {"a"});
    a.add_peer("b", b.plane->port());
    check_refused(a, "does not speak TLS", b, "was called with TLS");
}

TEST_CASE("whoever stays silent at a TLS port is closed, counted and told of") {
    const double before = refusals("here", Errc::deadline_exceeded);
    Certificates certificates;
    auto options = with_tls(certificates.node("b"));
    options.connect_timeout_ms = 100;
    TestNode b("b", {"a"}, options);
    RawPeer silent(make_identity("a"), b.plane->port());
    CHECK(silent.closed());
    RawPeer stuck(make_identity("a"), b.plane->port());
    stuck.send_bytes(Bytes{0x16, 3, 1, 0x40}); // the beginning of a hello that never goes on
    CHECK(stuck.closed());
    CHECK(refusals("here", Errc::deadline_exceeded) == before + 2);
    CHECK(b.events_named("data_peer_refused", "did not say who it is within 100 ms") > 0);
}

TEST_CASE("the limit on connections of strangers holds while they are in their TLS handshakes") {
    Certificates certificates;
    TestNode b("b", {"a"}, with_tls(certificates.node("b")));
    std::vector<std::unique_ptr<RawPeer>> strangers;
    for (int i = 0; i < 64; ++i) {
        strangers.push_back(std::make_unique<RawPeer>(make_identity("a"), b.plane->port()));
        strangers.back()->send_bytes(Bytes{0x16, 3, 1, 0x40});
    }
    RawPeer one_more(make_identity("a"), b.plane->port());
    CHECK(one_more.closed());
}

TEST_CASE("without TLS nothing listens or dials beyond loopback") {
    Certificates certificates;
    EventRing events;
    MemoryService service;
    TestNode a("a", {"b"});
    auto open = quick_options();
    open.listen_host = "0.0.0.0";
    const auto refused = links::DataPlane::start(open, a.self, *a.trust, service, events);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == Errc::invalid_argument);
    CHECK(refused.error().remedy.find("[tls]") != std::string::npos);
    a.plane->add_peer({"b", "192.0.2.1", 7, ""});
    REQUIRE(eventually([&] {
        return a.status_of("b").reason.find("192.0.2.1, which is not a loopback address") !=
               std::string::npos;
    }));
    open.tls = certificates.node("a");
    CHECK(links::DataPlane::start(open, a.self, *a.trust, service, events).has_value());
}
