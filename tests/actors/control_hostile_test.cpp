// Strangers at the bytes of the control port, below anything that CAF would send: each is refused, counted
// and shown, costs next to nothing, and the link between the two peers stays up all the while.
#include "runtime/links/control/scribe.hpp"
#include "runtime/metrics/metrics.hpp"
#include "tests/actors/nodes.hpp"
#include "tests/actors/raw_socket.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <random>

using namespace dwcp;
using namespace dwcp::test;

namespace {

links::ControlPeer dialler(const std::string& name) { return {name, "", "127.0.0.1", 1}; }

double refused(const std::string& reason) {
    return metrics::counter(
               "dwcp_control_refused_connections_total",
               "Control connections that were refused or ended because of the other end, by reason.",
               {{"reason", reason}})
        .value();
}

double dropped(const std::string& reason) {
    return metrics::counter("dwcp_control_dropped_messages_total",
                            "Messages of CAF's protocol that were not let through to an actor, by reason.",
                            {{"reason", reason}})
        .value();
}

std::size_t resident_bytes() {
    std::size_t total = 0;
    std::size_t resident = 0;
    std::ifstream("/proc/self/statm") >> total >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// site-a and site-b with a link between them, and how it fared.
struct Setting {
    TempDir home;
    NodeOptions options;
    Node b;
    Node a;

    explicit Setting(std::uint32_t greeting_timeout_ms = 5000)
        : options(with_timeout(greeting_timeout_ms)), b(home, "site-b", {dialler("site-a")}, options),
          a(home, "site-a", {b.as_peer()}, options) {
        b.links().serve_function(
            "echo", [](const links::PeerRequest& request) -> Result<Bytes> { return request.body; });
        REQUIRE(a.until_up("site-b"));
        REQUIRE(b.until_up("site-a"));
    }

    /// The link works and has never been away.
    void check_link() {
        CHECK(a.ask("site-b", "echo", to_bytes("still there?")).has_value());
        CHECK(!a.event("peer_down", "site-b"));
        CHECK(!b.event("peer_down", "site-a"));
    }
    bool until_told(const std::string& reason) {
        return b.eventually([&] {
            for (const auto& event : b.events().since(0, kEventsKept)) {
                if (event.name == "control_connection_refused" && event.fields.at("reason") == reason)
                    return true;
            }
            return false;
        });
    }

  private:
    static NodeOptions with_timeout(std::uint32_t greeting_timeout_ms) {
        NodeOptions options;
        options.links.greeting_timeout_ms = greeting_timeout_ms;
        options.links.heartbeat_timeout_ms = 3000; // the link must survive a busy machine as well
        return options;
    }
};

Bytes basp_header(Byte operation, std::uint32_t payload_bytes, std::uint64_t dest = 0) {
    Bytes header(32, 0);
    header[0] = operation;
    for (int i = 0; i < 4; ++i)
        header[static_cast<std::size_t>(4 + i)] = static_cast<Byte>(payload_bytes >> (24 - 8 * i));
    for (int i = 0; i < 8; ++i)
        header[static_cast<std::size_t>(24 + i)] = static_cast<Byte>(dest >> (56 - 8 * i));
    return header;
}

/// A CAF client's handshake with a node id that nobody has. CAF writes node ids as kind, process, host.
Bytes client_handshake(const Bytes& node) {
    Bytes bytes = basp_header(1, static_cast<std::uint32_t>(node.size()));
    bytes.insert(bytes.end(), node.begin(), node.end());
    return bytes;
}

/// The node's own id out of the handshake that it sends to everybody.
Bytes id_of(const RawSocket& connection) {
    const Bytes start = connection.read(64, kPatience);
    REQUIRE(start.size() == 64);
    return {start.begin() + 32, start.end()};
}

constexpr std::uint32_t kGigabyte = 1U << 30;

} // namespace

TEST_CASE("a gigabyte that is announced is not allocated, at any point of a connection") {
    Setting setting;
    const double before = refused("oversized");
    const auto resident = resident_bytes();
    {
        RawSocket first(setting.b.port());
        REQUIRE(first.send(basp_header(2, kGigabyte, 1)));
        CHECK(first.until_closed(kPatience));
    }
    {
        RawSocket greeted(setting.b.port());
        Bytes id = id_of(greeted);
        id[12] ^= 0xff; // of the host
        REQUIRE(greeted.send(client_handshake(id)));
        REQUIRE(greeted.send(basp_header(2, kGigabyte, 1)));
        CHECK(greeted.until_closed(kPatience));
    }
    CHECK(resident_bytes() < resident + (64U << 20));
    CHECK(refused("oversized") == before + 2);
    CHECK(setting.until_told("oversized"));
    setting.check_link();
}

TEST_CASE("a handshake without content ends its connection and not the node") {
    Setting setting;
    const double before = refused("malformed");
    for (const Byte operation : {0, 1}) {
        auto header = basp_header(operation, 0);
        header[15] = 4; // a version
        RawSocket stranger(setting.b.port());
        REQUIRE(stranger.send(header));
        CHECK(stranger.until_closed(kPatience));
    }
    CHECK(refused("malformed") == before + 2);
    setting.check_link();
}

TEST_CASE("garbage, HTTP and TLS at a plain control port are named and refused") {
    Setting setting;
    std::mt19937_64 random(20261124);
    Bytes garbage(1000);
    for (Byte& byte : garbage)
        byte = static_cast<Byte>(random());
    garbage[0] = 0xff;
    const double before = refused("not_basp");
    for (const Bytes& bytes : {garbage, to_bytes("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                               to_bytes("\x16\x03\x01\x02\x05\x01 and more of a TLS client's hello")}) {
        RawSocket stranger(setting.b.port());
        (void)stranger.send(bytes);
        CHECK(stranger.until_closed(kPatience));
    }
    CHECK(refused("not_basp") == before + 3);
    CHECK(setting.until_told("not_basp"));
    setting.check_link();
}

TEST_CASE("three thousand silent connections are bounded, then ended, and keep no peer out") {
    Setting setting(1000);
    // Which of the three it is depends on how fast they come.
    const auto all = [] { return refused("too_many") + refused("rate_limited") + refused("no_greeting"); };
    const double before = all();
    const double silent = refused("no_greeting");
    std::vector<RawSocket> strangers;
    for (int i = 0; i < 3000; ++i)
        strangers.emplace_back(setting.b.port());
    std::size_t open = 0;
    CHECK(setting.b.eventually([&] {
        open = 0;
        for (const RawSocket& stranger : strangers)
            open += stranger.is_closed() ? 0 : 1;
        return open <= 32;
    }));
    CHECK(all() >= before + 3000 - 32);
    setting.check_link();
    CHECK(setting.b.eventually([&] {
        for (const RawSocket& stranger : strangers) {
            if (!stranger.is_closed()) return false;
        }
        return true;
    }));
    CHECK(refused("no_greeting") > silent);
    CHECK(all() == before + 3000);
    setting.check_link();
    CHECK(setting.until_told("no_greeting"));
    // Few events for thousands of connections.
    std::size_t told = 0;
    for (const auto& event : setting.b.events().since(0, kEventsKept))
        told += event.name == "control_connection_refused" ? 1 : 0;
    CHECK(told < 40);
}

TEST_CASE("one that has CAF's handshake and heartbeats but no greeting is ended") {
    Setting setting(300);
    const double before = refused("no_greeting");
    RawSocket stranger(setting.b.port());
    Bytes id = id_of(stranger);
    id[12] ^= 0xff; // of the host
    REQUIRE(stranger.send(client_handshake(id)));
    CHECK(setting.b.eventually([&] {
        (void)stranger.send(basp_header(6, 0));
        return stranger.is_closed();
    }));
    CHECK(refused("no_greeting") == before + 1);
    CHECK(setting.until_told("no_greeting"));
    setting.check_link();
}

TEST_CASE("a silent connection counts as one even when CAF's heartbeats end it first") {
    Setting setting(60'000);
    const double before = refused("no_greeting");
    RawSocket stranger(setting.b.port());
    CHECK(stranger.until_closed(kPatience));
    CHECK(refused("no_greeting") == before + 1);
    CHECK(setting.until_told("no_greeting"));
    setting.check_link();
}

TEST_CASE("one that floods the gateway without greeting is ended after a few messages") {
    Setting setting(60'000);
    const double before = refused("no_greeting");
    RawSocket stranger(setting.b.port());
    Bytes id = id_of(stranger);
    id[12] ^= 0xff; // of the host
    REQUIRE(stranger.send(client_handshake(id)));
    Bytes flood;
    for (int i = 0; i < 2000; ++i) {
        const Bytes heartbeat = basp_header(6, 0);
        flood.insert(flood.end(), heartbeat.begin(), heartbeat.end());
    }
    (void)stranger.send(flood);
    CHECK(stranger.until_closed(kPatience));
    CHECK(refused("no_greeting") == before + 1);
    setting.check_link();
}

TEST_CASE("one that sends a byte now and then is ended like one that is silent") {
    Setting setting(300);
    const double before = refused("no_greeting");
    RawSocket stranger(setting.b.port());
    const Bytes handshake = client_handshake(Bytes(32, 5));
    std::size_t sent = 0;
    CHECK(setting.b.eventually([&] {
        if (sent < handshake.size() - 1) (void)stranger.send(ByteView(handshake).subspan(sent++, 1));
        return stranger.is_closed();
    }));
    CHECK(sent > 1);
    CHECK(refused("no_greeting") == before + 1);
    setting.check_link();
}

TEST_CASE("no actor but the gateway hears from outside, by number, by name or by way of another node") {
    Setting setting;
    const auto send = [&](const std::function<void(Bytes&)>& change, bool is_closed) {
        RawSocket stranger(setting.b.port());
        Bytes id = id_of(stranger);
        id[12] ^= 0xff; // of the host
        REQUIRE(stranger.send(client_handshake(id)));
        Bytes message = basp_header(2, 8, 1);
        change(message);
        message.resize(message.size() + 8);
        REQUIRE(stranger.send(message));
        CHECK(stranger.until_closed(is_closed ? kPatience : 50ms) == is_closed);
    };
    const double named = dropped("lookup");
    const double numbered = dropped("other_actor");
    const double routed = refused("malformed");
    send([](Bytes& message) { message[3] = 1; }, false);
    send([](Bytes& message) { message[31] = 255; }, false);
    send([](Bytes& message) { message[0] = 3; }, true);
    CHECK(dropped("lookup") == named + 1);
    CHECK(dropped("other_actor") >= numbered + 1);
    CHECK(refused("malformed") == routed + 1);
    setting.check_link();
}

TEST_CASE("a connection that claims a peer's place does not get it while the peer is there") {
    Setting setting;
    const Bytes peer = [&] {
        RawSocket honest(setting.a.port()); // site-a tells its id to everybody
        return id_of(honest);
    }();
    const double before = dropped("second_claim");
    RawSocket thief(setting.b.port());
    auto handshake = client_handshake(peer);
    REQUIRE(thief.send(handshake));
    handshake[3] = 2; // "use this connection"
    REQUIRE(thief.send(handshake));
    CHECK(setting.b.eventually([&] { return dropped("second_claim") >= before + 2; }));
    setting.check_link();
    REQUIRE(thief.send(basp_header(2, 8, 1)));
    CHECK(thief.until_closed(kPatience));
    setting.check_link();
}

TEST_CASE("random bytes after a good handshake end the connection and nothing else") {
    Setting setting;
    const auto seed = std::random_device{}();
    const char* given = std::getenv("DWCP_SEED");
    std::mt19937_64 random(given != nullptr ? std::stoull(given) : seed);
    CAPTURE(seed);
    for (int i = 0; i < 40; ++i) {
        RawSocket stranger(setting.b.port());
        Bytes id = id_of(stranger);
        id[12] ^= 0xff; // of the host
        if (!stranger.send(client_handshake(id))) continue;
        Bytes noise(64 + random() % 512);
        for (Byte& byte : noise)
            byte = static_cast<Byte>(random());
        noise[0] = static_cast<Byte>(random() % 8);
        noise[4] = noise[5] = 0;
        (void)stranger.send(noise);
    }
    setting.check_link();
}

namespace {

/// Two ends of a TCP connection over loopback; a stream socket pair has no addresses to show.
std::pair<links::Descriptor, RawSocket> connect_pair() {
    const links::Descriptor listener(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener.get(), 1) == 0);
    REQUIRE(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    RawSocket far(ntohs(address.sin_port));
    return {links::Descriptor(::accept(listener.get(), nullptr, nullptr)), std::move(far)};
}

} // namespace

TEST_CASE("what waits for a peer that does not read is bounded, where CAF buffers without end") {
    actor::System system({.heartbeat_interval_ms = 500, .heartbeat_timeout_ms = 2000, .threads = 2});
    EventRing events;
    const auto refusals = std::make_shared<links::Refusals>(events);
    const auto connections = std::make_shared<links::Connections>(links::Connections::Limits{}, refusals);
    auto [near, far] = connect_pair();
    const auto id =
        connections->accepted(near.get(), "127.0.0.1", false, std::chrono::steady_clock::now()).value();
    auto scribe = links::make_scribe(system, {{std::move(near), nullptr, {}},
                                              id,
                                              links::BaspFilter::Side::acceptor,
                                              std::make_shared<links::BaspNode>(),
                                              connections,
                                              refusals});
    const double before = refused("stalled");
    std::promise<void> closed;
    const auto broker = system.get().middleman().spawn_broker([&](caf::io::broker* self) -> caf::behavior {
        const auto handle = scribe->hdl();
        self->add_scribe(std::move(scribe));
        self->configure_read(handle, caf::io::receive_policy::exactly(links::kBaspHeaderBytes));
        const std::vector<char> piece(1U << 20, 'x');
        for (std::size_t sent = 0; sent <= links::kQueuedBytesMax + piece.size(); sent += piece.size()) {
            self->write(handle, piece.size(), piece.data());
            self->flush(handle);
        }
        return {[&closed, self](const caf::io::connection_closed_msg&) {
                    closed.set_value();
                    self->quit();
                },
                [](const caf::io::new_data_msg&) {}};
    });
    REQUIRE(closed.get_future().wait_for(kPatience) == std::future_status::ready);
    CHECK(refused("stalled") == before + 1);
    caf::scoped_actor waiter{system.get()};
    waiter->wait_for(broker);
    CHECK(connections->size() <= 1);
}

TEST_CASE("a connection that CAF closes does not wait for a peer that will never read") {
    actor::System system({.heartbeat_interval_ms = 500, .heartbeat_timeout_ms = 2000, .threads = 2});
    EventRing events;
    const auto refusals = std::make_shared<links::Refusals>(events);
    const auto connections = std::make_shared<links::Connections>(links::Connections::Limits{}, refusals);
    auto [near, far] = connect_pair();
    const auto id = connections->dialled(near.get(), "127.0.0.1:1", "", 0, std::chrono::steady_clock::now());
    auto scribe = links::make_scribe(system, {{std::move(near), nullptr, {}},
                                              id,
                                              links::BaspFilter::Side::dialler,
                                              std::make_shared<links::BaspNode>(),
                                              connections,
                                              refusals});
    const auto broker = system.get().middleman().spawn_broker([&](caf::io::broker* self) -> caf::behavior {
        const auto handle = scribe->hdl();
        self->add_scribe(std::move(scribe));
        self->configure_read(handle, caf::io::receive_policy::exactly(links::kBaspHeaderBytes));
        const std::vector<char> more_than_any_socket_takes(links::kQueuedBytesMax / 2, 'x');
        self->write(handle, more_than_any_socket_takes.size(), more_than_any_socket_takes.data());
        self->flush(handle);
        self->delayed_send(self, 800ms, caf::ok_atom_v); // by then it is stalled
        return {[self](caf::ok_atom) { self->quit(); }, [](const caf::io::new_data_msg&) {}};
    });
    caf::scoped_actor waiter{system.get()};
    waiter->wait_for(broker);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (connections->size() > 0 && std::chrono::steady_clock::now() < deadline)
        (void)::poll(nullptr, 0, 5);
    CHECK(connections->size() == 0);
}

TEST_CASE("what was read ahead of CAF is judged although nothing follows it") {
    actor::System system({.heartbeat_interval_ms = 500, .heartbeat_timeout_ms = 2000, .threads = 2});
    EventRing events;
    const auto refusals = std::make_shared<links::Refusals>(events);
    const auto connections = std::make_shared<links::Connections>(links::Connections::Limits{}, refusals);
    auto [near, far] = connect_pair();
    const auto id = connections->dialled(near.get(), "127.0.0.1:1", "", 0, std::chrono::steady_clock::now());
    auto scribe = links::make_scribe(system, {{std::move(near), nullptr, Bytes(40, 'x')},
                                              id,
                                              links::BaspFilter::Side::dialler,
                                              std::make_shared<links::BaspNode>(),
                                              connections,
                                              refusals});
    const double before = refused("not_basp");
    const auto broker = system.get().middleman().spawn_broker([&](caf::io::broker* self) -> caf::behavior {
        const auto handle = scribe->hdl();
        self->add_scribe(std::move(scribe));
        self->configure_read(handle, caf::io::receive_policy::exactly(links::kBaspHeaderBytes));
        return {[self](const caf::io::connection_closed_msg&) { self->quit(); },
                [](const caf::io::new_data_msg&) {}};
    });
    CHECK(far.until_closed(kPatience));
    CHECK(refused("not_basp") == before + 1);
    caf::anon_send_exit(broker, caf::exit_reason::kill);
}
