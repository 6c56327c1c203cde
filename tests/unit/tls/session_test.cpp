#include "protocols/base/random.hpp"
#include "tests/unit/tls/tls_rig.hpp"

#include <iostream>
#include <signal.h>

using namespace dwcp;
using namespace dwcp::testing;
using tls::Clients;
using tls::Want;

namespace {

struct Cast {
    Directory directory;
    TestAuthority authority{"demo"};
    std::shared_ptr<tls::Context> a = load(authority.node(directory / "a", "site-a"));
    std::shared_ptr<tls::Context> b = load(authority.node(directory / "b", "site-b"));
};

/// site-a accepts `client`; returns how both ends saw it.
Ends meet(tls::Context& a, tls::Context& client, Clients clients, const std::string& wanted = "site-a") {
    const Pair pair;
    const auto accepting = a.accept(pair.fds[0], clients);
    const auto connecting = client.connect(pair.fds[1], wanted);
    return meet(*accepting, *connecting, pair);
}

void check_says(const End& end, const std::string& text) {
    REQUIRE(end.has_value());
    INFO(end->render());
    CHECK(end->code == Errc::unauthenticated);
    CHECK(end->message.find(text) != std::string::npos);
    CHECK_FALSE(end->remedy.empty());
}

} // namespace

TEST_CASE("two nodes of one authority meet and know each other's certificates", "[tls]") {
    Cast cast;
    const Pair pair;
    const auto accepting = cast.a->accept(pair.fds[0], Clients::nodes);
    const auto connecting = cast.b->connect(pair.fds[1], "site-a");
    const Ends ends = meet(*accepting, *connecting, pair);
    if (ends.accepting) FAIL(ends.accepting->render());
    if (ends.connecting) FAIL(ends.connecting->render());
    REQUIRE(accepting->peer());
    CHECK(accepting->peer()->subject.uri() == "dwcp://demo/node/site-b");
    CHECK(accepting->peer()->serial == cast.b->own().serial);
    REQUIRE(connecting->peer());
    CHECK(connecting->peer()->subject.uri() == "dwcp://demo/node/site-a");
    CHECK(connecting->peer()->principal().role == identity::Role::none);
}

TEST_CASE("a certificate of another authority is refused, and both ends read why", "[tls]") {
    Cast cast;
    const TestAuthority other("demo", "another authority");
    const auto stranger = load(other.node(cast.directory / "s", "site-b"));
    // The stranger checks first, and refuses site-a as well.
    const Ends ends = meet(*cast.a, *stranger, Clients::nodes);
    check_says(ends.connecting, "is signed by an authority that is not trusted here (CN = test authority)");
    check_says(ends.accepting, "refused this end's certificate: it does not trust the authority");

    // One that trusts both authorities comes as far as showing its certificate.
    const auto files = other.node(cast.directory / "t", "site-b");
    write_file(cast.directory / "t" / "both.pem", other.pem() + cast.authority.pem());
    const auto trusting = load({files.certificate, files.key, (cast.directory / "t" / "both.pem").string()});
    const Ends later = meet(*cast.a, *trusting, Clients::nodes);
    check_says(later.accepting,
               "is signed by an authority that is not trusted here (CN = another authority)");
    check_says(later.connecting, "refused this end's certificate: it does not trust the authority");
}

TEST_CASE("an authority of the trusted one's name but with another key is not trusted", "[tls]") {
    Cast cast;
    const TestAuthority twin("demo"); // the same name
    const auto files = twin.node(cast.directory / "s", "site-b");
    write_file(cast.directory / "s" / "both.pem", twin.pem() + cast.authority.pem());
    const auto stranger = load({files.certificate, files.key, (cast.directory / "s" / "both.pem").string()});
    check_says(meet(*cast.a, *stranger, Clients::nodes).accepting, "an authority that is not trusted here");
}

TEST_CASE("a certificate that expired on an open node is refused with the date", "[tls]") {
    Cast cast;
    CertificateWish wish;
    wish.file = "old";
    wish.uris = {"dwcp://demo/node/site-b"};
    wish.until_s = 2; // good when it is loaded, not when it is shown
    const auto files = cast.authority.issue(cast.directory / "o", wish);
    const auto context = tls::Context::load(files, "demo");
    if (!context) FAIL(context.error().render());
    const auto until_ms = (*context)->own().until_ms;
    // Time itself is the condition; a certificate is still good in its last second.
    while (std::time(nullptr) * 1000 <= until_ms)
        ::poll(nullptr, 0, 10);
    const Ends ends = meet(*cast.a, **context, Clients::nodes);
    check_says(ends.accepting, "expired on 20");
    check_says(ends.connecting, "refused this end's certificate: it has expired");
    const auto again = (*context)->reload();
    REQUIRE_FALSE(again.has_value());
    CHECK(again.error().message.find("old.pem: the certificate expired on 20") != std::string::npos);
}

TEST_CASE("a node of another cluster is refused though the authority is the same", "[tls]") {
    Cast cast;
    CertificateWish wish;
    wish.uris = {"dwcp://other/node/site-b"};
    const auto stranger = load(cast.authority.issue(cast.directory / "s", wish), "other");
    // The dialler looks first.
    check_says(meet(*cast.a, *stranger, Clients::nodes).connecting, "belongs to cluster demo, not other");
    const Pair pair;
    const auto accepting = stranger->accept(pair.fds[0], Clients::nodes);
    const auto connecting = cast.a->connect(pair.fds[1], "");
    const Ends ends = meet(*accepting, *connecting, pair);
    check_says(ends.connecting, "belongs to cluster other, not demo");
    check_says(ends.accepting, "it is of another cluster, kind or node than asked for there");
}

TEST_CASE("a node that answers at another's address is refused", "[tls]") {
    Cast cast;
    const Ends ends = meet(*cast.a, *cast.b, Clients::nodes, "site-c");
    check_says(ends.connecting, "belongs to node site-a, not to site-c");
    CHECK(meet(*cast.a, *cast.b, Clients::nodes, "").connecting == std::nullopt); // any node
}

TEST_CASE("a client's certificate is no node's, on either side", "[tls]") {
    Cast cast;
    const auto ann = load(cast.authority.client(cast.directory / "c", "operator", "ann"));
    check_says(meet(*cast.a, *ann, Clients::nodes).accepting,
               "belongs to operator ann; only a node's is accepted here");
    const Pair pair;
    const auto accepting = ann->accept(pair.fds[0], Clients::optional);
    const auto connecting = cast.a->connect(pair.fds[1], "");
    check_says(meet(*accepting, *connecting, pair).connecting, "belongs to operator ann; only a node's");
    CHECK(ann->own().principal().role == identity::Role::operator_);
}

TEST_CASE("clients may come without a certificate where they may, but not with a bad one", "[tls]") {
    Cast cast;
    const auto ca = cast.directory / "a" / "ca.pem";
    const auto nobody = load({"", "", ca.string()}, "");
    {
        const Pair pair;
        const auto accepting = cast.a->accept(pair.fds[0], Clients::optional);
        const auto connecting = nobody->connect(pair.fds[1], "");
        const Ends ends = meet(*accepting, *connecting, pair);
        CHECK_FALSE(ends.accepting);
        CHECK_FALSE(ends.connecting);
        CHECK_FALSE(accepting->peer());
        CHECK(connecting->peer()->subject.name == "site-a");
    }
    const Ends refused = meet(*cast.a, *nobody, Clients::nodes, "");
    check_says(refused.accepting, "showed no certificate");
    check_says(refused.connecting, "asks for a certificate, and none was shown");

    const TestAuthority other("demo", "another authority");
    const auto files = other.client(cast.directory / "x", "admin", "eve");
    const auto eve = tls::Context::load({files.certificate, files.key, files.ca}, "demo");
    REQUIRE(eve.has_value());
    write_file(files.ca, other.pem() + cast.authority.pem());
    REQUIRE((*eve)->reload().value());
    check_says(meet(*cast.a, **eve, Clients::optional).accepting, "an authority that is not trusted here");
}

TEST_CASE("a certificate must carry exactly one name of ours", "[tls]") {
    Cast cast;
    const std::vector<std::vector<std::string>> bad = {
        {},
        {"dwcp://demo/node/site-b", "dwcp://demo/admin/eve"},
        {"https://example.org/"},
        {"dwcp://demo/node/site-b/x"},
        {"dwcp://demo/root/eve"},
        {"dwcp://Demo/node/site-b"},
    };
    for (const auto& uris : bad) {
        CertificateWish wish;
        wish.uris = uris;
        const auto refused = tls::Context::load(cast.authority.issue(cast.directory / "n", wish), "");
        REQUIRE_FALSE(refused.has_value());
        INFO(refused.error().render());
        CHECK(refused.error().message.find("of the form dwcp://CLUSTER/KIND/NAME") != std::string::npos);
    }
    CertificateWish other_schemes;
    other_schemes.uris = {"https://example.org/", "dwcp://demo/node/site-b"};
    CHECK(load(cast.authority.issue(cast.directory / "n", other_schemes))->own().subject.name == "site-b");
}

TEST_CASE("plain text is recognised, and nothing is sent to it", "[tls]") {
    Cast cast;
    for (const std::string& text :
         {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\0\0\0\x10", 4), std::string("SSH-2.0-x")}) {
        const Pair pair;
        REQUIRE(::send(pair.fds[1], text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
        const auto accepting = cast.a->accept(pair.fds[0], Clients::nodes);
        const auto first = accepting->handshake();
        REQUIRE_FALSE(first.has_value());
        CHECK(first.error().code == Errc::invalid_argument);
        CHECK(first.error().message.find("does not speak TLS") != std::string::npos);
        CHECK(accepting->handshake().error().message == first.error().message);
        char byte = 0;
        CHECK(::recv(pair.fds[1], &byte, 1, 0) == -1); // not even an alert
    }
    const Pair pair;
    REQUIRE(::send(pair.fds[1], "HTTP/1.1 400 ", 13, 0) == 13);
    const auto dialling = cast.a->connect(pair.fds[0], "site-b");
    const auto answer = as_far_as_it_goes(pair.fds[0], [&] { return dialling->handshake(); });
    REQUIRE(answer.has_value());
    REQUIRE_FALSE(answer->has_value());
    CHECK(answer->error().message.find("site-b at the peer does not speak TLS") != std::string::npos);
    CHECK(answer->error().remedy.find("[tls]") != std::string::npos);
}

TEST_CASE("an end that goes away in the handshake is unavailable, and no signal comes", "[tls]") {
    Cast cast;
    REQUIRE(::signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    Pair pair;
    const auto dialling = cast.a->connect(pair.fds[0], "site-b");
    pair.close_end(1);
    const auto result = dialling->handshake();
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().code == Errc::unavailable);
    CHECK(result.error().message.find("was cut by the other end") != std::string::npos);
}

TEST_CASE("random bytes instead of a handshake end it without harm", "[tls]") {
    Cast cast;
    const char* given = std::getenv("DWCP_SEED");
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 20261124;
    std::cout << "seed " << seed << "\n";
    Random random(seed);
    for (int round = 0; round < 200; ++round) {
        const Pair pair;
        Bytes noise(1 + random.next() % 600);
        for (auto& byte : noise)
            byte = static_cast<Byte>(random.next());
        noise[0] = 22; // as a handshake would
        if (noise.size() > 2 && random.next() % 2 == 0) noise[1] = 3;
        REQUIRE(::send(pair.fds[1], noise.data(), noise.size(), 0) == static_cast<ssize_t>(noise.size()));
        ::shutdown(pair.fds[1], SHUT_WR);
        const auto accepting = cast.a->accept(pair.fds[0], Clients::optional);
        const auto end = as_far_as_it_goes(pair.fds[0], [&] { return accepting->handshake(); });
        REQUIRE(end.has_value());
        CHECK_FALSE(end->has_value());
        CHECK_FALSE(accepting->peer());
    }
}
