#include "protocols/crypto/ed25519.hpp"

#include <sodium.h>

#include <cstdlib>

namespace dwcp::crypto {

void initialise() {
    // Without its random source libsodium must not be used at all.
    if (sodium_init() < 0) std::abort();
}

void random_bytes(std::span<Byte> out) { randombytes_buf(out.data(), out.size()); }

struct SigningKey::Secret {
    std::array<Byte, crypto_sign_SECRETKEYBYTES> bytes{};
    Secret() { sodium_mlock(bytes.data(), bytes.size()); }
    ~Secret() { sodium_munlock(bytes.data(), bytes.size()); } // munlock also wipes
};

SigningKey::~SigningKey() = default;
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;

SigningKey SigningKey::from_seed(const Seed& seed) {
    initialise();
    SigningKey key;
    key.secret_ = std::make_unique<Secret>();
    crypto_sign_seed_keypair(key.public_.bytes.data(), key.secret_->bytes.data(), seed.data());
    return key;
}

SigningKey SigningKey::generate() {
    initialise();
    Seed seed;
    random_bytes(seed);
    SigningKey key = from_seed(seed);
    sodium_memzero(seed.data(), seed.size());
    return key;
}

Signature SigningKey::sign(ByteView message) const {
    Signature signature;
    crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(), secret_->bytes.data());
    return signature;
}

Seed SigningKey::seed() const {
    Seed seed;
    crypto_sign_ed25519_sk_to_seed(seed.data(), secret_->bytes.data());
    return seed;
}

bool verify(const PublicKey& key, ByteView message, const Signature& signature) {
    return crypto_sign_verify_detached(signature.data(), message.data(), message.size(), key.bytes.data()) ==
           0;
}

SessionOffer make_session_offer() {
    initialise();
    SessionOffer offer;
    crypto_kx_keypair(offer.public_part.data(), offer.secret_part.data());
    return offer;
}

Result<SessionKeys> derive_session(const SessionOffer& mine, ByteView peer_public_part, bool dialler) {
    if (peer_public_part.size() != crypto_kx_PUBLICKEYBYTES) {
        return fail(Errc::invalid_argument, "session key of the peer has the wrong length");
    }
    SessionKeys keys;
    const auto derive = dialler ? crypto_kx_client_session_keys : crypto_kx_server_session_keys;
    if (derive(keys.receive.data(), keys.transmit.data(), mine.public_part.data(), mine.secret_part.data(),
               peer_public_part.data()) != 0) {
        return fail(Errc::unauthenticated, "session key of the peer is not acceptable");
    }
    return keys;
}

Mac mac(const std::array<Byte, 32>& key, std::initializer_list<ByteView> parts) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, key.data(), key.size(), sizeof(Mac));
    for (ByteView part : parts)
        crypto_generichash_update(&state, part.data(), part.size());
    Mac out;
    crypto_generichash_final(&state, out.data(), out.size());
    return out;
}

bool equal_constant_time(ByteView a, ByteView b) {
    return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace dwcp::crypto
