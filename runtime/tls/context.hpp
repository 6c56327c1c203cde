// The node's TLS material: its certificate, its key and the certificate authority it trusts.
//
// Life cycle: load() once before anything listens; shared by the HTTP server, the control links and the data
// links; reload() whenever the files may have changed. New connections use what was loaded last, open ones
// keep what they have. A set of files that does not fit is refused as a whole and the old one stays.
// Thread-safe.
//
// TLS 1.3 only. The private key must not be readable by others (mode 0600), and is never logged.
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/tls/certificate.hpp"
#include "runtime/tls/session.hpp"

#include <memory>
#include <string>

namespace dwcp::tls {

struct Files {
    /// PEM: the own certificate first, then any intermediate ones. Empty, like `key`: a client without one,
    /// which can only connect().
    std::string certificate;
    std::string key; ///< PEM, mode 0600.
    std::string ca;  ///< PEM: one or more authorities; two while one replaces the other.
};

/// What the accepting side asks of who connects.
enum class Clients : std::uint8_t {
    nodes,   ///< A node's certificate of this cluster.
    optional ///< Any certificate of this cluster, or none.
};

class Context {
  public:
    /// Errors name the file, what is wrong with it (missing, readable by others, not PEM, expired, not signed
    /// by `ca`, key of another certificate, another cluster's) and the remedy. An empty `cluster` (a shell's)
    /// means that of the own certificate, or any without one.
    static Result<std::shared_ptr<Context>> load(const Files& files, const std::string& cluster);
    virtual ~Context() = default;

    /// True: new material is in use. False: the files are as before. An error leaves the old in use; one is
    /// that the new certificate has another name.
    virtual Result<bool> reload() = 0;
    virtual Certificate own() const = 0;
    /// When the authority that the own certificate rests on expires.
    virtual UnixMillis ca_until_ms() const = 0;

    /// Sessions over a connected, non-blocking socket, which stays the caller's. The handshake has not begun.
    virtual std::unique_ptr<Session> accept(int fd, Clients clients) = 0;
    /// `peer`: the only node name that is accepted at the other end; empty: any node (a shell's connection).
    virtual std::unique_ptr<Session> connect(int fd, const std::string& peer) = 0;
};

} // namespace dwcp::tls
