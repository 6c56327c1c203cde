// OpenSSL's objects with owners, and what certificates say in our words. Used by this room and its tests
// only.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/tls/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <vector>

namespace dwcp::tls {

template<auto release>
struct Release {
    template<class T>
    void operator()(T* object) const {
        release(object);
    }
};

using X509Ptr = std::unique_ptr<X509, Release<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY_free>>;
using BioPtr = std::unique_ptr<BIO, Release<BIO_free_all>>;
using SslPtr = std::unique_ptr<SSL, Release<SSL_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, Release<SSL_CTX_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Release<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Release<X509_STORE_CTX_free>>;

/// Errc::unauthenticated unless exactly one URI of the form dwcp://CLUSTER/KIND/NAME is in it. The message
/// goes on after "the certificate of X": "has no name of the form ...". Says nothing of its signature.
Result<Certificate> read_certificate(X509* x509);

/// Why X509_verify_cert() refused, as a sentence's end after "the certificate of X", with a remedy.
Error describe_refusal(X509_STORE_CTX* verification);

/// "2026-11-24 09:00 UTC".
std::string shown_time(UnixMillis time);
UnixMillis unix_ms(const ASN1_TIME* time);
/// One line without control characters, at most kShownNameMax long: it may come from anybody.
std::string shown_name(const X509_NAME* name);
inline constexpr std::size_t kShownNameMax = 120;

/// What OpenSSL says of its last failure; empties the thread's list of errors.
std::string take_openssl_reason();

} // namespace dwcp::tls
