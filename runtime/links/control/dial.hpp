// Connecting to a peer's control port without ever waiting longer than a deadline.
//
// CAF's own connect blocks its one I/O actor, so that one silent or black-holed peer would stall every other
// connect on the node, and it then waits for the peer's first bytes for ever. Here all of it happens on a
// worker thread, with a deadline and a way to cancel: connecting, TLS, and waiting for the beginning of the
// peer's handshake, which is also how a peer's refusal is heard. CAF only gets a connection whose peer has
// already begun to speak its protocol.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/tls/context.hpp"

#include <cstdint>
#include <memory>
#include <netdb.h>
#include <string>
#include <string_view>
#include <utility>

namespace dwcp::links {

/// Owns a file descriptor.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor();

    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_ = -1;
};

/// An eventfd that becomes readable for ever once cancel() was called: ends every dial() that watches it.
class Cancellation {
  public:
    Cancellation();
    void cancel() const;
    int fd() const { return event_.get(); }

  private:
    Descriptor event_;
};

/// True for 127.0.0.0/8, ::1 and "localhost". Without TLS, control links do not leave the machine.
bool is_loopback(const std::string& host);

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;
/// Null: `host` has none.
Addresses addresses_of(const std::string& host, std::uint16_t port);

/// A connection that is ready for CAF.
struct Channel {
    Descriptor socket;                     ///< Non-blocking.
    std::unique_ptr<tls::Session> session; ///< Null: plain TCP. Uses the socket.
    Bytes read_ahead;                      ///< What was read already and is to be read first.
};

/// Before a control port closes a connection for good, it says why in a line of text that begins like this.
inline constexpr std::string_view kRefusalMark = "DWCP refuses: ";
std::string refusal_line(const Error& error);

struct DialTarget {
    std::string host;
    std::uint16_t port = 0;
    std::string peer;            ///< The node that is meant; its certificate has to say so.
    tls::Context* tls = nullptr; ///< Null: plain TCP.
};

/// Errors: unavailable (refused, no answer before the deadline, closed at once), precondition_failed
/// (something else answers there), unauthenticated (one end does not accept the other's certificate, or one
/// speaks TLS and the other does not), permission_denied (the peer says why it refuses), cancelled. Blocks;
/// for worker threads.
Result<Channel> dial(const DialTarget& target, TimePoint deadline, const Cancellation& cancellation);

} // namespace dwcp::links
