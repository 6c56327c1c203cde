#include "protocols/crypto/hash.hpp"

#include <openssl/evp.h>

#include <cstdlib>

namespace dwcp::crypto {
namespace {

// Fetching an algorithm takes locks and a property query; OpenSSL's documentation advises to do it once.
const EVP_MD* sha256_algorithm() {
    static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return algorithm;
}

// A failure here means that OpenSSL itself is broken or out of memory: there is nothing to fall back to, and
// a wrong digest would corrupt data, so the process ends.
void require(bool ok) {
    if (!ok) std::abort();
}

} // namespace

struct Sha256::State {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    require(state_->context && EVP_DigestInit_ex2(state_->context, sha256_algorithm(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(ByteView data) {
    require(EVP_DigestUpdate(state_->context, data.data(), data.size()) == 1);
}

Hash256 Sha256::finish() {
    Hash256 hash;
    require(EVP_DigestFinal_ex(state_->context, hash.bytes.data(), nullptr) == 1);
    return hash;
}

Hash256 sha256(std::initializer_list<ByteView> parts) {
    Sha256 digest;
    for (ByteView part : parts)
        digest.update(part);
    return digest.finish();
}

Hash256 sha256(ByteView data) { return sha256({data}); }

} // namespace dwcp::crypto
