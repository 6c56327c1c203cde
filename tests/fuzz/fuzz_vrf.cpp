// Proofs of the verifiable random function and encoded set hashes from arbitrary bytes. The first byte
// chooses: even, a key, a proof and the input after it; odd, a set hash, which must survive a round trip.
#include "protocols/crypto/memo.hpp"
#include "protocols/crypto/set_hash.hpp"

#include <algorithm>
#include <cstdlib>

using namespace dwcp;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

void proof(ByteView bytes) {
    PublicKey key;
    crypto::VrfProof proof;
    if (bytes.size() < key.bytes.size() + proof.size()) return;
    std::copy_n(bytes.begin(), key.bytes.size(), key.bytes.begin());
    std::copy_n(bytes.begin() + key.bytes.size(), proof.size(), proof.begin());
    const ByteView alpha = bytes.subspan(key.bytes.size() + proof.size());
    const auto output = crypto::vrf_verify(key, alpha, proof);
    if (output) require(crypto::vrf_output(proof) == *output);
    // The memory must not change the answer, now or when asked again.
    static crypto::SignatureMemo memo;
    require(memo.verify_vrf(key, alpha, proof) == output);
    require(memo.verify_vrf(key, alpha, proof) == output);
}

void set_hash(ByteView bytes) {
    auto hash = crypto::SetHash::decode(bytes);
    require(hash.has_value() == (bytes.size() == crypto::SetHash::kEncodedBytes));
    if (!hash) return;
    const crypto::SetHash before = *hash;
    require(crypto::SetHash::decode(hash->encode()) == before);
    hash->add(bytes.first(bytes.size() / 2));
    require(*hash != before);
    hash->remove(bytes.first(bytes.size() / 2));
    require(*hash == before);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const ByteView rest(data + 1, size - 1);
    if (data[0] % 2 == 0) {
        proof(rest);
    } else {
        set_hash(rest);
    }
    return 0;
}
