// Control links under mutual TLS between real nodes: who gets in, who does not, and that both ends say why.
#include "protocols/wire/control.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/tls/context.hpp"
#include "tests/actors/nodes.hpp"
#include "tests/actors/raw_socket.hpp"
#include "tests/unit/tls/test_certificates.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <atomic>
#include <poll.h>
#include <sys/socket.h>
#include <thread>

using namespace dwcp;
using namespace dwcp::test;
using dwcp::testing::CertificateWish;
using dwcp::testing::TestAuthority;

namespace {

links::ControlPeer dialler(const std::string& name) { return {name, "", "127.0.0.1", 1}; }
Result<Bytes> echo(const links::PeerRequest& request) { return request.body; }

double refused(const std::string& reason) {
    return metrics::counter(
               "dwcp_control_refused_connections_total",
               "Control connections that were refused or ended because of the other end, by reason.",
               {{"reason", reason}})
        .value();
}

std::shared_ptr<tls::Context> load(const tls::Files& files, const std::string& cluster = "test") {
    auto context = tls::Context::load(files, cluster);
    if (!context) FAIL(context.error().render());
    return *context;
}

NodeOptions with(std::shared_ptr<tls::Context> context) {
    NodeOptions options;
    options.links.tls = std::move(context);
    options.links.heartbeat_timeout_ms = 3000; // the link must survive a busy machine as well
    return options;
}

/// site-b, which accepts with a good certificate, and what site-a may come with.
struct Setting {
    TempDir home;
    TestAuthority authority{"test"};
    std::shared_ptr<tls::Context> b_context = load(authority.node(home.sub("tls-b"), "site-b"));
    Node b{home, "site-b", {dialler("site-a")}, with(b_context)};

    Setting() { b.links().serve_function("echo", echo); }

    std::shared_ptr<tls::Context> context_of(const std::string& name) {
        return load(authority.node(home.sub("tls-" + name), name));
    }
    Node make_a(std::shared_ptr<tls::Context> context) {
        return Node{home, "site-a", {b.as_peer()}, with(std::move(context))};
    }

    std::optional<Event> told(const std::string& reason) {
        for (const auto& event : b.events().since(0, kEventsKept)) {
            if (event.name == "control_connection_refused" && event.fields.at("reason") == reason)
                return event;
        }
        return std::nullopt;
    }
    /// That site-a's attempt fails for `problem`, that site-b counts it as `reason`, and says `message`.
    void check_refused(Node& a, const std::string& problem, const std::string& reason,
                       const std::string& message) {
        const bool is_shown =
            a.eventually([&] { return a.peer("site-b").problem.find(problem) != std::string::npos; });
        CAPTURE(a.peer("site-b").problem);
        CHECK(is_shown);
        CHECK(!a.peer("site-b").up);
        CHECK(b.eventually([&] { return told(reason).has_value(); }));
        const auto event = told(reason);
        REQUIRE(event);
        CAPTURE(event->fields.at("message"));
        CHECK(event->fields.at("message").find(message) != std::string::npos);
        CHECK(!event->fields.at("remedy").empty());
        CHECK(!b.peer("site-a").up);
        CHECK(b.eventually([&] {
            return b.peer("site-a").problem.starts_with("a connection from its address was refused: ");
        }));
    }
};

/// A session of its own with a control port, by hand.
class TlsSocket {
  public:
    TlsSocket(std::uint16_t port, tls::Context& context, const std::string& peer)
        : socket_(port), session_(context.connect(socket_.fd(), peer)) {}

    Result<void> handshake() {
        for (;;) {
            const auto progress = session_->handshake();
            if (!progress) return std::unexpected(progress.error());
            if (progress->want == tls::Want::nothing) return {};
            if (!wait(progress->want)) return fail(Errc::deadline_exceeded, "the handshake hangs");
        }
    }
    Result<Bytes> read() {
        Bytes bytes(4096);
        for (;;) {
            const auto progress = session_->read(bytes);
            if (!progress) return std::unexpected(progress.error());
            if (progress->bytes > 0 || progress->ended) {
                bytes.resize(progress->bytes);
                return bytes;
            }
            if (!wait(progress->want)) return fail(Errc::deadline_exceeded, "nothing comes");
        }
    }
    bool write(ByteView bytes) { return session_->write(bytes).has_value(); }

  private:
    bool wait(tls::Want want) const {
        pollfd watched{socket_.fd(), static_cast<short>(want == tls::Want::readable ? POLLIN : POLLOUT), 0};
        return ::poll(&watched, 1, 5000) == 1;
    }

    RawSocket socket_;
    std::unique_ptr<tls::Session> session_;
};

} // namespace

TEST_CASE("a link under TLS comes up and carries requests of any size both ways") {
    Setting setting;
    Node a = setting.make_a(setting.context_of("site-a"));
    a.links().serve_function("echo", echo);
    REQUIRE(a.until_up("site-b"));
    REQUIRE(setting.b.until_up("site-a"));
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16'384}, std::size_t{40'000},
                                   wire::control::kBodyBytesMax}) {
        const Bytes body(size, 7);
        CHECK(a.ask("site-b", "echo", body) == body);
        CHECK(setting.b.ask("site-a", "echo", body) == body);
    }
}

TEST_CASE("many requests at once under TLS are all answered, each with its own answer") {
    Setting setting;
    Node a = setting.make_a(setting.context_of("site-a"));
    REQUIRE(a.until_up("site-b"));
    std::vector<std::pair<Bytes, std::future<Result<Bytes>>>> asked;
    for (std::size_t i = 0; i < 200; ++i) {
        // Records of TLS, messages of CAF and reads of the stream end at different places.
        Bytes body(i * 311 % 60'000, static_cast<Byte>(i));
        asked.emplace_back(body, a.begin("site-b", "echo", body));
    }
    for (auto& [body, answer] : asked) {
        REQUIRE(answer.wait_for(kPatience) == std::future_status::ready);
        CHECK(answer.get() == body);
    }
}

TEST_CASE("a node with another authority's certificate is refused, and both ends say so") {
    Setting setting;
    TestAuthority other{"test", "another authority"};
    const double before = refused("bad_certificate");
    Node a = setting.make_a(load(other.node(setting.home.sub("tls-a"), "site-a")));
    // The dialler judges first, and refuses the acceptor as well; the acceptor hears that by an alert.
    setting.check_refused(a, "an authority that is not trusted here", "bad_certificate",
                          "refused this end's certificate");
    CHECK(refused("bad_certificate") > before);
}

TEST_CASE("a node whose authority alone is unknown to the other end learns it by an alert") {
    Setting setting;
    TestAuthority other{"test", "another authority"};
    auto files = other.node(setting.home.sub("tls-a"), "site-a");
    // It trusts both authorities, as in the middle of a change.
    testing::write_file(files.ca, other.pem() + setting.authority.pem());
    Node a = setting.make_a(load(files));
    setting.check_refused(a, "refused this end's certificate", "bad_certificate",
                          "an authority that is not trusted here");
}

TEST_CASE("certificates of another cluster, of another kind and of no peer are refused") {
    Setting setting;
    const std::string directory = setting.home.sub("tls-a");
    SECTION("another cluster") {
        CertificateWish wish{.file = "other", .uris = {"dwcp://other/node/site-a"}};
        Node a = setting.make_a(load(setting.authority.issue(directory, wish), "other"));
        setting.check_refused(a, "belongs to cluster test, not other", "bad_certificate",
                              "refused this end's certificate");
    }
    SECTION("an operator's certificate at the control port") {
        auto context = load(setting.authority.client(directory, "operator", "ann"));
        TlsSocket ann(setting.b.port(), *context, "site-b");
        REQUIRE(ann.handshake()); // In TLS 1.3 the verdict comes afterwards.
        const auto answer = ann.read();
        REQUIRE(!answer);
        CHECK(answer.error().code == Errc::unauthenticated);
        CHECK(setting.b.eventually([&] { return setting.told("bad_certificate").has_value(); }));
        CHECK(setting.told("bad_certificate")->fields.at("message").find("belongs to operator ann") !=
              std::string::npos);
    }
    SECTION("a node that is no peer") {
        auto context = setting.context_of("site-x");
        TlsSocket stranger(setting.b.port(), *context, "site-b");
        REQUIRE(stranger.handshake());
        const auto answer = stranger.read();
        REQUIRE(answer);
        CHECK(as_text(*answer).starts_with("DWCP refuses: site-x is not a peer of this node"));
        CHECK(setting.b.eventually([&] { return setting.told("not_a_peer").has_value(); }));
        CHECK(setting.told("not_a_peer")->fields.at("message") == "site-x is not a peer of this node");
    }
}

TEST_CASE("the dialler refuses another node's certificate at the peer's address") {
    Setting setting;
    // The address that site-a has for site-c is site-b's.
    auto peer = setting.b.as_peer();
    peer.name = "site-c";
    Node a{setting.home, "site-a", {peer}, with(setting.context_of("site-a"))};
    CHECK(a.eventually([&] {
        return a.peer("site-c").problem.find("belongs to node site-b, not to site-c") != std::string::npos;
    }));
    CHECK(setting.b.eventually([&] { return setting.told("bad_certificate").has_value(); }));
}

TEST_CASE("a node may not greet under another name than its certificate's") {
    Setting setting;
    // A peer's certificate and another peer's name in the greeting.
    Node b{setting.home,
           "site-b2",
           {dialler("site-a"), dialler("site-a2")},
           with(setting.context_of("site-b2"))};
    Node a{setting.home, "site-a2", {b.as_peer()}, with(setting.context_of("site-a"))};
    const auto refusal = b.until_event("peer_refused", "site-a2");
    REQUIRE(refusal);
    CHECK(refusal->fields.at("reason").find("the certificate of this connection is that of \"site-a\"") !=
          std::string::npos);
    CHECK(!b.peer("site-a2").up);
    CHECK(a.eventually([&] {
        return a.peer("site-b2").problem.find("certificate of this connection") != std::string::npos;
    }));
}

TEST_CASE("plain text at a TLS port and TLS at a plain port are refused in words at both ends") {
    Setting setting;
    SECTION("plain text at a TLS port") {
        const double before = refused("not_tls");
        Node a{setting.home, "site-a", {setting.b.as_peer()}};
        setting.check_refused(a, "the control port of this node speaks only TLS", "not_tls",
                              "does not speak TLS");
        CHECK(refused("not_tls") > before);
    }
    SECTION("TLS at a plain port") {
        Node plain{setting.home, "site-c", {dialler("site-a")}};
        Node a{setting.home, "site-a", {plain.as_peer()}, with(setting.context_of("site-a"))};
        CHECK(a.eventually(
            [&] { return a.peer("site-c").problem.find("does not speak TLS") != std::string::npos; }));
        CHECK(plain.eventually([&] {
            for (const auto& event : plain.events().since(0, kEventsKept)) {
                if (event.name == "control_connection_refused" && event.fields.at("reason") == "not_basp")
                    return true;
            }
            return false;
        }));
    }
}

TEST_CASE("silence, a half handshake and garbage at a TLS port are ended while the link stays up") {
    Setting setting;
    NodeOptions options = with(setting.context_of("site-b2"));
    options.links.greeting_timeout_ms = 500;
    Node b{setting.home, "site-b2", {dialler("site-a")}, options};
    b.links().serve_function("echo", echo);
    Node a{setting.home, "site-a", {b.as_peer()}, with(setting.context_of("site-a"))};
    REQUIRE(a.until_up("site-b2"));
    const double unfinished = refused("no_handshake");
    const double plain = refused("not_tls");
    const double ungreeted = refused("no_greeting");

    RawSocket silent(b.port());
    RawSocket half(b.port());
    REQUIRE(half.send(to_bytes(std::string("\x16\x03\x01\x02\x00\x01\x00", 7))));
    RawSocket garbage(b.port());
    REQUIRE(garbage.send(Bytes(100, 'x')));
    auto context = setting.context_of("site-a");
    TlsSocket idle(b.port(), *context, "site-b2"); // A peer's certificate, and then nothing.
    REQUIRE(idle.handshake());

    CHECK(silent.until_closed(kPatience));
    CHECK(half.until_closed(kPatience));
    CHECK(garbage.until_closed(kPatience));
    CHECK(b.eventually([&] { return refused("no_greeting") == ungreeted + 1; }));
    CHECK(refused("no_handshake") == unfinished + 2);
    CHECK(refused("not_tls") == plain + 1);
    CHECK(a.ask("site-b2", "echo", to_bytes("hello")) == to_bytes("hello"));
    CHECK(!a.event("peer_down", "site-b2"));
}

namespace {

/// Copies bytes between a dialler and a port, remembers what the dialler sent, and can cut.
class Tap {
  public:
    explicit Tap(std::uint16_t target) : target_(target), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(listener_, 8) == 0);
        REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { run(); });
    }
    ~Tap() {
        ended_ = true;
        thread_.join();
        ::close(listener_);
    }
    std::uint16_t port() const { return port_; }
    Bytes heard() {
        const std::lock_guard lock(mutex_);
        return heard_;
    }

  private:
    void run() {
        while (!ended_) {
            pollfd watched{listener_, POLLIN, 0};
            if (::poll(&watched, 1, 20) == 1) copy(::accept(listener_, nullptr, nullptr));
        }
    }
    void copy(int client) {
        RawSocket server(target_);
        std::array<Byte, 16'384> buffer{};
        while (!ended_) {
            std::array<pollfd, 2> watched{{{client, POLLIN, 0}, {server.fd(), POLLIN, 0}}};
            if (::poll(watched.data(), 2, 20) <= 0) continue;
            for (int i = 0; i < 2; ++i) {
                if (watched[static_cast<std::size_t>(i)].revents == 0) continue;
                const int from = i == 0 ? client : server.fd();
                const auto size = ::recv(from, buffer.data(), buffer.size(), 0);
                if (size <= 0) {
                    ::close(client);
                    return;
                }
                if (i == 0) {
                    const std::lock_guard lock(mutex_);
                    heard_.insert(heard_.end(), buffer.begin(), buffer.begin() + size);
                }
                (void)::send(i == 0 ? server.fd() : client, buffer.data(), static_cast<std::size_t>(size),
                             MSG_NOSIGNAL);
            }
        }
        ::close(client);
    }

    const std::uint16_t target_;
    int listener_;
    std::uint16_t port_ = 0;
    std::atomic<bool> ended_{false};
    std::mutex mutex_;
    Bytes heard_;
    std::thread thread_;
};

} // namespace

TEST_CASE("the bytes of an old session, played back, are worth nothing") {
    Setting setting;
    Tap tap(setting.b.port());
    auto through_tap = setting.b.as_peer();
    through_tap.port = tap.port();
    Node a{setting.home, "site-a", {through_tap}, with(setting.context_of("site-a"))};
    REQUIRE(a.until_up("site-b"));
    REQUIRE(a.ask("site-b", "echo", to_bytes("once")));
    const double before = refused("bad_certificate") + refused("no_handshake");
    const auto up_since = setting.b.peer("site-a").since_ms;
    RawSocket replay(setting.b.port());
    (void)replay.send(tap.heard());
    CHECK(replay.until_closed(kPatience));
    CHECK(
        setting.b.eventually([&] { return refused("bad_certificate") + refused("no_handshake") > before; }));
    CHECK(setting.b.peer("site-a").since_ms == up_since);
    CHECK(a.ask("site-b", "echo", to_bytes("again")) == to_bytes("again"));
}

TEST_CASE("a rotated certificate is used by the next connection, and the open one stays") {
    Setting setting;
    auto context = setting.context_of("site-a");
    Node a = setting.make_a(context);
    REQUIRE(a.until_up("site-b"));
    const auto old_serial = context->own().serial;
    setting.authority.node(setting.home.sub("tls-site-a"), "site-a");
    REQUIRE(context->reload() == true);
    CHECK(context->own().serial != old_serial);
    CHECK(a.ask("site-b", "echo", to_bytes("hello")) == to_bytes("hello"));
    CHECK(!a.event("peer_down", "site-b"));
    // A whole change of authority, while nothing but the next connection is touched.
    TestAuthority next{"test", "next authority"};
    next.node(setting.home.sub("tls-site-a"), "site-a");
    next.node(setting.home.sub("tls-b"), "site-b");
    REQUIRE(context->reload() == true);
    REQUIRE(setting.b_context->reload() == true);
    CHECK(a.ask("site-b", "echo", to_bytes("hello")) == to_bytes("hello"));
    CHECK(!a.event("peer_down", "site-b"));
}

TEST_CASE("a link whose certificate expires comes back with the next one, and not without") {
    Setting setting;
    const std::string directory = setting.home.sub("tls-site-a");
    const CertificateWish brief{.file = "site-a", .uris = {"dwcp://test/node/site-a"}, .until_s = 3};
    auto context = load(setting.authority.issue(directory, brief));
    const double before = refused("certificate_expired");
    Node a = setting.make_a(context);
    REQUIRE(a.until_up("site-b"));
    REQUIRE(setting.b.until_up("site-a"));
    REQUIRE(a.until_down("site-b"));
    CHECK(refused("certificate_expired") > before);
    CHECK(setting.b.eventually([&] { return setting.told("bad_certificate").has_value(); }));
    CHECK(a.eventually([&] { return a.peer("site-b").problem.find("expired") != std::string::npos; }));
    setting.authority.node(directory, "site-a");
    REQUIRE(context->reload() == true);
    CHECK(a.until_up("site-b"));
}

TEST_CASE("beyond loopback there is TLS or nothing, and the refusal says what to do") {
    TempDir home;
    actor::System system({.heartbeat_interval_ms = 500, .heartbeat_timeout_ms = 2000, .threads = 2});
    actor::Resolver resolver;
    EventRing events;
    const auto self = identity::load_or_create(home.sub("site-b"), "site-b", "", "test").value();
    const auto trust = identity::TrustStore::open(home.sub("site-b"), {{"site-a", ""}}).value();
    links::ControlOptions options;
    const links::ControlPeer far{"site-a", "", "192.0.2.1", 7101};
    const auto start = [&] {
        return links::ControlLinks::start(options, {far}, system, resolver, self, *trust, events);
    };
    const auto refusal = start();
    REQUIRE(!refusal);
    CHECK(refusal.error().remedy.find("ops/certs") != std::string::npos);
    TestAuthority authority("test");
    options.tls = load(authority.node(home.sub("tls"), "site-b"));
    CHECK(start().has_value());
}
