// The verifiable random function against RFC 9381 appendix B.3, and against proofs that must not pass. Those
// with torsion were made with an independent implementation of the RFC, which accepts them (or would, without
// its check of the key).
#include "protocols/crypto/vrf.hpp"
#include "tests/unit/crypto/hex.hpp"

#include <algorithm>
#include <set>
#include <string>

namespace dwcp::crypto {
namespace {

using test::bytes_of;
using test::fixed;
using test::public_key;

struct Vector {
    const char* seed;
    const char* key;
    const char* alpha;
    const char* proof;
    const char* output;
    const char* draft_proof; ///< What draft 9 and older made of the same key and alpha: four points hashed.
};

// Examples 16, 17 and 18.
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f26f8a57ccaed74ee1b190bed1f479d97"
     "27d2d0f9b005a6e456a35d4fb0daab1268a1b0db10836d9826a528ca76567805",
     "90cf1df3b703cce59e2a35b925d411164068269d7b2d29f3301c03dd757876ff66b71dda49d2de59d03450451af02679"
     "8e8f81cd2e333de5cdf4f3e140fdd8ae",
     "8657106690b5526245a92b003bb079ccd1a92130477671f6fc01ad16f26f723f5e8bd1839b414219e8626d393787a192"
     "241fc442e6569e96c462f62b8079b9ed83ff2ee21c90c7c398802fdeebea4001"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed5933bf0864a62558b3ed7f2fea45c92a465"
     "301b3bbf5e3e54ddf2d935be3b67926da3ef39226bbc355bdc9850112c8f4b02",
     "eb4440665d3891d668e7e0fcaf587f1b4bd7fbfe99d0eb2211ccec90496310eb5e33821bc613efb94db5e5b54c70a848"
     "a0bef4553a41befc57663b56373a5031",
     "f3141cd382dc42909d19ec5110469e4feae18300e94f304590abdced48aed593f7eaf3eb2f1a968cba3f6e23b386aeea"
     "ab7b1ea44a256e811892e13eeae7c9f6ea8992557453eac11c4d5476b1f35a08"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf8096bb474e53895c362d8628ee9f9ea3c0"
     "e52c7a5c691b6c18c9979866568add7a2d41b00b05081ed0f58ee5e31b3a970e",
     "645427e5d00c62a23fb703732fa5d892940935942101e456ecca7bb217c61c452118fec1219202a0edcf038bb6373241"
     "578be7217ba85a2687f7a0310b2df19f",
     "9bc0f79119cc5604bf02d23b4caede71393cedfbb191434dd016d30177ccbf80e29dc513c01c3a980e0e545bcd848222"
     "d08a6c3e3665ff5a4cab13a643bef812e284c6b2ee063a2cb4f456794723ad0a"},
};

// Canonical encodings of all points whose order divides eight.
constexpr const char* kSmallOrder[] = {
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
};

struct Example {
    SigningKey key;
    Bytes alpha;
    VrfProof proof;
};

Example example(const Vector& vector) {
    return {SigningKey::from_seed(fixed<32>(vector.seed)), bytes_of(vector.alpha), fixed<80>(vector.proof)};
}

template<class Array>
Array flipped(Array bytes, std::size_t bit) {
    bytes[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
    return bytes;
}

VrfProof with_gamma(VrfProof proof, const std::array<Byte, 32>& gamma) {
    std::copy(gamma.begin(), gamma.end(), proof.begin());
    return proof;
}

VrfProof with_scalar(VrfProof proof, const std::array<Byte, 32>& s) {
    std::copy(s.begin(), s.end(), proof.begin() + 48);
    return proof;
}

} // namespace

TEST_CASE("the vectors of RFC 9381 are proven and verified") {
    for (const Vector& vector : kVectors) {
        const Example e = example(vector);
        REQUIRE(e.key.public_key() == public_key(vector.key));
        const VrfResult made = vrf_prove(e.key, e.alpha);
        CHECK(to_hex(made.proof) == vector.proof);
        CHECK(to_hex(made.output) == vector.output);
        CHECK(vrf_verify(e.key.public_key(), e.alpha, e.proof) == fixed<64>(vector.output));
        CHECK(vrf_output(e.proof) == fixed<64>(vector.output));
    }
}

TEST_CASE("proofs of the drafts before the RFC are refused") {
    for (const Vector& vector : kVectors)
        CHECK_FALSE(
            vrf_verify(public_key(vector.key), bytes_of(vector.alpha), fixed<80>(vector.draft_proof)));
}

TEST_CASE("what a key proves verifies with that key and that input alone") {
    const SigningKey mine = SigningKey::from_seed(Seed{1});
    const SigningKey other = SigningKey::from_seed(Seed{2});
    std::set<VrfOutput> outputs;
    for (int round = 0; round < 40; ++round) {
        const std::string text = "slot " + std::to_string(round);
        const ByteView alpha = as_bytes(text);
        const VrfResult made = vrf_prove(mine, alpha);
        CHECK(vrf_verify(mine.public_key(), alpha, made.proof) == made.output);
        CHECK(vrf_output(made.proof) == made.output);
        CHECK_FALSE(vrf_verify(other.public_key(), alpha, made.proof));
        CHECK_FALSE(vrf_verify(mine.public_key(), alpha.first(alpha.size() - 1), made.proof));
        const VrfResult again = vrf_prove(mine, alpha);
        CHECK(again.proof == made.proof);
        CHECK(again.output == made.output);
        outputs.insert(made.output);
        outputs.insert(vrf_prove(other, alpha).output);
    }
    CHECK(outputs.size() == 80);
}

TEST_CASE("a proof with any single bit flipped is refused") {
    for (const Vector& vector : kVectors) {
        const Example e = example(vector);
        std::size_t refused = 0;
        for (std::size_t bit = 0; bit < 8 * sizeof(VrfProof); ++bit)
            refused += vrf_verify(e.key.public_key(), e.alpha, flipped(e.proof, bit)) ? 0 : 1;
        CHECK(refused == 640);
    }
}

TEST_CASE("a proof is refused for an input or a key with any single bit flipped") {
    const SigningKey key = SigningKey::from_seed(Seed{3});
    const std::array<Byte, 16> alpha = {'i', 'n', 'p', 'u', 't'};
    const VrfProof proof = vrf_prove(key, alpha).proof;
    for (std::size_t bit = 0; bit < 8 * alpha.size(); ++bit)
        CHECK_FALSE(vrf_verify(key.public_key(), flipped(alpha, bit), proof));
    for (std::size_t bit = 0; bit < 256; ++bit)
        CHECK_FALSE(vrf_verify(PublicKey{flipped(key.public_key().bytes, bit)}, alpha, proof));
}

TEST_CASE("s at or above the group order is refused") {
    const Example e = example(kVectors[2]);
    // The example's s plus L: the same equations hold.
    CHECK_FALSE(vrf_verify(
        e.key.public_key(), e.alpha,
        with_scalar(e.proof, fixed<32>("d20070b9837e7e709f3490093584bc8f2d41b00b05081ed0f58ee5e31b3a971e"))));
    // L itself, and the largest number of 32 bytes.
    CHECK_FALSE(vrf_verify(
        e.key.public_key(), e.alpha,
        with_scalar(e.proof, fixed<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))));
    std::array<Byte, 32> largest;
    largest.fill(0xff);
    CHECK_FALSE(vrf_verify(e.key.public_key(), e.alpha, with_scalar(e.proof, largest)));
}

TEST_CASE("zero scalars and proofs of nothing but zeros or ones are refused") {
    const Example e = example(kVectors[1]);
    const PublicKey& key = e.key.public_key();
    VrfProof no_challenge = e.proof;
    std::fill_n(no_challenge.begin() + 32, 16, Byte{0});
    CHECK_FALSE(vrf_verify(key, e.alpha, no_challenge));
    CHECK_FALSE(vrf_verify(key, e.alpha, with_scalar(e.proof, {})));
    CHECK_FALSE(vrf_verify(key, e.alpha, with_scalar(no_challenge, {})));
    CHECK_FALSE(vrf_verify(key, e.alpha, VrfProof{}));
    VrfProof ones;
    ones.fill(0xff);
    CHECK_FALSE(vrf_verify(key, e.alpha, ones));
}

TEST_CASE("points of small order are refused as Gamma and as key") {
    const Example e = example(kVectors[2]);
    for (const char* hex : kSmallOrder) {
        INFO(hex);
        CHECK_FALSE(vrf_verify(e.key.public_key(), e.alpha, with_gamma(e.proof, fixed<32>(hex))));
        CHECK_FALSE(vrf_verify(public_key(hex), e.alpha, e.proof));
    }
}

TEST_CASE("encodings of y at or above the field's prime are refused as Gamma and as key") {
    const Example e = example(kVectors[2]);
    // p .. p + 18 with either sign, the identities with a sign among them.
    for (unsigned low = 0xed; low <= 0xff; ++low) {
        for (const Byte top : {Byte{0x7f}, Byte{0xff}}) {
            std::array<Byte, 32> point;
            point.fill(0xff);
            point[0] = static_cast<Byte>(low);
            point[31] = top;
            CHECK_FALSE(vrf_verify(e.key.public_key(), e.alpha, with_gamma(e.proof, point)));
            CHECK_FALSE(vrf_verify(PublicKey{point}, e.alpha, e.proof));
        }
    }
    for (const char* signed_zero : {"0100000000000000000000000000000000000000000000000000000000000080",
                                    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}) {
        CHECK_FALSE(vrf_verify(e.key.public_key(), e.alpha, with_gamma(e.proof, fixed<32>(signed_zero))));
        CHECK_FALSE(vrf_verify(public_key(signed_zero), e.alpha, e.proof));
    }
}

TEST_CASE("a Gamma with a torsion part is refused though its equations hold") {
    // The key's holder added a point of order eight to Gamma and searched a c that is a multiple of eight.
    CHECK_FALSE(vrf_verify(
        public_key(kVectors[2].key), bytes_of(kVectors[2].alpha),
        fixed<80>("7988670e8c480d17894e1e39ba5343d2a5df8bb31f2a9447c479eceeb15f776360611d6dccf6f2a8c80fb09d"
                  "f5632e4f70f4e47892b3379f000b215684725ef94d6032c231064bfdb8ecffe8ab2f8303")));
}

TEST_CASE("a key with a torsion part is refused though the equations hold") {
    CHECK_FALSE(vrf_verify(
        public_key("d1e06adf4e05e248e1e52beca14b6be4da0af01b41645d2849b407ec22f41dc7"), bytes_of("af82"),
        fixed<80>("56dfc9607f942f80de0c14498a6ec079a419746b909da10b3ac7df13af4b031488d1f407907d91613c423938"
                  "c1bfe2575ae9d5e3a7c118ea841733f69329e621eadf8a88076f7b7ee8eaed4b33685b0a")));
}

TEST_CASE("a proof that everybody can make for a key of order eight is refused") {
    CHECK_FALSE(vrf_verify(
        public_key("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), bytes_of("af82"),
        fixed<80>("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a1060ac1c4131932d28515091"
                  "8443bd68c70b000000000000000000000000000000000000000000000000000000000000")));
}

} // namespace dwcp::crypto
