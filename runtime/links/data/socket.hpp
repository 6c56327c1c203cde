// TCP sockets as the data plane needs them: non-blocking, closed on exec, with every option that matters set
// and checked in one place. Nothing here blocks except resolve().
#pragma once

#include "protocols/base/result.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::links {

/// An owned file descriptor.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept;
    ~Fd();

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

/// A resolved address, as the kernel wants it.
struct SocketAddress {
    std::vector<unsigned char> bytes;
    int family = 0;
};

/// Looks a host up. Numeric addresses do not touch the network; names may block on DNS.
Result<SocketAddress> resolve(const std::string& host, std::uint16_t port);

/// Of this machine only: 127.0.0.0/8 or ::1.
bool is_loopback(const SocketAddress& address);

Result<Fd> listen_on(const std::string& host, std::uint16_t port);
Result<std::uint16_t> local_port(const Fd& fd);

struct Accepted {
    Fd fd;              ///< Invalid: nobody is waiting.
    std::string source; ///< Numeric address without port.
};
Result<Accepted> accept_from(const Fd& listener);

struct LinkOptions {
    std::string congestion; ///< Empty: the system's.
    std::uint32_t user_timeout_ms = 0;
};

/// Begins to connect; the socket becomes writable when it is done, and connect_error() tells how it went.
/// `warning` is set where the wish for a congestion control was not granted.
Result<Fd> dial(const SocketAddress& address, const LinkOptions& options, std::string& warning);
/// 0 or errno of a finished connect.
int connect_error(const Fd& fd);

/// Sets the options of an open link: no delay, keepalive, user timeout, buffers, and what the kernel may
/// queue unsent.
void set_link_options(const Fd& fd, const LinkOptions& options);
/// Selects a congestion control and reads back what the kernel really uses. Empty result: granted.
std::string set_congestion(const Fd& fd, const std::string& name);
std::string congestion_of(const Fd& fd);

/// What TCP_INFO says of a connection.
struct TcpSample {
    double delivery_rate_bps = 0; ///< Bits per second.
    double rtt_ms = 0;            ///< Smoothed.
    std::uint64_t bytes_acked = 0;
    std::uint64_t segments_out = 0;
    std::uint64_t retransmits = 0;
};
TcpSample sample_tcp(const Fd& fd);

} // namespace dwcp::links
