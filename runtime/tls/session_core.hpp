// The implementation behind Session. Used by this room only.
#pragma once

#include "runtime/tls/context.hpp"
#include "runtime/tls/openssl.hpp"
#include "runtime/tls/socket_bio.hpp"

#include <optional>
#include <string>

namespace dwcp::tls {

enum class Side : std::uint8_t { accepting, connecting };

/// Whom this end talks to only.
struct Expected {
    std::string cluster; ///< Empty: any.
    bool node = true;    ///< A node; otherwise any kind.
    std::string name;    ///< Empty: any.
};

class SslSession final : public Session {
  public:
    SslSession(SSL_CTX* context, int fd, Side side, Clients clients, Expected expected);

    Result<Progress> handshake() override;
    Result<Progress> read(std::span<Byte> to) override;
    Result<Progress> write(ByteView from) override;
    std::size_t pending() const override;
    void close() override;
    const std::optional<Certificate>& peer() const override { return peer_; }
    bool refused_by_peer() const override { return refused_by_peer_; }

    /// OpenSSL asks, during the handshake, whether the peer's chain is good. 1: yes; 0: no, and handshake()
    /// will say why.
    int judge(X509_STORE_CTX* verification);

  private:
    std::optional<Error> judge_name(const Certificate& certificate) const;
    Result<Progress> outcome(int returned, std::size_t bytes, std::string_view doing);
    Error describe_failure(int code, std::string_view doing);
    Error remember(Error error);

    SocketState socket_; // outlives ssl_, whose BIO points to it
    const Side side_;
    const Expected expected_;
    const std::string address_;
    SslPtr ssl_;
    bool established_ = false;
    bool refused_by_peer_ = false;
    std::optional<Error> refusal_; ///< Ours, of the peer's certificate.
    std::optional<Error> failed_;  ///< After it nothing works any more.
    std::optional<Certificate> peer_;
};

/// For SSL_CTX_set_cert_verify_callback(): finds the session and lets it judge.
int verify_peer(X509_STORE_CTX* verification, void*);

} // namespace dwcp::tls
