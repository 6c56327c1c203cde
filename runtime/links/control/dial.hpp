// Connecting to a peer's control port without ever waiting longer than a deadline.
//
// CAF's own connect blocks its one I/O actor, so that one silent or black-holed peer would stall every other
// connect on the node, and it then waits for the peer's first bytes for ever. Here both happen on a worker
// thread, with a deadline and a way to cancel; CAF only gets a socket whose peer has already begun to speak
// its protocol.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"

#include <cstdint>
#include <string>
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

/// Connects to host:port and waits until the beginning of a BASP handshake can be read (it stays unread).
/// Errors: unavailable (refused, no answer before the deadline, closed at once), precondition_failed
/// (something else answers there), cancelled. Blocks; for worker threads.
Result<Descriptor> dial(const std::string& host, std::uint16_t port, TimePoint deadline,
                        const Cancellation& cancellation);

/// Why this process cannot listen on host:port, in the system's words ("Address already in use").
std::string why_not_listen(const std::string& host, std::uint16_t port);

} // namespace dwcp::links
