#include "runtime/http/transport.hpp"

#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace dwcp::http {
namespace {

Transport::Moved moved(const Result<tls::Progress>& progress) {
    using Outcome = Transport::Outcome;
    if (!progress) return {Outcome::failed};
    if (progress->bytes > 0) return {Outcome::moved, progress->bytes};
    if (progress->ended) return {Outcome::ended};
    return {progress->want == tls::Want::writable ? Outcome::writable : Outcome::readable};
}

} // namespace

Transport::~Transport() { close(); }

Result<tls::Want> Transport::handshake() {
    const auto progress = session_->handshake();
    if (!progress) return std::unexpected(progress.error());
    if (progress->ended) return fail(Errc::unavailable, "the client closed during the TLS handshake");
    return progress->want;
}

std::optional<tls::Certificate> Transport::certificate() const {
    return session_ ? session_->peer() : std::nullopt;
}

Transport::Moved Transport::receive(std::span<char> to) {
    if (session_) return moved(session_->read({reinterpret_cast<Byte*>(to.data()), to.size()}));
    for (;;) {
        const ssize_t count = recv(fd_, to.data(), to.size(), MSG_DONTWAIT);
        if (count > 0) return {Outcome::moved, static_cast<std::size_t>(count)};
        if (count == 0) return {Outcome::ended};
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {Outcome::readable};
        if (errno != EINTR) return {Outcome::failed};
    }
}

Transport::Moved Transport::send(const iovec* parts, int count) {
    if (session_) return moved(session_->write({static_cast<const Byte*>(parts->iov_base), parts->iov_len}));
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = static_cast<std::size_t>(count);
    for (;;) {
        const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) return {Outcome::moved, static_cast<std::size_t>(sent)};
        if (errno == EAGAIN || errno == EWOULDBLOCK) return {Outcome::writable};
        if (errno != EINTR) return {Outcome::failed};
    }
}

Transport::Outcome Transport::peek(char& first) const {
    const ssize_t count = recv(fd_, &first, 1, MSG_DONTWAIT | MSG_PEEK);
    if (count > 0) return Outcome::moved;
    if (count == 0) return Outcome::ended;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? Outcome::readable : Outcome::failed;
}

void Transport::end_sending() {
    if (session_) session_->close();
    shutdown(fd_, SHUT_WR);
}

void Transport::close() {
    session_.reset();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

} // namespace dwcp::http
