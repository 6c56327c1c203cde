#include "tests/sim/consensus/keys.hpp"

#include "protocols/base/random.hpp"
#include "protocols/crypto/memo.hpp"

#include <bit>
#include <cstring>

namespace dwcp::sim {
namespace {

using consensus::Checker;
using consensus::Signer;

struct Secret {
    std::uint64_t k0 = 0;
    std::uint64_t k1 = 0;
};

/// Pads of the two uses of a secret, so that no signature is a proof.
constexpr std::uint64_t kSigning = 0x7369676e;
constexpr std::uint64_t kDrawing = 0x64726177;

template<std::size_t N>
void fill(std::array<Byte, N>& out, std::uint64_t seed) {
    static_assert(N % 8 == 0);
    Random stream(seed);
    for (std::size_t i = 0; i < N; i += 8) {
        const std::uint64_t word = stream.next();
        std::memcpy(out.data() + i, &word, 8);
    }
}

crypto::Signature sign_with(const Secret& secret, ByteView message) {
    crypto::Signature signature;
    fill(signature, sip_hash(secret.k0 ^ kSigning, secret.k1, message));
    return signature;
}

crypto::VrfResult draw_with(const Secret& secret, ByteView alpha) {
    const std::uint64_t drawn = sip_hash(secret.k0 ^ kDrawing, secret.k1, alpha);
    crypto::VrfResult result;
    fill(result.output, drawn);
    fill(result.proof, ~drawn);
    return result;
}

class CheapSigner : public Signer {
  public:
    explicit CheapSigner(Secret secret) : secret_(secret) {}
    crypto::Signature sign(ByteView message) const override { return sign_with(secret_, message); }
    crypto::VrfResult vrf_prove(ByteView alpha) const override { return draw_with(secret_, alpha); }
    const Secret& secret() const { return secret_; }

  private:
    Secret secret_;
};

class CheapKeys : public Keys, public Checker {
  public:
    explicit CheapKeys(std::uint64_t seed) : seed_(seed) {}

    PublicKey make(std::string_view name) override {
        Random stream(sip_hash(seed_, 1, as_bytes(name)));
        const Secret secret{stream.next(), stream.next()};
        PublicKey key;
        fill(key.bytes, stream.next());
        signers_.try_emplace(key, secret);
        return key;
    }
    const Signer& signer(const PublicKey& key) override { return signers_.at(key); }
    Checker& checker() override { return *this; }

    bool verify(const PublicKey& key, ByteView message, const crypto::Signature& signature) override {
        const auto found = signers_.find(key);
        return found != signers_.end() && sign_with(found->second.secret(), message) == signature;
    }
    std::optional<crypto::VrfOutput> verify_vrf(const PublicKey& key, ByteView alpha,
                                                const crypto::VrfProof& proof) override {
        const auto found = signers_.find(key);
        if (found == signers_.end()) return std::nullopt;
        auto drawn = draw_with(found->second.secret(), alpha);
        if (drawn.proof != proof) return std::nullopt;
        return drawn.output;
    }

  private:
    std::uint64_t seed_;
    std::unordered_map<PublicKey, CheapSigner> signers_;
};

class RealKeys : public Keys {
  public:
    explicit RealKeys(std::uint64_t seed) : seed_(seed) { crypto::initialise(); }

    PublicKey make(std::string_view name) override {
        crypto::Seed bytes;
        fill(bytes, sip_hash(seed_, 2, as_bytes(name)));
        auto key = std::make_shared<const crypto::SigningKey>(crypto::SigningKey::from_seed(bytes));
        const auto made = key->public_key();
        signers_.try_emplace(made, consensus::make_signer(std::move(key)));
        return made;
    }
    const Signer& signer(const PublicKey& key) override { return *signers_.at(key); }
    Checker& checker() override { return *checker_; }

  private:
    std::uint64_t seed_;
    std::unordered_map<PublicKey, std::unique_ptr<Signer>> signers_;
    crypto::SignatureMemo memo_;
    std::unique_ptr<Checker> checker_ = consensus::make_checker(memo_);
};

void sip_round(std::uint64_t& v0, std::uint64_t& v1, std::uint64_t& v2, std::uint64_t& v3) {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
}

} // namespace

std::uint64_t sip_hash(std::uint64_t k0, std::uint64_t k1, ByteView data) {
    std::uint64_t v0 = k0 ^ 0x736f6d6570736575, v1 = k1 ^ 0x646f72616e646f6d;
    std::uint64_t v2 = k0 ^ 0x6c7967656e657261, v3 = k1 ^ 0x7465646279746573;
    const auto take = [&](std::uint64_t word) {
        v3 ^= word;
        sip_round(v0, v1, v2, v3);
        sip_round(v0, v1, v2, v3);
        v0 ^= word;
    };
    std::size_t at = 0;
    for (; at + 8 <= data.size(); at += 8) {
        std::uint64_t word;
        std::memcpy(&word, data.data() + at, 8);
        take(word);
    }
    std::uint64_t last = static_cast<std::uint64_t>(data.size()) << 56;
    for (unsigned shift = 0; at < data.size(); ++at, shift += 8)
        last |= static_cast<std::uint64_t>(data[at]) << shift;
    take(last);
    v2 ^= 0xff;
    for (int i = 0; i < 4; ++i)
        sip_round(v0, v1, v2, v3);
    return v0 ^ v1 ^ v2 ^ v3;
}

std::unique_ptr<Keys> cheap_keys(std::uint64_t seed) { return std::make_unique<CheapKeys>(seed); }
std::unique_ptr<Keys> real_keys(std::uint64_t seed) { return std::make_unique<RealKeys>(seed); }

} // namespace dwcp::sim
