#include "runtime/tls/alerts.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

namespace dwcp::tls {
namespace {

struct Meaning {
    int alert;
    std::string_view what;
    std::string_view remedy;
};

constexpr std::string_view kSameAuthority =
    "sign both ends' certificates with one CA (ops/certs), or add this end's CA to tls.ca there";
constexpr std::string_view kSeeLog = "see the other end's log, which says why";

// RFC 8446, section 6.2, as OpenSSL and session.cpp use them.
constexpr Meaning kMeanings[] = {
    {SSL_AD_UNKNOWN_CA, "it does not trust the authority that signed it", kSameAuthority},
    {SSL_AD_DECRYPT_ERROR, "its signature is not that of the authority it names", kSameAuthority},
    {SSL_AD_CERTIFICATE_EXPIRED, "it has expired", "renew it: ops/certs renew NAME"},
    {SSL_AD_CERTIFICATE_REVOKED, "it is revoked", "make a new one with ops/certs"},
    {SSL_AD_UNSUPPORTED_CERTIFICATE, "it is not made for this use",
     "nodes need certificates of ops/certs node, clients those of ops/certs client"},
    {SSL_AD_BAD_CERTIFICATE, "it cannot be verified, or is not valid yet",
     "compare the clocks of both machines; see the other end's log"},
    {SSL_AD_HANDSHAKE_FAILURE, "it is of another cluster, kind or node than asked for there", kSeeLog},
    {SSL_AD_CERTIFICATE_UNKNOWN, "it cannot be verified", kSeeLog},
};

} // namespace

std::optional<Error> describe_alert(int reason, const std::string& address) {
    if (reason < SSL_AD_REASON_OFFSET) return std::nullopt;
    const int alert = reason - SSL_AD_REASON_OFFSET;
    if (alert == SSL_AD_CERTIFICATE_REQUIRED) {
        return Error{Errc::unauthenticated, address + " asks for a certificate, and none was shown",
                     "give one of ops/certs with its key"};
    }
    if (alert == SSL_AD_PROTOCOL_VERSION) {
        return Error{Errc::unauthenticated, address + " does not speak the TLS version that is spoken here",
                     "both ends must speak TLS 1.3"};
    }
    for (const auto& meaning : kMeanings) {
        if (meaning.alert == alert) {
            return Error{Errc::unauthenticated,
                         fmt::format("{} refused this end's certificate: {}", address, meaning.what),
                         std::string(meaning.remedy)};
        }
    }
    return Error{Errc::unauthenticated,
                 fmt::format("{} ended the TLS connection with the alert '{}'", address,
                             SSL_alert_desc_string_long(alert)),
                 std::string(kSeeLog)};
}

} // namespace dwcp::tls
