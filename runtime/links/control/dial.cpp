#include "runtime/links/control/dial.hpp"

#include "protocols/base/bytes.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::links {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses resolve(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) found = nullptr;
    return {found, freeaddrinfo};
}

/// The beginning of what CAF 0.17 sends first on a connection (caf/io/basp/header.hpp): operation 0, a
/// length, version.
struct BaspStart {
    static constexpr std::size_t kBytes = 16;
    static constexpr std::uint32_t kPayloadBytesMax = 64U << 10; // a handshake is below 200 bytes

    static bool matches(const std::array<Byte, kBytes>& bytes) {
        std::uint32_t payload_bytes = 0;
        std::memcpy(&payload_bytes, &bytes[4], sizeof payload_bytes);
        return bytes[0] == 0 && ntohl(payload_bytes) <= kPayloadBytesMax;
    }
};

class Dial {
  public:
    Dial(const std::string& host, std::uint16_t port, TimePoint deadline, const Cancellation& cancellation)
        : address_(fmt::format("{}:{}", host, port)), deadline_(deadline), cancellation_(cancellation) {}

    Result<Descriptor> to(const addrinfo& address) {
        socket_ = Descriptor(::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                      address.ai_protocol));
        if (socket_.get() < 0) return unavailable(std::strerror(errno));
        if (::connect(socket_.get(), address.ai_addr, address.ai_addrlen) != 0 && errno != EINPROGRESS) {
            return unavailable(std::strerror(errno));
        }
        if (auto ready = wait_for(POLLOUT, "does not accept the connection"); !ready) {
            return std::unexpected(ready.error());
        }
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
        if (error != 0) return unavailable(std::strerror(error));
        return listen_for_start();
    }

  private:
    /// Waits with MSG_PEEK, so that CAF finds the connection untouched.
    Result<Descriptor> listen_for_start() {
        std::array<Byte, BaspStart::kBytes> start{};
        int needed = 1;
        for (;;) {
            // Without the low-water mark a peer that sends a byte and stops would make us spin.
            ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVLOWAT, &needed, sizeof needed);
            if (auto ready = wait_for(POLLIN, "accepted the connection but says nothing"); !ready) {
                return std::unexpected(ready.error());
            }
            const auto size = ::recv(socket_.get(), start.data(), start.size(), MSG_PEEK);
            if (size == 0) return unavailable("the peer closed the connection at once");
            if (size < 0 && errno != EAGAIN && errno != EINTR) return unavailable(std::strerror(errno));
            if (size == static_cast<ssize_t>(start.size())) break;
            needed = static_cast<int>(start.size());
        }
        if (!BaspStart::matches(start)) {
            return fail(Errc::precondition_failed,
                        fmt::format("what answers at {} is not the control port of a DWCP node", address_),
                        "correct the control address in the [[peers]] entry");
        }
        needed = 1;
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVLOWAT, &needed, sizeof needed);
        return std::move(socket_);
    }

    Result<void> wait_for(short events, const char* otherwise) {
        for (;;) {
            const auto left = std::chrono::ceil<milliseconds>(deadline_ - std::chrono::steady_clock::now());
            std::array<pollfd, 2> watched{{{socket_.get(), events, 0}, {cancellation_.fd(), POLLIN, 0}}};
            const int ready =
                ::poll(watched.data(), watched.size(), static_cast<int>(std::max<long>(0, left.count())));
            if (ready < 0 && errno == EINTR) continue;
            if (watched[1].revents != 0) return fail(Errc::cancelled, "this node is shutting down");
            if (watched[0].revents != 0) return {};
            return unavailable(otherwise);
        }
    }

    std::unexpected<Error> unavailable(std::string_view reason) const {
        return fail(Errc::unavailable, fmt::format("cannot connect to {}: {}", address_, reason),
                    "start the peer, or correct its control address");
    }

    const std::string address_;
    const TimePoint deadline_;
    const Cancellation& cancellation_;
    Descriptor socket_;
};

} // namespace

Descriptor::~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

Cancellation::Cancellation() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Cancellation::cancel() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

bool is_loopback(const std::string& host) {
    in_addr v4{};
    if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
    return host == "::1" || host == "localhost";
}

Result<Descriptor> dial(const std::string& host, std::uint16_t port, TimePoint deadline,
                        const Cancellation& cancellation) {
    const auto addresses = resolve(host, port);
    Result<Descriptor> result = fail(Errc::unavailable, fmt::format("cannot find the address of {}", host),
                                     "correct the control address in the [[peers]] entry");
    for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
        result = Dial(host, port, deadline, cancellation).to(*address);
        if (result || result.error().code == Errc::cancelled) break;
    }
    return result;
}

std::string why_not_listen(const std::string& host, std::uint16_t port) {
    const auto addresses = resolve(host, port);
    if (!addresses) return "no such address";
    const Descriptor socket(::socket(addresses->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(socket.get(), addresses->ai_addr, addresses->ai_addrlen) != 0) return std::strerror(errno);
    if (::listen(socket.get(), 1) != 0) return std::strerror(errno);
    return "the actor runtime could not open it";
}

} // namespace dwcp::links
