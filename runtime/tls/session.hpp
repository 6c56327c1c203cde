// One TLS connection over a non-blocking socket. Used by one thread at a time; does not own the socket.
//
//   auto session = context->accept(fd, Clients::nodes);
//   for (;;) { auto step = session->handshake(); wait for what it wants; }  then read() and write()
//
// Nothing here raises SIGPIPE or blocks. After an error every further call returns the same one. An end that
// refuses has told the other why by an alert: close the socket only after shutdown(SHUT_WR) and reading away
// what still comes, or the system may throw the alert away. In TLS 1.3 the accepting end judges a client's
// certificate after the client's handshake is done: the refusal comes out of the client's first read() or
// write().
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/result.hpp"
#include "runtime/tls/certificate.hpp"

#include <cstddef>
#include <optional>
#include <span>

namespace dwcp::tls {

enum class Want : std::uint8_t { nothing, readable, writable };

struct Progress {
    std::size_t bytes = 0; ///< Read or written now.
    Want want =
        Want::nothing;  ///< With 0 bytes: what the socket must become before the same call is repeated.
    bool ended = false; ///< The peer has closed in order; nothing more comes.
};

class Session {
  public:
    virtual ~Session() = default;

    /// Errors are for people, at either end: Errc::unauthenticated ("the certificate of 10.0.0.2 is signed by
    /// an authority that this node does not trust", "... expired on ...", "it belongs to node site-b, not to
    /// site-c", "the peer refused this node's certificate: unknown authority"), Errc::invalid_argument (the
    /// other end does not speak TLS; nothing was sent, so it may be answered in plain text),
    /// Errc::unavailable (it closed).
    virtual Result<Progress> handshake() = 0;
    virtual Result<Progress> read(std::span<Byte> to) = 0;
    /// After Want, the repeated call may offer a longer buffer that starts with the same bytes.
    virtual Result<Progress> write(ByteView from) = 0;
    /// Not 0: read() may give bytes without the socket becoming readable first. Read until it wants the
    /// socket.
    virtual std::size_t pending() const = 0;
    /// Tells the peer that this was all, if the socket takes it; does not wait.
    virtual void close() = 0;

    /// After the handshake; nullopt: the client showed none.
    virtual const std::optional<Certificate>& peer() const = 0;
    /// After an error: it was the peer that refused, and said so by an alert.
    virtual bool refused_by_peer() const = 0;
};

} // namespace dwcp::tls
