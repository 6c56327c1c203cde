#include "tests/unit/tls/test_certificates.hpp"

#include "runtime/tls/openssl.hpp"

#include <openssl/pem.h>
#include <openssl/rand.h>

#include <fstream>
#include <stdexcept>

namespace dwcp::testing {
namespace {

using namespace tls;

template<class T>
T* must(T* made) {
    if (made == nullptr) throw std::runtime_error("OpenSSL: " + take_openssl_reason());
    return made;
}

void must(int returned) {
    if (returned <= 0) throw std::runtime_error("OpenSSL: " + take_openssl_reason());
}

std::string text_of(BIO* bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(X509* x509) {
    const BioPtr out(must(BIO_new(BIO_s_mem())));
    must(PEM_write_bio_X509(out.get(), x509));
    return text_of(out.get());
}

std::string pem_of(EVP_PKEY* key) {
    const BioPtr out(must(BIO_new(BIO_s_mem())));
    must(PEM_write_bio_PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr));
    return text_of(out.get());
}

void extend(X509* x509, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
    const std::unique_ptr<X509_EXTENSION, Release<X509_EXTENSION_free>> extension(
        must(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())));
    must(X509_add_ext(x509, extension.get(), -1));
}

X509Ptr make(const CertificateWish& wish, const std::string& name, EVP_PKEY* key, X509* issuer,
             EVP_PKEY* issuer_key) {
    X509Ptr x509(must(X509_new()));
    must(X509_set_version(x509.get(), X509_VERSION_3));
    std::uint64_t serial = 0;
    must(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial));
    must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509.get()), serial >> 1));
    must(X509_gmtime_adj(X509_getm_notBefore(x509.get()), wish.from_s));
    must(X509_gmtime_adj(X509_getm_notAfter(x509.get()), wish.until_s));
    must(X509_set_pubkey(x509.get(), key));
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(x509.get()), "CN", MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0));
    X509* signer = issuer == nullptr ? x509.get() : issuer;
    must(X509_set_issuer_name(x509.get(), X509_get_subject_name(signer)));
    extend(x509.get(), signer, NID_basic_constraints,
           wish.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(x509.get(), signer, NID_subject_key_identifier, "hash");
    // Tells authorities of one name apart.
    if (issuer != nullptr) extend(x509.get(), signer, NID_authority_key_identifier, "keyid:always");
    if (!wish.authority)
        extend(x509.get(), signer, NID_ext_key_usage,
               wish.for_servers ? "serverAuth,clientAuth" : "clientAuth");
    std::string names;
    for (const auto& uri : wish.uris)
        names += (names.empty() ? "URI:" : ",URI:") + uri;
    if (!names.empty()) extend(x509.get(), signer, NID_subject_alt_name, names);
    must(X509_sign(x509.get(), issuer_key, EVP_sha256()));
    return x509;
}

KeyPtr make_key() { return KeyPtr(must(EVP_EC_gen("P-256"))); }

} // namespace

struct TestAuthority::Parts {
    KeyPtr key;
    X509Ptr certificate;
};

TestAuthority::TestAuthority(std::string cluster, std::string name, std::int64_t from_s, std::int64_t until_s)
    : cluster_(std::move(cluster)), parts_(std::make_unique<Parts>()) {
    CertificateWish wish;
    wish.from_s = from_s;
    wish.until_s = until_s;
    wish.authority = true;
    parts_->key = make_key();
    parts_->certificate = make(wish, name, parts_->key.get(), nullptr, parts_->key.get());
}

TestAuthority::TestAuthority(std::string cluster, std::string name, const TestAuthority& root)
    : cluster_(std::move(cluster)), parts_(std::make_unique<Parts>()) {
    CertificateWish wish;
    wish.authority = true;
    parts_->key = make_key();
    parts_->certificate =
        make(wish, name, parts_->key.get(), root.parts_->certificate.get(), root.parts_->key.get());
}

TestAuthority::~TestAuthority() = default;

tls::Files TestAuthority::issue(const std::filesystem::path& directory, const CertificateWish& wish) const {
    const KeyPtr key = make_key();
    const X509Ptr x509 = make(wish, wish.file, key.get(), parts_->certificate.get(), parts_->key.get());
    const auto path = [&](const std::string& name) { return (directory / name).string(); };
    const tls::Files files{path(wish.file + ".pem"), path(wish.file + ".key"), path("ca.pem")};
    write_file(files.key, pem_of(key.get()), true);
    write_file(files.certificate, pem_of(x509.get()));
    write_file(files.ca, pem());
    return files;
}

tls::Files TestAuthority::node(const std::filesystem::path& directory, const std::string& name) const {
    CertificateWish wish;
    wish.file = name;
    wish.uris = {"dwcp://" + cluster_ + "/node/" + name};
    return issue(directory, wish);
}

tls::Files TestAuthority::client(const std::filesystem::path& directory, const std::string& role,
                                 const std::string& name) const {
    CertificateWish wish;
    wish.file = name;
    wish.uris = {"dwcp://" + cluster_ + "/" + role + "/" + name};
    wish.for_servers = false;
    return issue(directory, wish);
}

std::string TestAuthority::pem() const { return pem_of(parts_->certificate.get()); }

void write_file(const std::filesystem::path& path, const std::string& content, bool secret) {
    using std::filesystem::perms;
    const std::filesystem::path temporary = path.string() + ".new";
    std::ofstream(temporary, std::ios::binary | std::ios::trunc) << content;
    const perms readable = perms::owner_read | perms::owner_write;
    std::filesystem::permissions(temporary,
                                 secret ? readable : readable | perms::group_read | perms::others_read);
    std::filesystem::rename(temporary, path);
}

} // namespace dwcp::testing
