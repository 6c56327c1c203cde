// Ed25519 signatures (RFC 8032) and X25519 session keys through libsodium, the only library that verifies
// signatures in this product.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"

#include <array>
#include <memory>

namespace dwcp::crypto {

using Signature = std::array<Byte, 64>;
using Seed = std::array<Byte, 32>;

/// Must be called once before anything else in this header; safe to call again and from any thread.
void initialise();

/// Random bytes from the operating system, for keys, nonces and ids. Not for decision cores.
void random_bytes(std::span<Byte> out);

/// A signing key. Memory is locked and wiped on destruction; it cannot be copied or printed.
class SigningKey {
  public:
    /// Derives the key pair from its 32-byte seed (RFC 8032 section 5.1.5).
    static SigningKey from_seed(const Seed& seed);
    static SigningKey generate();

    ~SigningKey();
    SigningKey(SigningKey&&) noexcept;
    SigningKey& operator=(SigningKey&&) noexcept;

    const PublicKey& public_key() const { return public_; }
    Signature sign(ByteView message) const;
    /// The seed, to write it to the key file. The caller wipes it.
    Seed seed() const;

  private:
    SigningKey() = default;
    struct Secret;
    std::unique_ptr<Secret> secret_;
    PublicKey public_;
};

bool verify(const PublicKey& key, ByteView message, const Signature& signature);

/// One side's ephemeral X25519 key for a session (libsodium crypto_kx).
struct SessionOffer {
    std::array<Byte, 32> public_part{};
    std::array<Byte, 32> secret_part{};
};

/// Keys of one session: what I send is authenticated with `transmit`, what I receive with `receive`.
struct SessionKeys {
    std::array<Byte, 32> transmit{};
    std::array<Byte, 32> receive{};
};

using Mac = std::array<Byte, 16>;

SessionOffer make_session_offer();
/// `dialler` is true on the side that opened the connection. Fails on a low-order peer key.
Result<SessionKeys> derive_session(const SessionOffer& mine, ByteView peer_public_part, bool dialler);

/// Keyed BLAKE2b-128 over the concatenation of the parts.
Mac mac(const std::array<Byte, 32>& key, std::initializer_list<ByteView> parts);
bool equal_constant_time(ByteView a, ByteView b);

} // namespace dwcp::crypto
