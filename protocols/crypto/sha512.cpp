#include "protocols/crypto/sha512.hpp"

#include <sodium.h>

namespace dwcp::crypto {

Hash512 sha512(std::initializer_list<ByteView> parts) {
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    for (ByteView part : parts)
        crypto_hash_sha512_update(&state, part.data(), part.size());
    Hash512 digest;
    crypto_hash_sha512_final(&state, digest.data());
    sodium_memzero(&state, sizeof state);
    return digest;
}

} // namespace dwcp::crypto
