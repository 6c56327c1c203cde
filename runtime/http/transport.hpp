// The bytes of one connection, plain or through TLS. Owns the socket; never waits. Used by one thread at a
// time.
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/tls/session.hpp"

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <sys/uio.h>

namespace dwcp::http {

class Transport {
  public:
    enum class Outcome : std::uint8_t {
        moved,    ///< Some bytes.
        readable, ///< Nothing: the socket must become readable first.
        writable, ///< Nothing: the socket must become writable first.
        ended,    ///< The peer sends no more.
        failed    ///< The connection is lost.
    };
    struct Moved {
        Outcome outcome = Outcome::failed;
        std::size_t bytes = 0;
    };

    explicit Transport(int fd) : fd_(fd) {}
    ~Transport();
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;

    /// From here on everything goes through `session`.
    void secure(std::unique_ptr<tls::Session> session) { session_ = std::move(session); }
    bool secured() const { return session_ != nullptr; }
    /// Errors: as tls::Session::handshake(). Want::nothing: it is done.
    Result<tls::Want> handshake();
    std::optional<tls::Certificate> certificate() const;

    Moved receive(std::span<char> to);
    Moved send(const iovec* parts, int count);
    /// Bytes that receive() gives without the socket becoming readable.
    bool has_pending() const { return session_ && session_->pending() > 0; }
    /// The first byte that waits to be received, left where it is.
    Outcome peek(char& first) const;

    /// Tells the peer that nothing more will be sent.
    void end_sending();
    /// Closes the socket now.
    void close();
    int fd() const { return fd_; }

  private:
    int fd_;
    std::unique_ptr<tls::Session> session_;
};

} // namespace dwcp::http
