#include "protocols/crypto/vrf.hpp"

#include "protocols/crypto/sha512.hpp"

#include <sodium.h>

#include <algorithm>
#include <cstdlib>

// The public interface of libsodium has two kinds of functions on points. crypto_scalarmult_ed25519_* refuse
// whatever is outside the prime-order subgroup: right for keys and Gamma, useless for the candidates of
// try-and-increment, which are arbitrary points. crypto_core_ed25519_add and _sub take any point of the
// curve, but also non-canonical encodings.
namespace dwcp::crypto {
namespace {

using Point = std::array<Byte, crypto_core_ed25519_BYTES>;
using Scalar = std::array<Byte, crypto_core_ed25519_SCALARBYTES>;

constexpr std::size_t kChallengeBytes = 16;
constexpr std::size_t kChallengeAt = sizeof(Point);
constexpr std::size_t kScalarAt = kChallengeAt + kChallengeBytes;

constexpr Byte kSuite[] = {0x03};
constexpr Byte kEncodeToCurve[] = {0x01};
constexpr Byte kChallenge[] = {0x02};
constexpr Byte kProofToHash[] = {0x03};
constexpr Byte kBack[] = {0x00};

constexpr Point kIdentity = {0x01};
/// (0, 1) and (0, -1) with the sign bit set: x is zero, so RFC 8032 section 5.1.3 refuses the bit. libsodium
/// does not.
constexpr Point kMinusZero = {0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                              0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80};
constexpr Point kMinusZeroOfOrderTwo = {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/// Whether the encoding is the only one of its point: y < 2^255 - 19, and no sign for x = 0. Public data.
bool canonical(const Point& point) {
    const bool y_below_p = point[0] < 0xed || (point[31] & 0x7f) != 0x7f ||
                           std::any_of(point.begin() + 1, point.end() - 1, [](Byte b) { return b != 0xff; });
    return y_below_p && point != kMinusZero && point != kMinusZeroOfOrderTwo;
}

/// 8 * point, out of the torsion; false if the bytes are no point of the curve.
bool clear_cofactor(Point& point) {
    for (int doubling = 0; doubling < 3; ++doubling) {
        const Point before = point;
        if (crypto_core_ed25519_add(point.data(), before.data(), before.data()) != 0) return false;
    }
    return true;
}

/// ECVRF_encode_to_curve_try_and_increment, section 5.4.1.1, with the key as salt.
std::optional<Point> encode_to_curve(const PublicKey& key, ByteView alpha) {
    for (unsigned attempt = 0; attempt <= 0xff; ++attempt) {
        const Byte counter[] = {static_cast<Byte>(attempt)};
        const Hash512 hash = sha512({kSuite, kEncodeToCurve, key.view(), alpha, counter, kBack});
        Point candidate;
        std::copy_n(hash.begin(), candidate.size(), candidate.begin());
        if (canonical(candidate) && clear_cofactor(candidate) && candidate != kIdentity) return candidate;
    }
    return std::nullopt;
}

/// ECVRF_challenge_generation, section 5.4.3, over the five points of the RFC (drafts before 11 hashed four).
Scalar challenge(const PublicKey& key, const Point& h, const Point& gamma, const Point& u, const Point& v) {
    const Hash512 hash = sha512({kSuite, kChallenge, key.view(), h, gamma, u, v, kBack});
    Scalar c{};
    std::copy_n(hash.begin(), kChallengeBytes, c.begin());
    return c;
}

Scalar reduce(ByteView bytes) {
    std::array<Byte, crypto_core_ed25519_NONREDUCEDSCALARBYTES> wide{};
    std::copy(bytes.begin(), bytes.end(), wide.begin());
    Scalar scalar;
    crypto_core_ed25519_scalar_reduce(scalar.data(), wide.data());
    sodium_memzero(wide.data(), wide.size());
    return scalar;
}

bool is_zero(const Scalar& scalar) { return sodium_is_zero(scalar.data(), scalar.size()) != 0; }

/// ECVRF_proof_to_hash, section 5.2.
std::optional<VrfOutput> output_of(Point gamma) {
    if (!clear_cofactor(gamma)) return std::nullopt;
    return sha512({kSuite, kProofToHash, gamma, kBack});
}

/// The secret scalar x and the second half of the hashed seed (RFC 8032 section 5.1.5); wiped at the end.
struct Secrets {
    Scalar x{};
    Scalar prefix{};
    Scalar nonce{};
    Scalar product{};

    explicit Secrets(const SigningKey& key) {
        Seed seed = key.seed();
        Hash512 hash = sha512({seed});
        hash[0] &= 0xf8;
        hash[31] = static_cast<Byte>((hash[31] & 0x7f) | 0x40);
        std::copy_n(hash.begin() + 32, prefix.size(), prefix.begin());
        // Clamping leaves x above L, where the functions on scalars want it reduced.
        x = reduce(ByteView(hash).first(sizeof(Scalar)));
        sodium_memzero(hash.data(), hash.size());
        sodium_memzero(seed.data(), seed.size());
    }
    ~Secrets() { sodium_memzero(this, sizeof *this); }
    Secrets(const Secrets&) = delete;
    Secrets& operator=(const Secrets&) = delete;
};

/// The multiplications fail only for a zero scalar or an identity, which a good key cannot meet.
void require(bool ok) {
    if (!ok) std::abort();
}

/// ECVRF_nonce_generation_RFC8032, section 5.4.2.2.
void choose_nonce(Secrets& secrets, const Point& h) {
    Hash512 hash = sha512({secrets.prefix, h});
    secrets.nonce = reduce(hash);
    sodium_memzero(hash.data(), hash.size());
}

} // namespace

VrfResult vrf_prove(const SigningKey& key, ByteView alpha) {
    const auto h = encode_to_curve(key.public_key(), alpha);
    require(h.has_value());
    Secrets secrets(key);
    choose_nonce(secrets, *h);
    Point gamma;
    Point u;
    Point v;
    require(crypto_scalarmult_ed25519_noclamp(gamma.data(), secrets.x.data(), h->data()) == 0);
    require(crypto_scalarmult_ed25519_base_noclamp(u.data(), secrets.nonce.data()) == 0);
    require(crypto_scalarmult_ed25519_noclamp(v.data(), secrets.nonce.data(), h->data()) == 0);
    const Scalar c = challenge(key.public_key(), *h, gamma, u, v);
    Scalar s;
    crypto_core_ed25519_scalar_mul(secrets.product.data(), c.data(), secrets.x.data());
    crypto_core_ed25519_scalar_add(s.data(), secrets.nonce.data(), secrets.product.data());

    VrfResult result;
    std::copy(gamma.begin(), gamma.end(), result.proof.begin());
    std::copy_n(c.begin(), kChallengeBytes, result.proof.begin() + kChallengeAt);
    std::copy(s.begin(), s.end(), result.proof.begin() + kScalarAt);
    result.output = vrf_output(result.proof);
    return result;
}

std::optional<VrfOutput> vrf_verify(const PublicKey& key, ByteView alpha, const VrfProof& proof) {
    Point gamma;
    Scalar c{};
    Scalar s;
    std::copy_n(proof.begin(), gamma.size(), gamma.begin());
    std::copy_n(proof.begin() + kChallengeAt, kChallengeBytes, c.begin());
    std::copy_n(proof.begin() + kScalarAt, s.size(), s.begin());
    if (is_zero(c) || is_zero(s) || reduce(s) != s) return std::nullopt;
    const auto h = encode_to_curve(key, alpha);
    if (!h) return std::nullopt;

    // The multiplications of the key and of Gamma are their validation too: they refuse what is not
    // canonical, not on the curve, outside the prime-order subgroup or of small order.
    Point times_s;
    Point times_c;
    Point u; // s*B - c*Y
    Point v; // s*H - c*Gamma
    const bool computed =
        crypto_scalarmult_ed25519_base_noclamp(times_s.data(), s.data()) == 0 &&
        crypto_scalarmult_ed25519_noclamp(times_c.data(), c.data(), key.bytes.data()) == 0 &&
        crypto_core_ed25519_sub(u.data(), times_s.data(), times_c.data()) == 0 &&
        crypto_scalarmult_ed25519_noclamp(times_s.data(), s.data(), h->data()) == 0 &&
        crypto_scalarmult_ed25519_noclamp(times_c.data(), c.data(), gamma.data()) == 0 &&
        crypto_core_ed25519_sub(v.data(), times_s.data(), times_c.data()) == 0;
    if (!computed || challenge(key, *h, gamma, u, v) != c) return std::nullopt;
    return output_of(gamma);
}

VrfOutput vrf_output(const VrfProof& proof) {
    Point gamma;
    std::copy_n(proof.begin(), gamma.size(), gamma.begin());
    const auto output = output_of(gamma);
    require(output.has_value());
    return *output;
}

} // namespace dwcp::crypto
