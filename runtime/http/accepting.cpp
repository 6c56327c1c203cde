// Who gets a connection: the accepting half of ConnectionLoop.
#include "runtime/http/connection_loop.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::http {
namespace {

/// Taken in before other connections get their turn.
constexpr int kAcceptsAtOnce = 64;
/// With no descriptor left, accepting is tried again after this.
constexpr milliseconds kAcceptPause{100};
/// Connections beyond connections_max, for probes: enough for a few monitors that ask at the same moment.
constexpr std::size_t kReservedConnections = 16;
/// What the kernel may hold of a response beyond what it has sent already: a slow reader holds memory that
/// nobody counts.
constexpr int kUnsentBytesMax = 256 << 10;

Connection::Peer peer_of(const sockaddr_storage& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
        inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
        return {text.data(), ntohs(v6.sin6_port)};
    }
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return {text.data(), ntohs(v4.sin_port)};
}

} // namespace

void ConnectionLoop::accept_some() {
    for (int i = 0; i < kAcceptsAtOnce && listener_ >= 0; ++i) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        const int fd =
            accept4(listener_, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            adopt(fd, peer_of(address));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return pause_accepting();
        }
    }
}

/// Out of descriptors or memory. The listener stays readable, so polling it now would spin.
void ConnectionLoop::pause_accepting() {
    log::warn("http_accept_failed", {{"error", std::strerror(errno)}});
    epoll_event nothing{};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, listener_, &nothing);
    accept_again_ = now_ + kAcceptPause;
}

void ConnectionLoop::adopt(int fd, Connection::Peer peer) {
    if (!sources_.enter(peer.host)) {
        service_.probe.refuse(Refusal::source);
        ::close(fd);
        return;
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytesMax, sizeof kUnsentBytesMax);
    if (open_ < service_.options.connections_max || make_room(false)) return open(fd, std::move(peer), false);
    if (reserved_ < kReservedConnections || make_room(true)) return open(fd, std::move(peer), true);
    service_.probe.refuse(Refusal::connections);
    sources_.leave(peer.host);
    ::close(fd);
}

/// Closes the connection that has been idle, or at its head, for the longest time. False: there is none.
bool ConnectionLoop::make_room(bool reserved) {
    Slot* victim = nullptr;
    const auto before = [](const Connection& a, const Connection& b) {
        return a.expendable() != b.expendable() ? a.expendable() < b.expendable() : a.since() < b.since();
    };
    for (auto& [number, slot] : slots_) {
        const Connection& connection = *slot.connection;
        if (!slot.open || connection.reserved() != reserved || connection.expendable() == 0) continue;
        if (victim == nullptr || before(connection, *victim->connection)) victim = &slot;
    }
    if (victim == nullptr) return false;
    service_.probe.refuse(Refusal::connections);
    victim->connection->close(now_);
    settle(*victim);
    return true;
}

void ConnectionLoop::open(int fd, Connection::Peer peer, bool reserved) {
    const std::uint64_t number = ++last_number_;
    auto connection = std::make_unique<Connection>(number, fd, std::move(peer), reserved, service_, now_);
    epoll_event event{};
    event.events = connection->armed = connection->interest();
    event.data.u64 = number;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
    slots_[number].connection = std::move(connection);
    ++(reserved ? reserved_ : open_);
    service_.probe.connections.set(static_cast<double>(open_ + reserved_));
}

} // namespace dwcp::http
