#include "protocols/base/random.hpp"
#include "tests/unit/tls/tls_rig.hpp"

#include <iostream>

using namespace dwcp;
using namespace dwcp::testing;
using tls::Clients;
using tls::Want;

namespace {

struct Connected {
    Connected() {
        const Ends ends = meet(*accepting, *connecting, pair);
        REQUIRE_FALSE(ends.accepting);
        REQUIRE_FALSE(ends.connecting);
    }
    Directory directory;
    TestAuthority authority{"demo"};
    std::shared_ptr<tls::Context> a = load(authority.node(directory / "a", "site-a"));
    std::shared_ptr<tls::Context> b = load(authority.node(directory / "b", "site-b"));
    Pair pair;
    std::unique_ptr<tls::Session> accepting = a->accept(pair.fds[0], Clients::nodes);
    std::unique_ptr<tls::Session> connecting = b->connect(pair.fds[1], "site-a");
};

Bytes random_bytes(Random& random, std::size_t size) {
    Bytes bytes(size);
    for (auto& byte : bytes)
        byte = static_cast<Byte>(random.next());
    return bytes;
}

} // namespace

TEST_CASE("bytes arrive whole whatever pieces they are offered and taken in", "[tls]") {
    const char* given = std::getenv("DWCP_SEED");
    const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : 4711;
    std::cout << "seed " << seed << "\n";
    Random random(seed);
    Connected ends;
    const Bytes sent = random_bytes(random, 3'000'000);
    Bytes received;
    std::size_t offset = 0;
    std::size_t offered = 0; // after Want, at least as much must be offered again
    bool full = false;
    while (received.size() < sent.size()) {
        if (offset < sent.size()) {
            const std::size_t rest = sent.size() - offset;
            offered = std::min(rest, std::max(offered, 1 + random.next() % 100'000));
            const Bytes moved(sent.begin() + static_cast<std::ptrdiff_t>(offset),
                              sent.begin() +
                                  static_cast<std::ptrdiff_t>(offset + offered)); // another address
            const auto wrote = ends.connecting->write(moved);
            REQUIRE(wrote.has_value());
            full |= wrote->want == Want::writable;
            if (wrote->bytes > 0) offered = 0;
            offset += wrote->bytes;
        }
        Bytes piece(1 + random.next() % 50'000);
        const auto got = ends.accepting->read(piece);
        REQUIRE(got.has_value());
        received.insert(received.end(), piece.begin(),
                        piece.begin() + static_cast<std::ptrdiff_t>(got->bytes));
    }
    CHECK(full); // the socket was full at least once
    CHECK(received == sent);
}

TEST_CASE("what is left of a record is told, since the socket will not become readable for it", "[tls]") {
    Connected ends;
    const Bytes sent(1'000, 7);
    REQUIRE(ends.connecting->write(sent)->bytes == 1'000);
    Bytes some(10);
    REQUIRE(ends.accepting->read(some)->bytes == 10);
    CHECK(ends.accepting->pending() == 990);
    Bytes rest(2'000);
    CHECK(ends.accepting->read(rest)->bytes == 990);
    CHECK(ends.accepting->pending() == 0);
    CHECK(ends.accepting->read(rest)->want == Want::readable);
}

TEST_CASE("an orderly end is told from a cut", "[tls]") {
    Bytes buffer(10);
    {
        Connected ends;
        ends.connecting->close();
        const auto end = ends.accepting->read(buffer);
        REQUIRE(end.has_value());
        CHECK(end->ended);
        CHECK_FALSE(ends.connecting->read(buffer).has_value());
    }
    Connected ends;
    ends.pair.close_end(1);
    const auto cut = ends.accepting->read(buffer);
    REQUIRE_FALSE(cut.has_value());
    CHECK(cut.error().code == Errc::unavailable);
    const auto write = ends.accepting->write(buffer); // no SIGPIPE, and the same error
    REQUIRE_FALSE(write.has_value());
    CHECK(write.error().message == cut.error().message);
}

TEST_CASE("a client that writes to an end that refused it reads why", "[tls]") {
    Connected rig; // for its certificates
    Pair pair;
    const auto ann = load(rig.authority.client(rig.directory / "c", "viewer", "ann"));
    auto accepting = rig.a->accept(pair.fds[0], Clients::nodes);
    const auto connecting = ann->connect(pair.fds[1], "");
    bool connected = false;
    bool refused = false;
    for (int turn = 0; turn < 10 && !refused; ++turn) {
        if (!connected) connected = connecting->handshake()->want == Want::nothing;
        const auto step = accepting->handshake();
        refused = !step.has_value();
    }
    REQUIRE(connected);
    REQUIRE(refused);
    pair.close_end(0);
    Bytes request(100'000, 1);
    Result<tls::Progress> wrote = tls::Progress{};
    for (int i = 0; i < 1'000 && wrote; ++i)
        wrote = connecting->write(request);
    REQUIRE_FALSE(wrote.has_value());
    CHECK(wrote.error().message.find("another cluster, kind or node") != std::string::npos);
}
