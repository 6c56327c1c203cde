// What somebody who reaches the control port without being a peer, or a peer that does not keep to the rules,
// can do: nothing but be counted.
#include "protocols/wire/control.hpp"
#include "runtime/caf/errors.hpp"
#include "runtime/caf/messages.hpp"
#include "runtime/links/control/greeting.hpp"
#include "runtime/metrics/metrics.hpp"
#include "tests/actors/nodes.hpp"

#include <caf/io/basp_broker.hpp>
#include <catch2/catch.hpp>

using namespace dwcp;
using namespace dwcp::test;
using actor::ControlFrame;
namespace control = dwcp::wire::control;

namespace {

links::ControlPeer dialler(const std::string& name) { return {name, "", "127.0.0.1", 1}; }

double bad_frames(const std::string& peer, const std::string& reason) {
    return metrics::counter("dwcp_control_bad_frames_total",
                            "Control frames that were counted and dropped, by peer and reason.",
                            {{"peer", peer}, {"reason", reason}})
        .value();
}

/// A CAF program that has connected to a node's control port and speaks to its gateway by hand, as `name`.
class ByHand {
  public:
    ByHand(const TempDir& home, const std::string& name, const Node& node)
        : self_(identity::load_or_create(home.sub(name), name, "", "test").value()),
          node_(node.identity().name),
          trust_(identity::TrustStore::open(home.sub(name), {{node_, ""}}).value()), system_({.threads = 2}),
          asker_(system_.get()) {
        const auto remote = system_.get().middleman().remote_actor("127.0.0.1", node.port());
        if (!remote) FAIL("cannot connect");
        gateway_ = *remote;
    }

    const caf::actor& gateway() const { return gateway_; }
    caf::actor_system& system() { return system_.get(); }

    control::Message ask(Bytes frame) {
        control::Message answer;
        asker_->request(gateway_, kPatience, ControlFrame(std::move(frame)))
            .receive([&](const ControlFrame& reply) { answer = control::decode(reply.view()).value(); },
                     [](const caf::error& error) { FAIL(actor::from_caf(error).render()); });
        return answer;
    }

    links::Greeting make_greeting() const {
        return links::Greeting(self_, {links::kWireVersion, 200, 1000}, control::Role::dialler, node_);
    }

    /// The whole greeting, as a node would do it.
    links::Session greet() {
        auto greeting = make_greeting();
        const auto ack = std::get<control::HelloAck>(ask(control::encode(control::Hello{greeting.own()})));
        REQUIRE(greeting.consider(ack.offer));
        REQUIRE(greeting.prove(ack.signature, *trust_));
        auto session = greeting.make_session().value();
        const auto welcome = ask(control::encode(control::Confirm{ack.offer.nonce, greeting.sign()}));
        REQUIRE(session.open(std::get<control::Sealed>(welcome)));
        return session;
    }

  private:
    identity::Identity self_;
    std::string node_;
    std::unique_ptr<identity::TrustStore> trust_;
    actor::System system_;
    caf::scoped_actor asker_;
    caf::actor gateway_;
};

/// A refusal that tells nothing.
void check_curt(const control::Message& answer) {
    const auto* refusal = std::get_if<control::Refusal>(&answer);
    REQUIRE(refusal != nullptr);
    CHECK(refusal->error.code == Errc::unauthenticated);
    CHECK(refusal->error.message == "the frame was not accepted");
    CHECK(refusal->error.remedy.empty());
}

Bytes sealed_as(const std::string& name, Incarnation incarnation) {
    return control::encode(control::Sealed{name, incarnation, {}, Bytes(64, 0)});
}

struct Setting {
    TempDir home;
    Node b{home, "site-b", {dialler("site-a")}};
    int served = 0;

    Setting() {
        b.links().serve_function("count", [this](const links::PeerRequest&) -> Result<Bytes> {
            ++served;
            return Bytes{};
        });
    }
};

} // namespace

TEST_CASE("a stranger's frames are counted by reason and answered without detail") {
    Setting setting;
    ByHand stranger{setting.home, "stranger", setting.b};
    const auto counted = [&](const std::string& peer, const std::string& reason, Bytes frame) {
        const double before = bad_frames(peer, reason);
        check_curt(stranger.ask(std::move(frame)));
        CHECK(bad_frames(peer, reason) == before + 1);
    };
    counted("unknown", "undecodable", to_bytes("12345678"));
    counted("unknown", "undecodable", {});
    counted("unknown", "no_session", sealed_as("stranger", 1));
    counted("site-a", "no_session", sealed_as("site-a", 1));
    counted("unknown", "no_session", control::encode(control::Confirm{}));
    counted("unknown", "wrong_kind", control::encode(control::Refusal{"site-a", {Errc::internal, "no", {}}}));
    CHECK(setting.b.peer("site-a").bad_frames == 1);
}

TEST_CASE("an authenticated peer's stale, forged, repeated and misplaced frames are counted and dropped") {
    Setting setting;
    ByHand peer{setting.home, "site-a", setting.b};
    auto session = peer.greet();
    REQUIRE(setting.b.until_up("site-a"));
    const auto frame = session.seal({session.next_sequence(), {}, control::Request{"count", 1000, {}}});
    const auto answer = session.open(std::get<control::Sealed>(peer.ask(frame)));
    REQUIRE(answer);
    CHECK(std::holds_alternative<Bytes>(answer->content));
    REQUIRE(setting.served == 1);

    std::string reason;
    Bytes bad;
    SECTION("repeated") {
        reason = "replayed";
        bad = frame;
    }
    SECTION("of an earlier incarnation") {
        reason = "stale_incarnation";
        auto sealed = std::get<control::Sealed>(control::decode(frame).value());
        ++sealed.incarnation;
        bad = control::encode(sealed);
    }
    SECTION("forged") {
        reason = "bad_mac";
        auto sealed = std::get<control::Sealed>(control::decode(frame).value());
        sealed.envelope[8] ^= 1;
        bad = control::encode(sealed);
    }
    SECTION("an answer in place of a request") {
        reason = "wrong_kind";
        bad = session.seal({1, {}, Bytes{}});
    }
    const double before = bad_frames("site-a", reason);
    check_curt(peer.ask(bad));
    CHECK(bad_frames("site-a", reason) == before + 1);
    CHECK(setting.b.peer("site-a").bad_frames == 1);
    CHECK(setting.served == 1);
    CHECK(setting.b.peer("site-a").up);
}

TEST_CASE("a stale frame of a peer's last life is dropped after its restart") {
    Setting setting;
    Bytes late;
    {
        ByHand first{setting.home, "site-a", setting.b};
        auto session = first.greet();
        late = session.seal({session.next_sequence(), {}, control::Request{"count", 1000, {}}});
    }
    ByHand second{setting.home, "site-a", setting.b};
    second.greet();
    check_curt(second.ask(late));
    CHECK(setting.served == 0);
}

TEST_CASE("the signature and the key decide who a peer is, not its name") {
    Setting setting;
    {
        ByHand honest{setting.home, "site-a", setting.b};
        honest.greet();
    }
    TempDir elsewhere; // another key
    ByHand impostor{elsewhere, "site-a", setting.b};
    auto greeting = impostor.make_greeting();
    const auto ack =
        std::get<control::HelloAck>(impostor.ask(control::encode(control::Hello{greeting.own()})));
    REQUIRE(greeting.consider(ack.offer));
    SECTION("with its own key") {
        const auto answer = impostor.ask(control::encode(control::Confirm{ack.offer.nonce, greeting.sign()}));
        const auto& refusal = std::get<control::Refusal>(answer);
        CHECK(refusal.error.code == Errc::unauthenticated);
        CHECK(refusal.error.message.starts_with("node \"site-a\" shows key "));
    }
    SECTION("without a signature") {
        const auto answer = impostor.ask(control::encode(control::Confirm{ack.offer.nonce, {}}));
        CHECK(std::get<control::Refusal>(answer).error.message ==
              "the signature of site-a in the greeting is wrong");
    }
    CHECK(setting.b.until_event("peer_refused", "site-a"));
}

TEST_CASE("nobody can end the gateway from outside") {
    Setting setting;
    ByHand stranger{setting.home, "stranger", setting.b};
    for (const auto reason : {caf::exit_reason::kill, caf::exit_reason::user_shutdown}) {
        caf::anon_send_exit(stranger.gateway(), reason);
    }
    // Sent on the same connection, so handled after the exits.
    check_curt(stranger.ask(sealed_as("site-a", 1)));
    Node a{setting.home, "site-a", {setting.b.as_peer()}};
    CHECK(a.until_up("site-b"));
    CHECK(a.ask("site-b", "count", {}));
}

TEST_CASE("nothing of a node can be looked up by name") {
    Setting setting;
    ByHand stranger{setting.home, "stranger", setting.b};
    for (const auto& [name, handle] : setting.b.system().get().registry().named_actors()) {
        // What CAF itself brings: its configuration server and its (empty) spawn server.
        const auto text = caf::to_string(name);
        CHECK((text == "ConfigServ" || text == "SpawnServ"));
    }
    // And those are out of reach: what is sent to an actor by its name is dropped.
    const auto counted =
        metrics::counter("dwcp_control_dropped_messages_total",
                         "Messages of CAF's protocol that were not let through to an actor, by reason.",
                         {{"reason", "lookup"}});
    const double before = counted.value();
    const auto broker = stranger.system().middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
    caf::scoped_actor curious{stranger.system()};
    for (const auto name : {caf::atom("ConfigServ"), caf::atom("boss"), caf::atom("gateway")}) {
        curious->send(broker, caf::forward_atom_v, stranger.gateway().node(), name,
                      caf::make_message(caf::sys_atom_v, caf::get_atom_v, std::string("info")));
    }
    CHECK(setting.b.eventually([&] { return counted.value() >= before + 3; }));
    // Sent on the same connection, so handled after the three.
    check_curt(stranger.ask(sealed_as("site-a", 1)));
    CHECK(!curious->has_next_message());
}

TEST_CASE("a stranger that knocks without end neither fills the events nor keeps peers out") {
    Setting setting;
    for (int connection = 0; connection < 6; ++connection) {
        // No connection is good for more than a hundred or so.
        ByHand stranger{setting.home, "stranger", setting.b};
        for (int i = 0; i < 80; ++i) {
            auto greeting = stranger.make_greeting();
            auto offer = greeting.own();
            // Half as somebody unknown, half as the peer but without ever confirming.
            offer.name = i % 2 == 0 ? "s" + std::to_string(i) : "site-a";
            stranger.ask(control::encode(control::Hello{offer}));
        }
    }
    int refused = 0;
    for (const auto& event : setting.b.events().since(0, kEventsKept)) {
        if (event.name == "peer_refused") ++refused;
    }
    CHECK(refused >= 1);
    CHECK(refused < 20);
    Node a{setting.home, "site-a", {setting.b.as_peer()}};
    CHECK(a.until_up("site-b"));
}
