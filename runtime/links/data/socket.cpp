#include "runtime/links/data/socket.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <linux/tcp.h>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace dwcp::links {
namespace {

/// A window for 1 Gbit/s over 32 ms without autotuning, and few enough wake-ups on loopback.
constexpr int kBufferBytes = 4 << 20;
/// What may lie unsent in the kernel: enough to keep a sender busy between two wake-ups, little enough that
/// another stream can still take the work when this one turns slow.
constexpr int kUnsentBytesMax = 1 << 20;
constexpr int kListenBacklog = 128;
constexpr int kKeepaliveIdleS = 10;
constexpr int kKeepaliveIntervalS = 5;
constexpr int kKeepaliveProbes = 3;

std::unexpected<Error> system_error(const std::string& what, std::string remedy = {}) {
    return fail(Errc::io_error, what + ": " + std::strerror(errno), std::move(remedy));
}

void set_int(const Fd& fd, int level, int name, int value) {
    // All of these are wishes; a kernel that does not know one is slower, not wrong.
    (void)::setsockopt(fd.get(), level, name, &value, sizeof value);
}

int system_limit(const char* path) {
    std::ifstream file(path);
    int value = 0;
    file >> value;
    return value;
}

/// A fixed buffer switches autotuning off, so it is only asked for where the system grants all of it.
void set_buffers(const Fd& fd) {
    static const bool large_receive = system_limit("/proc/sys/net/core/rmem_max") >= kBufferBytes;
    static const bool large_send = system_limit("/proc/sys/net/core/wmem_max") >= kBufferBytes;
    if (large_receive) set_int(fd, SOL_SOCKET, SO_RCVBUF, kBufferBytes);
    if (large_send) set_int(fd, SOL_SOCKET, SO_SNDBUF, kBufferBytes);
}

const sockaddr* as_sockaddr(const SocketAddress& address) {
    return reinterpret_cast<const sockaddr*>(address.bytes.data());
}

} // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
}

Fd::~Fd() {
    if (fd_ >= 0) ::close(fd_);
}

Result<SocketAddress> resolve(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (failed != 0) {
        return fail(Errc::invalid_argument, "cannot resolve host '" + host + "': " + ::gai_strerror(failed),
                    "check the address of the peer in the configuration");
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
    const auto* begin = reinterpret_cast<const unsigned char*>(found->ai_addr);
    return SocketAddress{{begin, begin + found->ai_addrlen}, found->ai_family};
}

bool is_loopback(const SocketAddress& address) {
    if (address.family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(address.bytes.data())->sin6_addr);
    const auto& in = *reinterpret_cast<const sockaddr_in*>(address.bytes.data());
    return address.family == AF_INET && (ntohl(in.sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
}

Result<Fd> listen_on(const std::string& host, std::uint16_t port) {
    const auto address = resolve(host, port);
    if (!address) return std::unexpected(address.error());
    Fd fd(::socket(address->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return system_error("cannot open a socket", "raise the limit of open files");
    set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_buffers(fd); // accepted sockets inherit them, in time for the window scale of the handshake
    const std::string where = host + ":" + std::to_string(port);
    if (::bind(fd.get(), as_sockaddr(*address), static_cast<socklen_t>(address->bytes.size())) != 0) {
        return system_error("cannot listen for data links on " + where,
                            errno == EADDRNOTAVAIL
                                ? "this machine has no such address: correct [listen].data"
                                : "stop what uses the port, or choose another in [listen].data");
    }
    if (::listen(fd.get(), kListenBacklog) != 0)
        return system_error("cannot listen for data links on " + where);
    return fd;
}

Result<std::uint16_t> local_port(const Fd& fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return system_error("cannot read the address of a socket");
    }
    if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

Result<Accepted> accept_from(const Fd& listener) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    Fd fd(::accept4(listener.get(), reinterpret_cast<sockaddr*>(&address), &size,
                    SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
        const bool nobody =
            errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED || errno == EINTR;
        if (nobody) return Accepted{};
        return system_error("cannot accept a data link", "raise the limit of open files");
    }
    char text[INET6_ADDRSTRLEN] = "";
    const void* raw =
        address.ss_family == AF_INET6
            ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr)
            : static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(address).sin_addr);
    ::inet_ntop(address.ss_family, raw, text, sizeof text);
    return Accepted{std::move(fd), text};
}

Result<Fd> dial(const SocketAddress& address, const LinkOptions& options, std::string& warning) {
    Fd fd(::socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) return system_error("cannot open a socket", "raise the limit of open files");
    set_link_options(fd, options);
    warning = set_congestion(fd, options.congestion);
    const int result =
        ::connect(fd.get(), as_sockaddr(address), static_cast<socklen_t>(address.bytes.size()));
    if (result != 0 && errno != EINPROGRESS) return system_error("cannot connect");
    return fd;
}

int connect_error(const Fd& fd) {
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
}

void set_link_options(const Fd& fd, const LinkOptions& options) {
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdleS);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveIntervalS);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes);
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(options.user_timeout_ms));
    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kUnsentBytesMax);
    set_buffers(fd);
}

std::string set_congestion(const Fd& fd, const std::string& name) {
    if (name.empty()) return {};
    std::string reason = "the kernel kept its own";
    if (::setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, name.data(),
                     static_cast<socklen_t>(name.size())) != 0) {
        reason = std::strerror(errno);
    }
    const std::string now = congestion_of(fd);
    if (now == name) return {};
    return "congestion control '" + name + "' is not available (" + reason + "), '" + now + "' is used";
}

std::string congestion_of(const Fd& fd) {
    char name[16] = "";
    socklen_t size = sizeof name;
    if (::getsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, name, &size) != 0) return {};
    return std::string(name, ::strnlen(name, sizeof name));
}

TcpSample sample_tcp(const Fd& fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return {};
    return {.delivery_rate_bps = static_cast<double>(info.tcpi_delivery_rate) * 8,
            .rtt_ms = static_cast<double>(info.tcpi_rtt) / 1000,
            .bytes_acked = info.tcpi_bytes_acked,
            .segments_out = info.tcpi_segs_out,
            .retransmits = info.tcpi_total_retrans};
}

} // namespace dwcp::links
