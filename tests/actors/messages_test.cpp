// What may stand in a message, and what happens to it at a node's edge.
#include "runtime/caf/actor.hpp"
#include "runtime/caf/errors.hpp"
#include "runtime/caf/messages.hpp"
#include "runtime/metrics/metrics.hpp"
#include "tests/actors/nodes.hpp"

#include <capnp/any.h>
#include <capnp/message.h>
#include <capnp/serialize.h>
#include <catch2/catch.hpp>

#include <bit>
#include <cmath>
#include <limits>

using namespace dwcp;
using namespace dwcp::test;
using actor::ControlFrame;

namespace {

template<class T>
struct IsLocal : std::false_type {};
template<class T>
struct IsLocal<actor::Local<T>> : std::true_type {};

double escaped() {
    return metrics::counter("dwcp_actor_local_message_escaped_total",
                            "Messages for this process that somebody tried to send to another node.")
        .value();
}

/// A message as it would cross to another node and arrive there. Through save() and load(), since CAF's
/// operators drop the errors of a message's elements.
Result<caf::message> cross(caf::actor_system& system, const caf::message& message) {
    std::vector<char> buffer;
    caf::binary_serializer sink(system, buffer);
    if (auto error = message.save(sink)) return std::unexpected(actor::from_caf(error));
    caf::message arrived;
    caf::binary_deserializer source(system, buffer);
    if (auto error = arrived.load(source)) return std::unexpected(actor::from_caf(error));
    return arrived;
}

/// For each type in the id block, at compile time: it is one of the two kinds, and behaves like its kind.
template<caf::type_id_t Id>
void check_type(caf::actor_system& system) {
    using T = typename caf::type_by_id<Id>::type;
    INFO(caf::type_name_by_id<Id>::value);
    if constexpr (std::is_same_v<T, ControlFrame>) {
        const ControlFrame frame(to_bytes("as sent"));
        const auto arrived = cross(system, caf::make_message(frame));
        REQUIRE(arrived);
        REQUIRE(arrived->match_elements<ControlFrame>());
        CHECK(arrived->get_as<ControlFrame>(0) == frame);
    } else {
        static_assert(IsLocal<T>::value,
                      "a message is a ControlFrame or a Local<T>: nothing else has a safe way to cross");
        const double before = escaped();
        const auto arrived = cross(system, caf::make_message(T{}));
        REQUIRE(!arrived);
        CHECK(arrived.error().message == "a Local<T> message cannot leave its process");
        CHECK(escaped() == before + 1);
    }
}

template<caf::type_id_t... Offset>
void check_block(caf::actor_system& system, std::integer_sequence<caf::type_id_t, Offset...>) {
    (check_type<caf::id_block::dwcp_messages::begin + Offset>(system), ...);
}

class Echo : public actor::Actor {
  public:
    using actor::Actor::Actor;

  protected:
    caf::behavior handlers() override {
        return {[](const ControlFrame& frame) { return frame; }};
    }
};

links::ControlPeer dialler(const std::string& name) { return {name, "", "127.0.0.1", 1}; }

} // namespace

TEST_CASE("every type of the id block crosses whole or refuses loudly") {
    actor::System system({.threads = 2});
    using Block = caf::id_block::dwcp_messages;
    STATIC_REQUIRE(Block::end > Block::begin);
    check_block(system, std::make_integer_sequence<caf::type_id_t, Block::end - Block::begin>());
}

TEST_CASE("a control frame of any permitted size crosses whole") {
    actor::System system({.threads = 2});
    const std::size_t size = GENERATE(std::size_t{0}, std::size_t{1}, actor::kControlFrameBytes);
    const ControlFrame frame(Bytes(size, 0xa5));
    const auto arrived = cross(system, caf::make_message(frame));
    REQUIRE(arrived);
    CHECK(arrived->get_as<ControlFrame>(0) == frame);
}

TEST_CASE("a control frame over the limit is not sent") {
    actor::System system({.threads = 2});
    const auto arrived =
        cross(system, caf::make_message(ControlFrame(Bytes(actor::kControlFrameBytes + 1, 0))));
    REQUIRE(!arrived);
    CHECK(arrived.error().code == Errc::too_large);
}

TEST_CASE("a control frame that announces more than the limit is refused before anything is allocated") {
    actor::System system({.threads = 2});
    std::vector<char> buffer;
    caf::binary_serializer sink(system, buffer);
    std::size_t announced = 0xffff'ffff; // the most that CAF's length field can say
    REQUIRE(!sink.begin_sequence(announced));
    caf::binary_deserializer source(system, buffer);
    ControlFrame frame;
    const auto error = source(frame);
    REQUIRE(error);
    CHECK(actor::from_caf(error).code == Errc::too_large);
}

TEST_CASE("what cannot cross is answered at once as unknown, and the connection lives on") {
    actor::System here({.threads = 2});
    actor::System there({.threads = 2});
    actor::Resolver resolver;
    const auto receiver = there.get().spawn<Echo>(actor::ActorContext{.path = "echo", .resolver = &resolver});
    const auto port = there.get().middleman().publish(receiver, 0, "127.0.0.1");
    REQUIRE(port);
    const auto remote = here.get().middleman().remote_actor("127.0.0.1", *port);
    REQUIRE(remote);
    const auto unknown = metrics::counter("dwcp_actor_unknown_messages_total",
                                          "Messages that no handler took, by actor.", {{"actor", "echo"}});
    const double unknown_before = unknown.value();
    const double escaped_before = escaped();
    caf::scoped_actor self{here.get()};
    const auto refused = [&](const auto& message) {
        self->request(*remote, kPatience, message)
            .receive([](const ControlFrame&) { FAIL("answered"); },
                     [](const caf::error& error) { CHECK(actor::from_caf(error).code == Errc::internal); });
    };
    refused(actor::Local<actor::Task>(actor::Task{[] {}}));
    CHECK(escaped() > escaped_before);
    refused(ControlFrame(Bytes(actor::kControlFrameBytes + 1, 0)));
    CHECK(unknown.value() == unknown_before + 2);
    bool answered = false;
    self->request(*remote, kPatience, ControlFrame(to_bytes("next")))
        .receive([&](const ControlFrame& frame) { answered = frame == ControlFrame(to_bytes("next")); },
                 [](const caf::error& error) { FAIL(actor::from_caf(error).render()); });
    CHECK(answered);
    caf::anon_send_exit(receiver, caf::exit_reason::kill);
}

TEST_CASE("every error code passes through CAF's errors, the first one too") {
    for (int code = 0; code <= static_cast<int>(kErrcLast); ++code) {
        const auto error = actor::to_caf({static_cast<Errc>(code), "message", "remedy"});
        REQUIRE(error); // for CAF, code 0 is no error at all
        const auto back = actor::from_caf(error);
        CHECK(static_cast<int>(back.code) == code);
        CHECK(back.message == "message");
        CHECK(back.remedy == "remedy");
    }
    CHECK(actor::from_caf(caf::error{}).code == Errc::internal);
    CHECK(!actor::is_receiver_down(caf::error{}));
}

TEST_CASE("infinities, NaNs and subnormal numbers reach a peer bit by bit") {
    const std::vector<double> sent{INFINITY,
                                   -INFINITY,
                                   NAN,
                                   std::numeric_limits<double>::signaling_NaN(),
                                   std::numeric_limits<double>::denorm_min(),
                                   1e-310,
                                   -0.0,
                                   0.0,
                                   3.5};
    capnp::MallocMessageBuilder message;
    auto list =
        message.getRoot<capnp::AnyPointer>().initAs<capnp::List<double>>(static_cast<unsigned>(sent.size()));
    for (unsigned i = 0; i < sent.size(); ++i)
        list.set(i, sent[i]);
    const auto words = capnp::messageToFlatArray(message);
    const Bytes body(words.asBytes().begin(), words.asBytes().end());

    TempDir home;
    Node b{home, "site-b", {dialler("site-a")}};
    Node a{home, "site-a", {b.as_peer()}};
    REQUIRE(a.until_up("site-b"));
    b.links().serve_function("echo",
                             [](const links::PeerRequest& request) -> Result<Bytes> { return request.body; });
    const auto answer = a.ask("site-b", "echo", body);
    REQUIRE(answer);

    auto received = kj::heapArray<capnp::word>(answer->size() / sizeof(capnp::word));
    std::copy(answer->begin(), answer->end(), received.asBytes().begin());
    capnp::FlatArrayMessageReader reader(received);
    const auto got = reader.getRoot<capnp::AnyPointer>().getAs<capnp::List<double>>();
    REQUIRE(got.size() == sent.size());
    for (unsigned i = 0; i < sent.size(); ++i) {
        CHECK(std::bit_cast<std::uint64_t>(got[i]) == std::bit_cast<std::uint64_t>(sent[i]));
    }
}
