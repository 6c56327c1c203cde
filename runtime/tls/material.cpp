#include "runtime/tls/material.hpp"

#include "runtime/identity/guarded_file.hpp"
#include "runtime/tls/session_core.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>
#include <limits>

namespace dwcp::tls {
namespace {

/// The own one, then what leads to an authority; more than a person's PKI ever has.
constexpr int kChainMax = 5;
/// In one file.
constexpr std::size_t kCertificatesMax = 64;

constexpr std::string_view kMake = "make it with ops/certs";

std::unexpected<Error> unfit(const std::string& path, std::string what, std::string remedy) {
    return fail(Errc::precondition_failed, fmt::format("{}: {}", path, what), std::move(remedy));
}

/// A Result<T> that must hold: the Error leaves the loading.
template<class T>
T need(Result<T> result) {
    if (!result) throw result.error();
    return std::move(*result);
}

std::string read_file(const std::string& path, mode_t forbidden) {
    auto content = need(identity::read_guarded(path, forbidden));
    if (!content)
        throw Error{Errc::not_found, path + ": does not exist", "make it with ops/certs, or mend [tls]"};
    return std::move(*content);
}

Result<std::vector<X509Ptr>> parse_certificates(const std::string& path, const std::string& pem) {
    ERR_clear_error();
    const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    std::vector<X509Ptr> found;
    while (in && found.size() < kCertificatesMax) {
        X509Ptr next(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
        if (!next) break;
        found.push_back(std::move(next));
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string reason = take_openssl_reason();
    if (found.empty() && at_end) return unfit(path, "no certificate in PEM form in it", std::string(kMake));
    if (!at_end) {
        return unfit(path, fmt::format("certificate {} in it cannot be read: {}", found.size() + 1, reason),
                     std::string(kMake));
    }
    return found;
}

/// OpenSSL would ask on the terminal.
int no_passphrase(char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

Result<KeyPtr> parse_key(const std::string& path, const std::string& pem) {
    const BioPtr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    bool encrypted = false;
    KeyPtr key(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, &encrypted) : nullptr);
    ERR_clear_error();
    if (encrypted) {
        return unfit(path, "the key is encrypted, and a node has nobody to ask for the passphrase",
                     fmt::format("openssl pkey -in {0} -out {0}.plain, then chmod 600 and rename it", path));
    }
    if (!key) return unfit(path, "no private key in PEM form in it", std::string(kMake));
    return key;
}

/// Errors: not of an authority. What OpenSSL is to trust.
Result<StorePtr> trust(const std::string& path, const std::vector<X509Ptr>& authorities) {
    StorePtr store(X509_STORE_new());
    if (!store) return fail(Errc::resource_exhausted, "no memory for " + path);
    for (const auto& authority : authorities) {
        if (X509_check_ca(authority.get()) == 0) {
            return unfit(path,
                         fmt::format("{} in it is no certificate authority",
                                     shown_name(X509_get_subject_name(authority.get()))),
                         "tls.ca names the file ca.pem of ops/certs, not a node's certificate");
        }
        if (X509_STORE_add_cert(store.get(), authority.get()) != 1)
            return unfit(path, take_openssl_reason(), std::string(kMake));
    }
    return store;
}

struct Chain {
    std::vector<X509Ptr> certificates;
    KeyPtr key;
};

Chain load_chain(const Files& files, std::string& contents) {
    const std::string certificate_pem = read_file(files.certificate, identity::kWritableByOthers);
    const std::string key_pem = read_file(files.key, identity::kReadableByOthers);
    contents += certificate_pem + key_pem;
    Chain chain{need(parse_certificates(files.certificate, certificate_pem)),
                need(parse_key(files.key, key_pem))};
    const bool fits = X509_check_private_key(chain.certificates.front().get(), chain.key.get()) == 1;
    ERR_clear_error();
    if (!fits) {
        throw Error{Errc::precondition_failed,
                    fmt::format("{}: is not the key of {}", files.key, files.certificate),
                    "give the two files that ops/certs made together"};
    }
    return chain;
}

Certificate check_own(const Files& files, const std::string& cluster, const Chain& chain, X509_STORE* store,
                      UnixMillis& ca_until_ms) {
    X509* own = chain.certificates.front().get();
    const auto refused = [&](const Error& error) {
        return Error{Errc::precondition_failed,
                     fmt::format("{}: the certificate {}", files.certificate, error.message), error.remedy};
    };
    const auto certificate = read_certificate(own);
    if (!certificate) throw refused(certificate.error());
    if (!cluster.empty() && certificate->subject.cluster != cluster) {
        throw refused({Errc::precondition_failed,
                       fmt::format("is of cluster {}, not {}", certificate->subject.cluster, cluster),
                       fmt::format("make one with ops/certs of the CA of cluster {}", cluster)});
    }
    const std::unique_ptr<STACK_OF(X509), decltype([](STACK_OF(X509) * s) { sk_X509_free(s); })> others(
        sk_X509_new_null());
    for (std::size_t i = 1; others && i < chain.certificates.size(); ++i)
        sk_X509_push(others.get(), chain.certificates[i].get());
    const StoreContextPtr verification(X509_STORE_CTX_new());
    if (!others || !verification || X509_STORE_CTX_init(verification.get(), store, own, others.get()) != 1)
        throw Error{Errc::resource_exhausted, "no memory to verify " + files.certificate, ""};
    X509_VERIFY_PARAM_set_depth(X509_STORE_CTX_get0_param(verification.get()), kChainMax);
    const bool good = X509_verify_cert(verification.get()) == 1;
    if (!good) {
        Error why = describe_refusal(verification.get());
        if (why.message.find("not trusted") != std::string::npos)
            why.remedy = fmt::format("tls.ca must be the CA that signed it; {} is not", files.ca);
        throw refused(why);
    }
    STACK_OF(X509)* path = X509_STORE_CTX_get0_chain(verification.get());
    ca_until_ms = unix_ms(X509_get0_notAfter(sk_X509_value(path, sk_X509_num(path) - 1)));
    ERR_clear_error();
    return *certificate;
}

SslContextPtr make_context() {
    SslContextPtr context(SSL_CTX_new(TLS_method()));
    if (!context) throw Error{Errc::resource_exhausted, "OpenSSL: " + take_openssl_reason(), ""};
    SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
    // A resumed session would skip the check of a certificate that meanwhile expired or lost its authority.
    SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context.get(), 0);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                        SSL_MODE_RELEASE_BUFFERS); // idle connections hold no buffers
    SSL_CTX_set_verify_depth(context.get(), kChainMax);
    SSL_CTX_set_cert_verify_callback(context.get(), verify_peer, nullptr);
    return context;
}

void give_chain(SSL_CTX* context, const Chain& chain) {
    bool good = SSL_CTX_use_certificate(context, chain.certificates.front().get()) == 1 &&
                SSL_CTX_use_PrivateKey(context, chain.key.get()) == 1;
    for (std::size_t i = 1; good && i < chain.certificates.size(); ++i)
        good = SSL_CTX_add1_chain_cert(context, chain.certificates[i].get()) == 1;
    if (!good) {
        throw Error{Errc::precondition_failed, "OpenSSL refuses the certificate: " + take_openssl_reason(),
                    "make it with ops/certs: its keys are strong enough"};
    }
}

Material build(const Files& files, const std::string& cluster) {
    Material material;
    material.contents = read_file(files.ca, identity::kWritableByOthers);
    const auto authorities = need(parse_certificates(files.ca, material.contents));
    auto store = need(trust(files.ca, authorities));
    material.ssl = make_context();
    if (!files.certificate.empty()) {
        const Chain chain = load_chain(files, material.contents);
        material.own = check_own(files, cluster, chain, store.get(), material.ca_until_ms);
        give_chain(material.ssl.get(), chain);
    } else {
        material.ca_until_ms = std::numeric_limits<UnixMillis>::max();
        for (const auto& authority : authorities)
            material.ca_until_ms =
                std::min(material.ca_until_ms, unix_ms(X509_get0_notAfter(authority.get())));
    }
    for (const auto& authority : authorities)
        SSL_CTX_add_client_CA(material.ssl.get(), authority.get()); // browsers choose by it
    SSL_CTX_set_cert_store(material.ssl.get(), store.release());
    return material;
}

} // namespace

Result<Material> load_material(const Files& files, const std::string& cluster) {
    try {
        return build(files, cluster);
    } catch (Error& error) {
        return std::unexpected(std::move(error));
    }
}

} // namespace dwcp::tls
