// Whoever answers, or does not, dial() returns by its deadline.
#include "protocols/base/bytes.hpp"
#include "runtime/links/control/dial.hpp"

#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <chrono>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace dwcp;
using namespace dwcp::links;
using namespace std::chrono_literals;

namespace {

TimePoint in(Duration time) { return std::chrono::steady_clock::now() + time; }

class Listener {
  public:
    explicit Listener(int backlog = 8) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(socket_.get(), backlog) == 0);
        socklen_t size = sizeof address;
        REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        port_ = ntohs(address.sin_port);
    }
    std::uint16_t port() const { return port_; }
    Descriptor accept() const { return Descriptor(::accept(socket_.get(), nullptr, nullptr)); }

  private:
    Descriptor socket_;
    std::uint16_t port_ = 0;
};

/// Called on other threads, where Catch's macros must not be.
void send(const Descriptor& to, const Bytes& bytes) {
    const auto sent = ::send(to.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(bytes.size())) throw std::runtime_error("the dialler does not listen");
}

/// The first 16 bytes of a server handshake as CAF sends it.
const Bytes kHandshake{0, 0, 0, 0, 0, 0, 0, 120, 0, 0, 0, 0, 0, 0, 0, 4};

} // namespace

TEST_CASE("a peer that begins the handshake is connected, and its bytes are handed on") {
    Listener listener;
    Cancellation cancellation;
    std::thread peer([&] {
        const auto socket = listener.accept();
        send(socket, Bytes(kHandshake.begin(), kHandshake.begin() + 5));
        send(socket, Bytes(kHandshake.begin() + 5, kHandshake.end()));
        Byte end = 0;
        (void)::recv(socket.get(), &end, 1, 0); // until the dialler closes
    });
    {
        const auto channel = dial({"127.0.0.1", listener.port(), "site-b", nullptr}, in(5s), cancellation);
        REQUIRE(channel);
        CHECK(channel->read_ahead == kHandshake);
        CHECK(channel->session == nullptr);
    }
    peer.join();
}

TEST_CASE("a peer that accepts and says nothing costs the deadline and no more") {
    Listener listener;
    Cancellation cancellation;
    const auto channel = dial({"127.0.0.1", listener.port(), "site-b", nullptr}, in(50ms), cancellation);
    REQUIRE(!channel);
    CHECK(channel.error().code == Errc::unavailable);
    CHECK(channel.error().message.ends_with("accepted the connection but says nothing"));
}

TEST_CASE("a peer that begins to speak and stops costs the deadline and no more") {
    Listener listener;
    Cancellation cancellation;
    Descriptor peer;
    std::thread speaker([&] {
        peer = listener.accept();
        send(peer, {0, 0, 0});
    });
    const auto channel = dial({"127.0.0.1", listener.port(), "site-b", nullptr}, in(100ms), cancellation);
    speaker.join();
    REQUIRE(!channel);
    CHECK(channel.error().code == Errc::unavailable);
}

TEST_CASE("a black-holed peer costs the deadline and no more") {
    // With a full accept queue the kernel drops further connection attempts, as a firewall would.
    Listener listener(0);
    Cancellation cancellation;
    std::vector<Descriptor> filling;
    for (int i = 0; i < 4; ++i) {
        filling.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(listener.port());
        (void)::connect(filling.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
    const auto channel = dial({"127.0.0.1", listener.port(), "site-b", nullptr}, in(100ms), cancellation);
    REQUIRE(!channel);
    CHECK(channel.error().code == Errc::unavailable);
    CHECK(channel.error().message.ends_with("does not accept the connection"));
}

TEST_CASE("something else at the address is named as such") {
    Listener listener;
    Cancellation cancellation;
    Descriptor peer;
    std::thread speaker([&] {
        peer = listener.accept();
        send(peer, to_bytes("SSH-2.0-OpenSSH_9.2p1\r\n"));
    });
    const auto channel = dial({"127.0.0.1", listener.port(), "site-b", nullptr}, in(5s), cancellation);
    speaker.join();
    REQUIRE(!channel);
    CHECK(channel.error().code == Errc::precondition_failed);
}

TEST_CASE("a handshake that announces a gigabyte is not handed on") {
    Listener listener;
    Cancellation cancellation;
    Descriptor peer;
    std::thread speaker([&] {
        peer = listener.accept();
        send(peer, {0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4});
    });
    const auto channel = dial({"127.0.0.1", listener.port(), "site-b", nullptr}, in(5s), cancellation);
    speaker.join();
    REQUIRE(!channel);
    CHECK(channel.error().code == Errc::precondition_failed);
}

TEST_CASE("a closed port is refused at once and a cancelled dial ends at once") {
    Cancellation cancellation;
    std::uint16_t closed = 0;
    {
        Listener listener;
        closed = listener.port();
    }
    const auto refused = dial({"127.0.0.1", closed, "site-b", nullptr}, in(1h), cancellation);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::unavailable);

    Listener silent;
    std::thread canceller([&] { cancellation.cancel(); });
    const auto cancelled = dial({"127.0.0.1", silent.port(), "site-b", nullptr}, in(1h), cancellation);
    canceller.join();
    REQUIRE(!cancelled);
    CHECK(cancelled.error().code == Errc::cancelled);
}

TEST_CASE("only loopback hosts count as loopback") {
    for (const char* host : {"127.0.0.1", "127.255.0.9", "::1", "localhost"})
        CHECK(is_loopback(host));
    for (const char* host : {"0.0.0.0", "10.0.0.1", "::", "example.org", "127.0.0.1.example.org", ""}) {
        CHECK(!is_loopback(host));
    }
}
