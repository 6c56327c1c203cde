#include "ops/shell/tls_failure.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace dwcp::shell {
namespace {

/// The node answered a moment ago: a second look is quick or pointless.
constexpr std::chrono::milliseconds kProbeTimeout{1'000};

Failure untrusted(const Settings& settings, long verify_result) {
    const std::string node = settings.address();
    switch (verify_result) {
    case X509_V_OK:
        return {
            Exit::denied,
            fmt::format("the certificate of the node at {} is not for the name '{}'", node, settings.host),
            "address the node by a name of its certificate, or make one for this name with ops/certs"};
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return {Exit::denied, fmt::format("the certificate of the node at {} has expired", node),
                "give the node a new one: ops/certs makes it, and the node takes it up without a restart"};
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return {Exit::denied, fmt::format("the certificate of the node at {} is not valid yet", node),
                "check the clocks of both machines"};
    default:
        return {Exit::denied,
                fmt::format("the certificate of the node at {} is not signed by {} ({})", node,
                            settings.ca_file.empty() ? "an authority that this machine trusts"
                                                     : "the authority in " + settings.ca_file,
                            X509_verify_cert_error_string(verify_result)),
                "name the certificate authority of the node's cluster with --ca FILE"};
    }
}

/// What the node said of our certificate when it ended the connection.
std::optional<Failure> refused_by_node(const Settings& settings) {
    const int alert = ERR_GET_REASON(ERR_peek_last_error()) - SSL_AD_REASON_OFFSET;
    const std::string own =
        settings.certificate_file.empty() ? "no certificate" : "the certificate " + settings.certificate_file;
    const auto refuse = [&](const char* why, const char* remedy) {
        return Failure{Exit::denied,
                       fmt::format("the node at {} refused {}: {}", settings.address(), own, why), remedy};
    };
    switch (alert) {
    case SSL_AD_CERTIFICATE_REQUIRED:
        return refuse("it wants one", "give --cert FILE and --key FILE; ops/certs makes them");
    case SSL_AD_CERTIFICATE_EXPIRED:
        return refuse("it has expired", "make a new one with ops/certs");
    case SSL_AD_UNKNOWN_CA:
        return refuse("the node does not know the authority that signed it",
                      "use a certificate of the node's cluster");
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_ACCESS_DENIED:
        return refuse("it does not accept it", "use a certificate of the node's cluster; its log says why");
    default:
        return std::nullopt;
    }
}

bool answers(const std::string& url) {
    httplib::Client probe(url);
    probe.set_connection_timeout(kProbeTimeout);
    probe.set_read_timeout(kProbeTimeout);
    probe.enable_server_certificate_verification(false);
    const auto result = probe.Get("/ready");
    // A node that wants a certificate ends the connection after the handshake.
    return result || (url.starts_with("https") && result.error() == httplib::Error::Read);
}

} // namespace

void forget_tls_errors() { ERR_clear_error(); }

std::optional<Failure> tls_failure(const Settings& settings, httplib::Error error, long verify_result) {
    using httplib::Error;
    if (error == Error::SSLServerVerification) return untrusted(settings, verify_result);
    if (error == Error::SSLLoadingCerts)
        return Failure{Exit::usage, fmt::format("{} holds no certificate authority", settings.ca_file),
                       "name a PEM file with --ca"};
    if (error == Error::ConnectionTimeout || error == Error::Connection) return std::nullopt;
    if (settings.tls)
        if (auto refused = refused_by_node(settings)) return refused;
    if (settings.tls && error == Error::SSLConnection && answers("http://" + settings.address()))
        return Failure{Exit::unreachable,
                       fmt::format("the node at {} does not speak TLS", settings.address()),
                       fmt::format("use --node http://{}", settings.address())};
    if (settings.tls && error == Error::SSLConnection)
        return Failure{Exit::unreachable, fmt::format("there is no TLS with {}", settings.address()),
                       "is this a DWCP node's HTTP port?"};
    if (!settings.tls && error == Error::Read && answers("https://" + settings.address()))
        return Failure{Exit::unreachable, fmt::format("the node at {} speaks TLS only", settings.address()),
                       fmt::format("use --node https://{} with --ca, --cert and --key", settings.address())};
    return std::nullopt;
}

Failure bad_certificate(const Settings& settings) {
    return {Exit::usage,
            fmt::format("cannot use the certificate {} with the key {}", settings.certificate_file,
                        settings.key_file),
            "they must be PEM files and belong together; ops/certs makes them"};
}

} // namespace dwcp::shell
