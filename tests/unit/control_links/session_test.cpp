#include "protocols/base/random.hpp"
#include "runtime/links/control/session.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <set>

using namespace dwcp;
using namespace dwcp::links;
namespace control = dwcp::wire::control;

namespace {

struct Ends {
    Session a;
    Session b;
};

Ends make_ends() {
    const auto offer_a = crypto::make_session_offer();
    const auto offer_b = crypto::make_session_offer();
    return {Session("site-a", 1, 2, crypto::derive_session(offer_a, offer_b.public_part, true).value()),
            Session("site-b", 2, 1, crypto::derive_session(offer_b, offer_a.public_part, false).value())};
}

control::Sealed sealed(const Bytes& frame) {
    return std::get<control::Sealed>(control::decode(frame).value());
}

control::Envelope request(std::uint64_t sequence) {
    return {sequence, "trace", control::Request{"echo", 1000, to_bytes("body")}};
}

} // namespace

TEST_CASE("what one end seals the other end opens") {
    auto ends = make_ends();
    const auto opened = ends.b.open(sealed(ends.a.seal(request(1))));
    REQUIRE(opened);
    CHECK(opened->sequence == 1);
    CHECK(opened->trace == "trace");
    CHECK(std::get<control::Request>(opened->content) == control::Request{"echo", 1000, to_bytes("body")});
}

TEST_CASE("a frame with one flipped bit is refused") {
    auto ends = make_ends();
    auto frame = sealed(ends.a.seal(request(1)));
    const auto flipped = GENERATE(0U, 7U, 31U);
    frame.envelope[flipped] ^= 1;
    const auto opened = ends.b.open(frame);
    REQUIRE(!opened);
    CHECK(opened.error() == BadFrame::bad_mac);
}

TEST_CASE("a frame cannot be reflected to its sender") {
    auto ends = make_ends();
    auto frame = sealed(ends.a.seal(request(1)));
    frame.incarnation = 2; // as if site-b had sent it
    const auto opened = ends.a.open(frame);
    REQUIRE(!opened);
    CHECK(opened.error() == BadFrame::bad_mac);
}

TEST_CASE("a frame of the peer's earlier incarnation is refused") {
    auto ends = make_ends();
    auto frame = sealed(ends.a.seal(request(1)));
    frame.incarnation = 99;
    const auto opened = ends.b.open(frame);
    REQUIRE(!opened);
    CHECK(opened.error() == BadFrame::stale_incarnation);
}

TEST_CASE("a request is accepted once, in any order within the window") {
    auto ends = make_ends();
    for (const std::uint64_t sequence : {3U, 1U, 2U, 5U})
        CHECK(ends.b.open(sealed(ends.a.seal(request(sequence)))));
    for (const std::uint64_t sequence : {1U, 2U, 3U, 5U}) {
        const auto again = ends.b.open(sealed(ends.a.seal(request(sequence))));
        REQUIRE(!again);
        CHECK(again.error() == BadFrame::replayed);
    }
    CHECK(ends.b.open(sealed(ends.a.seal(request(4)))));
    CHECK(ends.b.open(sealed(ends.a.seal(request(10'000)))));
    CHECK(!ends.b.open(sealed(ends.a.seal(request(6)))));
}

TEST_CASE("the replay window agrees with a set of everything seen") {
    Random random(test::seed());
    ReplayWindow window;
    std::set<std::uint64_t> seen;
    std::uint64_t highest = 0;
    for (int round = 0; round < 20'000; ++round) {
        const std::uint64_t reach = random.below(50) == 0 ? 5000 : 40;
        const std::uint64_t base = highest > 1200 ? highest - 1200 : 0;
        const std::uint64_t sequence =
            1 + (random.below(2) == 0 ? highest + random.below(reach) : base + random.below(1200));
        const bool in_window = sequence + ReplayWindow::kWidth > highest;
        const bool expected = in_window && !seen.contains(sequence);
        REQUIRE(window.admit(sequence) == expected);
        if (expected) seen.insert(sequence);
        highest = std::max(highest, expected ? sequence : highest);
    }
}
