#include "runtime/tls/alerts.hpp"
#include "runtime/tls/session_core.hpp"

#include <fmt/format.h>
#include <openssl/err.h>

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

namespace dwcp::tls {
namespace {

std::string address_of(int fd) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return "the peer";
    char text[INET6_ADDRSTRLEN];
    if (storage.ss_family == AF_INET) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
        return fmt::format("{}:{}", inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text), ntohs(v4.sin_port));
    }
    if (storage.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
        return fmt::format("[{}]:{}", inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text),
                           ntohs(v6.sin6_port));
    }
    return "the peer";
}

/// Nodes send each other blocks: a record needs two reads from the socket without a buffer for several.
constexpr std::size_t kReadAheadBytes = 128U << 10;

bool is_gone(int error) { return error == EPIPE || error == ECONNRESET; }

} // namespace

SslSession::SslSession(SSL_CTX* context, int fd, Side side, Clients clients, Expected expected)
    : socket_{.fd = fd}, side_(side), expected_(std::move(expected)),
      address_(expected_.name.empty() ? address_of(fd)
                                      : fmt::format("{} at {}", expected_.name, address_of(fd))),
      ssl_(SSL_new(context)) {
    BioPtr bio = make_socket_bio(socket_);
    if (!ssl_ || !bio) {
        failed_ = Error{Errc::resource_exhausted, "no memory for a TLS session with " + address_, ""};
        ERR_clear_error();
        return;
    }
    BIO_up_ref(bio.get()); // once for reading, once for writing
    SSL_set0_rbio(ssl_.get(), bio.get());
    SSL_set0_wbio(ssl_.get(), bio.release());
    SSL_set_app_data(ssl_.get(), this);
    const bool between_nodes = side == Side::accepting ? clients == Clients::nodes : !expected_.name.empty();
    if (between_nodes) {
        SSL_set_read_ahead(ssl_.get(), 1);
        SSL_set_default_read_buffer_len(ssl_.get(), kReadAheadBytes);
    }
    int verify = SSL_VERIFY_PEER;
    if (side == Side::accepting && clients == Clients::nodes) verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_set_verify(ssl_.get(), verify, nullptr);
    if (side == Side::accepting)
        SSL_set_accept_state(ssl_.get());
    else
        SSL_set_connect_state(ssl_.get());
}

Result<Progress> SslSession::handshake() {
    if (failed_) return std::unexpected(*failed_);
    ERR_clear_error();
    const int returned = SSL_do_handshake(ssl_.get());
    established_ = returned == 1;
    return outcome(returned, 0, "handshake");
}

Result<Progress> SslSession::read(std::span<Byte> to) {
    if (failed_) return std::unexpected(*failed_);
    if (to.empty()) return Progress{};
    ERR_clear_error();
    std::size_t bytes = 0;
    const int returned = SSL_read_ex(ssl_.get(), to.data(), to.size(), &bytes);
    return outcome(returned, bytes, "connection");
}

Result<Progress> SslSession::write(ByteView from) {
    if (failed_) return std::unexpected(*failed_);
    if (from.empty()) return Progress{};
    ERR_clear_error();
    std::size_t bytes = 0;
    const int returned = SSL_write_ex(ssl_.get(), from.data(), from.size(), &bytes);
    if (returned != 1 && is_gone(socket_.error)) {
        // A peer that refuses says why before it closes: that is what a person wants to read.
        Byte unused{};
        std::size_t peeked = 0;
        const int answer = SSL_peek_ex(ssl_.get(), &unused, 1, &peeked);
        if (answer != 1 && SSL_get_error(ssl_.get(), answer) == SSL_ERROR_SSL)
            return outcome(answer, 0, "connection");
        return std::unexpected(remember(describe_failure(SSL_ERROR_SYSCALL, "connection")));
    }
    return outcome(returned, bytes, "connection");
}

std::size_t SslSession::pending() const {
    if (failed_ || !ssl_) return 0;
    // What was read ahead is not a record yet, and may not become a whole one.
    const int processed = SSL_pending(ssl_.get());
    return processed > 0 ? static_cast<std::size_t>(processed) : SSL_has_pending(ssl_.get());
}

void SslSession::close() {
    if (failed_ || !established_) return;
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
    failed_ = Error{Errc::unavailable, "the connection to " + address_ + " is closed", ""};
}

Result<Progress> SslSession::outcome(int returned, std::size_t bytes, std::string_view doing) {
    if (returned == 1) return Progress{.bytes = bytes};
    const int code = SSL_get_error(ssl_.get(), returned);
    switch (code) {
    case SSL_ERROR_WANT_READ:
        return Progress{.want = Want::readable};
    case SSL_ERROR_WANT_WRITE:
        return Progress{.want = Want::writable};
    case SSL_ERROR_ZERO_RETURN:
        return Progress{.ended = true};
    default:
        return std::unexpected(remember(describe_failure(code, doing)));
    }
}

Error SslSession::remember(Error error) {
    ERR_clear_error();
    failed_ = std::move(error);
    return *failed_;
}

Error SslSession::describe_failure(int code, std::string_view doing) {
    if (refusal_) return *refusal_;
    if (socket_.plain_text) {
        return {Errc::invalid_argument, address_ + " does not speak TLS, which is all that is spoken here",
                side_ == Side::accepting ? "use https:// or TLS 1.3, with a certificate of ops/certs"
                                         : "set [tls] at the other end too, or see that the port is right"};
    }
    const unsigned long reason = ERR_peek_error();
    if (code == SSL_ERROR_SSL && ERR_GET_LIB(reason) == ERR_LIB_SSL) {
        if (auto alert = describe_alert(ERR_GET_REASON(reason), address_)) {
            refused_by_peer_ = true;
            return *alert;
        }
        if (ERR_GET_REASON(reason) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
            return {Errc::unauthenticated, address_ + " showed no certificate",
                    "nodes need one of ops/certs node, named in [tls]"};
        }
        if (ERR_GET_REASON(reason) == SSL_R_UNSUPPORTED_PROTOCOL) {
            return {Errc::unauthenticated, address_ + " does not speak TLS 1.3, only an older version",
                    "use a client that speaks TLS 1.3"};
        }
        if (ERR_GET_REASON(reason) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
            return {Errc::unauthenticated,
                    fmt::format("the TLS {} with {} failed: {}", doing, address_, take_openssl_reason()),
                    "see that both ends speak TLS 1.3 and nothing between them changes the bytes"};
        }
    }
    const std::string how = socket_.error == 0 || is_gone(socket_.error)
                                ? "was cut by the other end"
                                : fmt::format("failed: {}", std::strerror(socket_.error));
    return {Errc::unavailable, fmt::format("the TLS {} with {} {}", doing, address_, how),
            established_ ? "try again" : "see the other end's log, and that it has [tls] set"};
}

// --- the peer's certificate

int verify_peer(X509_STORE_CTX* verification, void* /*unused*/) {
    auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* session = ssl == nullptr ? nullptr : static_cast<SslSession*>(SSL_get_app_data(ssl));
    if (session == nullptr) {
        X509_STORE_CTX_set_error(verification, X509_V_ERR_UNSPECIFIED);
        return 0;
    }
    return session->judge(verification);
}

int SslSession::judge(X509_STORE_CTX* verification) {
    const bool chain_good = X509_verify_cert(verification) == 1;
    const auto certificate = read_certificate(X509_STORE_CTX_get0_cert(verification));
    const auto name_problem =
        certificate ? judge_name(*certificate) : std::optional<Error>(certificate.error());
    if (chain_good && !name_problem) {
        peer_ = *certificate;
        return 1;
    }
    // A client's certificate shown by a server has the wrong purpose; whose it is says more.
    const bool wrong_use = X509_STORE_CTX_get_error(verification) == X509_V_ERR_INVALID_PURPOSE;
    Error why = name_problem && (chain_good || wrong_use) ? *name_problem : describe_refusal(verification);
    why.message = fmt::format("the certificate of {} {}", address_, why.message);
    refusal_ = std::move(why);
    // The other end is told by the alert that OpenSSL makes of this code: handshake_failure.
    if (name_problem && (chain_good || wrong_use))
        X509_STORE_CTX_set_error(verification, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

std::optional<Error> SslSession::judge_name(const Certificate& certificate) const {
    const Subject& subject = certificate.subject;
    const auto refused = [](std::string message, std::string remedy) {
        return Error{Errc::unauthenticated, std::move(message), std::move(remedy)};
    };
    if (!expected_.cluster.empty() && subject.cluster != expected_.cluster) {
        return refused(fmt::format("belongs to cluster {}, not {}", subject.cluster, expected_.cluster),
                       "see that the address and the certificate are of the same cluster");
    }
    if (expected_.node && !subject.is_node()) {
        return refused(
            fmt::format("belongs to {} {}; only a node's is accepted here", subject.kind, subject.name),
            "clients use the HTTP port; nodes need a certificate of ops/certs node");
    }
    if (!expected_.name.empty() && subject.name != expected_.name) {
        return refused(fmt::format("belongs to node {}, not to {}", subject.name, expected_.name),
                       "see that the addresses and names in [[peers]] belong together");
    }
    return std::nullopt;
}

} // namespace dwcp::tls
