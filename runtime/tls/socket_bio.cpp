#include "runtime/tls/socket_bio.hpp"

#include <cerrno>
#include <sys/socket.h>

namespace dwcp::tls {
namespace {

// The first byte of whoever speaks TLS: an alert or a handshake message (RFC 8446, 5.1).
constexpr unsigned char kAlertRecord = 21;
constexpr unsigned char kHandshakeRecord = 22;

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

int send_some(BIO* bio, const char* data, std::size_t size, std::size_t* sent) {
    auto& state = *static_cast<SocketState*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const ssize_t count = ::send(state.fd, data, size, MSG_NOSIGNAL);
    if (count > 0) {
        *sent = static_cast<std::size_t>(count);
        return 1;
    }
    if (count < 0 && would_block(errno))
        BIO_set_retry_write(bio);
    else
        state.error = count < 0 ? errno : EPIPE;
    return 0;
}

int receive_some(BIO* bio, char* data, std::size_t size, std::size_t* received) {
    auto& state = *static_cast<SocketState*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (state.plain_text) return 0;
    const ssize_t count = ::recv(state.fd, data, size, 0);
    if (count < 0) {
        if (would_block(errno))
            BIO_set_retry_read(bio);
        else
            state.error = errno;
        return 0;
    }
    if (count == 0) {
        state.ended = true;
        return 0;
    }
    const auto first = static_cast<unsigned char>(data[0]);
    if (!state.first_seen && first != kHandshakeRecord && first != kAlertRecord) {
        // Not given on: OpenSSL would answer in TLS, and the caller may want to say it in plain text.
        state.plain_text = true;
        return 0;
    }
    state.first_seen = true;
    *received = static_cast<std::size_t>(count);
    return 1;
}

long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return static_cast<SocketState*>(BIO_get_data(bio))->ended ? 1 : 0;
    default:
        return 0;
    }
}

const BIO_METHOD* method() {
    static const std::unique_ptr<BIO_METHOD, Release<BIO_meth_free>> instance = [] {
        std::unique_ptr<BIO_METHOD, Release<BIO_meth_free>> made(
            BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "DWCP socket"));
        if (made) {
            BIO_meth_set_write_ex(made.get(), send_some);
            BIO_meth_set_read_ex(made.get(), receive_some);
            BIO_meth_set_ctrl(made.get(), control);
        }
        return made;
    }();
    return instance.get();
}

} // namespace

BioPtr make_socket_bio(SocketState& state) {
    BioPtr bio(method() == nullptr ? nullptr : BIO_new(method()));
    if (!bio) return nullptr;
    BIO_set_data(bio.get(), &state);
    BIO_set_init(bio.get(), 1);
    return bio;
}

} // namespace dwcp::tls
