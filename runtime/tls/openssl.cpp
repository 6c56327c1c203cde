#include "runtime/tls/openssl.hpp"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/err.h>

#include <ctime>

namespace dwcp::tls {
namespace {

constexpr std::string_view kScheme = "dwcp://";

using NamesPtr = std::unique_ptr<GENERAL_NAMES, Release<GENERAL_NAMES_free>>;

std::vector<std::string> names_of(X509* x509) {
    std::vector<std::string> uris;
    const NamesPtr names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x509, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI) continue;
        const ASN1_IA5STRING* uri = name->d.uniformResourceIdentifier;
        std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                         static_cast<std::size_t>(ASN1_STRING_length(uri)));
        if (text.starts_with(kScheme)) uris.push_back(std::move(text));
    }
    return uris;
}

std::string serial_of(X509* x509) {
    const std::unique_ptr<BIGNUM, Release<BN_free>> number(
        ASN1_INTEGER_to_BN(X509_get0_serialNumber(x509), nullptr));
    char* hex = number ? BN_bn2hex(number.get()) : nullptr;
    std::string text = hex == nullptr ? "" : hex;
    OPENSSL_free(hex);
    return text;
}

bool is_unknown_authority(int code) {
    switch (code) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        // A signature that fails means an authority of the trusted one's name, but with another key.
        return true;
    default:
        return false;
    }
}

} // namespace

Result<Certificate> read_certificate(X509* x509) {
    const auto uris = names_of(x509);
    if (uris.size() != 1) {
        const std::string found = uris.empty() ? "no name" : fmt::format("{} names", uris.size());
        return fail(Errc::unauthenticated,
                    fmt::format("has {} of the form dwcp://CLUSTER/KIND/NAME, not exactly one", found),
                    "make certificates with ops/certs");
    }
    auto subject = parse_subject(uris.front());
    if (!subject) {
        return fail(Errc::unauthenticated, "has a name that is not of the form dwcp://CLUSTER/KIND/NAME",
                    "make certificates with ops/certs");
    }
    return Certificate{std::move(*subject), serial_of(x509), unix_ms(X509_get0_notBefore(x509)),
                       unix_ms(X509_get0_notAfter(x509))};
}

Error describe_refusal(X509_STORE_CTX* verification) {
    const int code = X509_STORE_CTX_get_error(verification);
    X509* blamed = X509_STORE_CTX_get_current_cert(verification);
    const auto refused = [](std::string message, std::string remedy) {
        return Error{Errc::unauthenticated, std::move(message), std::move(remedy)};
    };
    if (blamed == nullptr) return refused("cannot be verified", "make certificates with ops/certs");
    const bool own = X509_STORE_CTX_get_error_depth(verification) == 0;
    const std::string authority =
        own ? "" : fmt::format("is signed by {}, which ", shown_name(X509_get_subject_name(blamed)));
    if (is_unknown_authority(code)) {
        return refused(fmt::format("is signed by an authority that is not trusted here ({})",
                                   shown_name(X509_get_issuer_name(blamed))),
                       "sign both ends' certificates with one CA (ops/certs), or add that CA to tls.ca");
    }
    if (code == X509_V_ERR_CERT_HAS_EXPIRED) {
        return refused(
            fmt::format("{}expired on {}", authority, shown_time(unix_ms(X509_get0_notAfter(blamed)))),
            own ? "renew it: ops/certs renew NAME" : "replace the CA: ops/certs --help, CA rollover");
    }
    if (code == X509_V_ERR_CERT_NOT_YET_VALID) {
        return refused(fmt::format("{}is valid only from {}", authority,
                                   shown_time(unix_ms(X509_get0_notBefore(blamed)))),
                       "compare the clocks of both machines");
    }
    if (code == X509_V_ERR_INVALID_PURPOSE) {
        return refused(authority + "is not made for this use",
                       "nodes need certificates of ops/certs node, clients those of ops/certs client");
    }
    return refused(fmt::format("{}is refused: {}", authority, X509_verify_cert_error_string(code)),
                   "make certificates with ops/certs");
}

std::string shown_time(UnixMillis time) {
    const std::time_t seconds = time / 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts)};
}

UnixMillis unix_ms(const ASN1_TIME* time) {
    std::tm parts{};
    if (ASN1_TIME_to_tm(time, &parts) != 1) return 0;
    return static_cast<UnixMillis>(timegm(&parts)) * 1000;
}

std::string shown_name(const X509_NAME* name) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_ONELINE) < 0) return "?";
    char* data = nullptr;
    const long size = BIO_get_mem_data(out.get(), &data);
    std::string text(data, static_cast<std::size_t>(std::max(0L, size)));
    if (text.size() > kShownNameMax) text = text.substr(0, kShownNameMax) + "...";
    return text.empty() ? "nameless" : text;
}

std::string take_openssl_reason() {
    const unsigned long code = ERR_peek_last_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    std::string text = reason == nullptr ? "no reason given" : reason;
    ERR_clear_error();
    return text;
}

} // namespace dwcp::tls
