// The bytes of one stream: a TCP socket, plain or with TLS over it.
//
// Life cycle: made with an open socket; secure_with() a TLS session before anything is moved, then secure()
// until it says that the handshake is done. Plain bytes go between the kernel and the caller's buffers
// without a copy; TLS moves a record at a time. Nothing here blocks. I/O thread only.
#pragma once

#include "protocols/base/bytes.hpp"
#include "runtime/links/data/socket.hpp"
#include "runtime/tls/session.hpp"

#include <array>
#include <memory>
#include <span>
#include <sys/uio.h>

namespace dwcp::links {

/// What one TLS record carries at most (RFC 8446, 5.1). More would only be cut up again.
inline constexpr std::size_t kRecordBytes = 16U << 10;

class Channel {
  public:
    struct Moved {
        std::size_t bytes = 0; ///< 0: the socket is not ready, or the peer has closed.
        bool ended = false;    ///< The peer sends no more.
    };

    explicit Channel(Fd fd) : fd_(std::move(fd)) {}

    const Fd& fd() const { return fd_; }

    void secure_with(std::unique_ptr<tls::Session> session) { session_ = std::move(session); }
    /// The handshake is not done yet.
    bool securing() const { return session_ && !secured_; }
    /// Null without TLS.
    const tls::Session* session() const { return session_.get(); }
    /// One step of the handshake; true once it is done. Errors as Session::handshake().
    Result<bool> secure();
    /// The rest goes in plain text: what was said in TLS came to nothing.
    void drop_session();

    /// Receives into the first of the two spans and, without TLS, the second.
    Result<Moved> receive(std::array<std::span<Byte>, 2> into);
    /// Sends the beginning of `parts`. After Moved{0} the same bytes, or more, are to be offered again.
    Result<Moved> send(std::span<const iovec> parts);
    /// Tells the peer that no more will be sent.
    void close_output();

    /// A handshake or a read goes on once the socket takes output.
    bool wants_output() const { return reading_wants_output_; }
    /// Sending goes on only once the socket has input.
    bool sending_wants_input() const { return sending_wants_input_; }

  private:
    Result<Moved> receive_plain(std::array<std::span<Byte>, 2> into);
    Result<Moved> send_plain(std::span<const iovec> parts);
    ByteView record_of(std::span<const iovec> parts);

    Fd fd_;
    std::unique_ptr<tls::Session> session_; ///< After the socket that it uses, so destroyed before it.
    bool secured_ = false;
    bool reading_wants_output_ = false;
    bool sending_wants_input_ = false;
    Bytes record_; ///< A record put together of small parts.
};

} // namespace dwcp::links
