// A block that goes to a peer and back: what deep health asks of a data link.
#include "protocols/wire/data_messages.hpp"
#include "tests/unit/data_links/fixture.hpp"

using namespace dwcp;
using namespace dwcp::test;

namespace {

struct EchoPair {
    EchoPair() {
        auto options = quick_options();
        options.faults = &faults;
        a = std::make_unique<TestNode>("a", std::set<NodeName>{"b"}, options);
        b = std::make_unique<TestNode>("b", std::set<NodeName>{"a"});
        a->add_peer("b", b->plane->port());
        REQUIRE(eventually([&] { return a->up("b"); }));
    }
    Result<void> echo(std::size_t size, std::chrono::milliseconds patience = kPatience) {
        Answer<void> answer;
        a->plane->echo("b", make_block(size, size).bytes, in(patience), answer.callback());
        return answer.wait();
    }
    chaos::LinkFaults::Id fault(const chaos::Verdict& verdict) {
        return faults.add({.peer = "b", .control = false, .data = true, .percent = 100, .verdict = verdict});
    }

    chaos::LinkFaults faults{1};
    std::unique_ptr<TestNode> a;
    std::unique_ptr<TestNode> b;
};

} // namespace

TEST_CASE("a block goes to a peer and back, and leaves nothing behind") {
    EchoPair pair;
    for (const std::size_t size : {std::size_t{1}, std::size_t{4096}, std::size_t{wire::kEchoBytesMax}})
        CHECK(pair.echo(size));
    CHECK(pair.b->service.accepted() == 0);
    CHECK_FALSE(pair.b->service.has(make_block(4096, 4096).hash));
    CHECK_FALSE(pair.a->service.has(make_block(4096, 4096).hash));
}

TEST_CASE("an echo of an impossible size is refused before it is sent") {
    EchoPair pair;
    CHECK(pair.echo(0).error().code == Errc::invalid_argument);
    CHECK(pair.echo(wire::kEchoBytesMax + 1).error().code == Errc::invalid_argument);
    CHECK(pair.echo(1));
}

TEST_CASE("an echo over a link that loses blocks fails, and works when the link does again") {
    EchoPair pair;
    const auto fault = pair.fault({.drop = true});
    CHECK(pair.echo(1000, 200ms).error().code == Errc::deadline_exceeded);
    pair.faults.remove(fault);
    CHECK(pair.echo(1000));
}

TEST_CASE("an echo is never taken for good while the link changes its bytes") {
    EchoPair pair;
    const auto fault = pair.fault({.corrupt = true});
    CHECK_FALSE(pair.echo(1000, 300ms));
    pair.faults.remove(fault);
    CHECK(pair.echo(1000));
}

TEST_CASE("a link that is dialled anew has new streams, and loses no request") {
    EchoPair pair;
    pair.b->service.hold();
    Answers answers;
    for (std::uint64_t i = 0; i < 3; ++i)
        pair.a->plane->send_block("b", make_block(i, 1000), "w", in(kPatience), answers.next());
    REQUIRE(eventually([&] { return pair.b->service.waiting() > 0; }));
    pair.a->plane->redial("b");
    pair.a->plane->redial("nobody");
    REQUIRE(eventually([&] { return pair.a->events_named("data_peer_down", "dialled anew") == 1; }));
    pair.b->service.release();
    REQUIRE(answers.wait_all());
    CHECK(answers.succeeded() == 3);
    CHECK(answers.each_exactly_once());
    CHECK(pair.echo(1000));
    CHECK(pair.a->events_named("data_peer_up") == 2);
}

TEST_CASE("a hello without features is that of an older node, of which no echo is asked") {
    const auto self = make_identity("a");
    wire::Hello hello{self.cluster_id, self.name, self.public_key(), self.incarnation, {}};
    CHECK(wire::decode_hello(wire::encode_hello(hello))->features == 0);
    // What both sides sign must be what older nodes sign, too.
    auto newer = hello;
    newer.features = wire::kFeatureEcho;
    CHECK(wire::decode_hello(wire::encode_hello(newer))->features == wire::kFeatureEcho);
    CHECK(wire::handshake_transcript(wire::Role::dialler, newer, hello) ==
          wire::handshake_transcript(wire::Role::dialler, hello, hello));
}
