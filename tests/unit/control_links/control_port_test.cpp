// The control port with real sockets and TLS, but without CAF behind it.
#include "runtime/links/control/control_port.hpp"
#include "runtime/metrics/metrics.hpp"
#include "tests/unit/tls/test_certificates.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

using namespace dwcp;
using namespace dwcp::links;
using namespace std::chrono_literals;

namespace {

constexpr auto kPatience = 8s;

TimePoint in(Duration time) { return std::chrono::steady_clock::now() + time; }

struct Directory {
    std::filesystem::path path;
    Directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "dwcp-port-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path = pattern;
    }
    ~Directory() { std::filesystem::remove_all(path); }
};

/// A port whose guests are greeted with the beginning of CAF's handshake, as CAF would.
struct Rig {
    EventRing events;
    std::shared_ptr<Refusals> refusals = std::make_shared<Refusals>(events);
    std::shared_ptr<Connections> connections;
    std::mutex mutex;
    std::vector<ControlPort::Accepted> taken;
    std::unique_ptr<ControlPort> port;

    explicit Rig(std::shared_ptr<tls::Context> tls = nullptr, Connections::Limits limits = {})
        : connections(std::make_shared<Connections>(limits, refusals)) {
        port =
            ControlPort::start({"127.0.0.1", 0, std::move(tls), {"site-a", "site-c"}}, connections, refusals,
                               [this](ControlPort::Accepted accepted) { take(std::move(accepted)); })
                .value();
    }
    void take(ControlPort::Accepted accepted) {
        const Bytes start{0, 0, 0, 0, 0, 0, 0, 120, 0, 0, 0, 0, 0, 0, 0, 4};
        // Counted before the dialler can know of it.
        const std::lock_guard lock(mutex);
        taken.push_back(std::move(accepted));
        const Channel& channel = taken.back().channel;
        if (channel.session)
            (void)channel.session->write(start);
        else
            (void)::send(channel.socket.get(), start.data(), start.size(), MSG_NOSIGNAL);
    }
    std::size_t count() {
        const std::lock_guard lock(mutex);
        return taken.size();
    }
    ~Rig() {
        port.reset();
        for (const auto& accepted : taken)
            connections->forget(accepted.id);
        CHECK(connections->size() == 0);
    }
};

} // namespace

TEST_CASE("what passes the control port is handed over, with and without TLS") {
    Directory directory;
    const testing::TestAuthority authority("test");
    const auto ours = tls::Context::load(authority.node(directory.path, "site-b"), "test").value();
    const auto theirs = tls::Context::load(authority.node(directory.path, "site-a"), "test").value();
    const Cancellation cancellation;
    {
        Rig rig;
        const auto channel =
            dial({"127.0.0.1", rig.port->port(), "site-b", nullptr}, in(kPatience), cancellation);
        if (!channel) FAIL(channel.error().render());
        CHECK(rig.count() == 1);
    }
    Rig rig(ours);
    const auto channel =
        dial({"127.0.0.1", rig.port->port(), "site-b", theirs.get()}, in(kPatience), cancellation);
    if (!channel) FAIL(channel.error().render());
    CHECK(channel->session->peer()->subject.name == "site-b");
    CHECK(rig.count() == 1);
    CHECK(rig.taken[0].channel.session->peer()->subject.name == "site-a");
}

TEST_CASE("a dialler that is refused at the control port hears why") {
    Directory directory;
    const testing::TestAuthority authority("test");
    const auto ours = tls::Context::load(authority.node(directory.path, "site-b"), "test").value();
    const auto stranger = tls::Context::load(authority.node(directory.path, "site-x"), "test").value();
    const Cancellation cancellation;
    const auto refusal = [&](const Rig& rig, tls::Context* tls) {
        const auto channel =
            dial({"127.0.0.1", rig.port->port(), "site-b", tls}, in(kPatience), cancellation);
        REQUIRE(!channel);
        return channel.error();
    };
    Rig secured(ours);
    CHECK(refusal(secured, nullptr).message ==
          "the control port of this node speaks only TLS (set [tls] on the node that dials; see ops/certs)");
    CHECK(refusal(secured, stranger.get()).message.starts_with("site-x is not a peer of this node"));
    CHECK(refusal(secured, stranger.get()).code == Errc::permission_denied);
    Rig busy(nullptr, {.per_source_per_s = 0, .per_source_burst = 0});
    CHECK(refusal(busy, nullptr).message.starts_with("too many connections from this address"));
}

TEST_CASE("a port in use is refused with the address and what to do") {
    Rig rig;
    const auto second = ControlPort::start({"127.0.0.1", rig.port->port(), nullptr, {}}, rig.connections,
                                           rig.refusals, [](ControlPort::Accepted) {});
    REQUIRE(!second);
    CHECK(second.error().message.ends_with("Address already in use"));
    CHECK(second.error().message.find(std::to_string(rig.port->port())) != std::string::npos);
    CHECK(!second.error().remedy.empty());
}

TEST_CASE("peers get in while strangers knock from many threads") {
    Directory directory;
    const testing::TestAuthority authority("test");
    const auto ours = tls::Context::load(authority.node(directory.path, "site-b"), "test").value();
    const auto theirs = tls::Context::load(authority.node(directory.path, "site-a"), "test").value();
    // All come from one address here.
    Rig rig(
        ours,
        {.waiting_max = 16, .waiting_per_source_max = 8, .per_source_per_s = 1e6, .per_source_burst = 1e6});
    const Cancellation cancellation;
    std::atomic<bool> ended{false};
    std::atomic<int> knocks{0};
    std::vector<std::thread> strangers;
    for (int i = 0; i < 2; ++i) {
        strangers.emplace_back([&, i] {
            while (!ended) {
                // One that is refused for what it says, one that gives up.
                (void)dial({"127.0.0.1", rig.port->port(), "site-b", nullptr}, in(i == 0 ? 1s : 1ms),
                           cancellation);
                ++knocks;
            }
        });
    }
    int in_time = 0;
    const auto deadline = in(kPatience);
    while (in_time < 10 && std::chrono::steady_clock::now() < deadline) {
        const auto channel =
            dial({"127.0.0.1", rig.port->port(), "site-b", theirs.get()}, in(2s), cancellation);
        if (!channel) continue; // The oldest gives way, and that may be a peer; it tries again.
        ++in_time;
        rig.connections->sweep(std::chrono::steady_clock::now(), 0);
    }
    ended = true;
    for (auto& stranger : strangers)
        stranger.join();
    CHECK(in_time == 10);
    CHECK(knocks > 0);
    CHECK(rig.connections->waiting() <= 17);
}

TEST_CASE("an address of another machine is told apart from a port in use") {
    EventRing events;
    const auto refusals = std::make_shared<Refusals>(events);
    const auto connections = std::make_shared<Connections>(Connections::Limits{}, refusals);
    // 192.0.2.0/24 is for documentation: no machine has it.
    const auto port = ControlPort::start({"192.0.2.1", 0, nullptr, {}}, connections, refusals,
                                         [](ControlPort::Accepted) {});
    REQUIRE_FALSE(port);
    CHECK(port.error().remedy == "this machine has no such address: correct listen.control");
}
