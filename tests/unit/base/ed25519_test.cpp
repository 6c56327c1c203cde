// Ed25519 against the test vectors of RFC 8032 section 7.1, and the session keys and MACs around it.
#include "protocols/crypto/ed25519.hpp"

#include <catch2/catch.hpp>

namespace dwcp::crypto {
namespace {

struct Vector {
    const char* seed;
    const char* public_key;
    const char* message;
    const char* signature;
};

// TEST 1, TEST 2, TEST 3 and TEST SHA(abc).
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
     "4a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
     "454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
     "3dca179c138ac17ad9bef1177331a704"},
};

template<std::size_t N>
std::array<Byte, N> fixed(std::string_view hex) {
    std::array<Byte, N> bytes{};
    REQUIRE(from_hex(hex, bytes));
    return bytes;
}

Bytes decoded(std::string_view hex) {
    Bytes bytes(hex.size() / 2);
    REQUIRE(from_hex(hex, bytes));
    return bytes;
}

} // namespace

TEST_CASE("keys, signatures and verification agree with RFC 8032") {
    for (const Vector& vector : kVectors) {
        const auto key = SigningKey::from_seed(fixed<32>(vector.seed));
        const Bytes message = decoded(vector.message);
        CHECK(key.public_key().hex() == vector.public_key);
        CHECK(to_hex(key.sign(message)) == vector.signature);
        CHECK(verify(PublicKey{fixed<32>(vector.public_key)}, message, fixed<64>(vector.signature)));
    }
}

TEST_CASE("a signature with any bit changed is refused") {
    const auto key = SigningKey::from_seed(fixed<32>(kVectors[2].seed));
    const Bytes message = decoded(kVectors[2].message);
    const Signature good = key.sign(message);
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
        Signature bad = good;
        bad[bit / 8] ^= static_cast<Byte>(1U << (bit % 8));
        REQUIRE_FALSE(verify(key.public_key(), message, bad));
    }
}

TEST_CASE("a signature is bound to its message and to its key") {
    const auto key = SigningKey::generate();
    const auto other = SigningKey::generate();
    const Signature signature = key.sign(as_bytes("pay 10"));
    CHECK(verify(key.public_key(), as_bytes("pay 10"), signature));
    CHECK_FALSE(verify(key.public_key(), as_bytes("pay 11"), signature));
    CHECK_FALSE(verify(other.public_key(), as_bytes("pay 10"), signature));
}

TEST_CASE("a second form of the same signature is refused") {
    // S + L signs the same message under a careless verifier (RFC 8032 section 5.1.7 demands S < L).
    const auto order = fixed<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    const auto key = SigningKey::from_seed(fixed<32>(kVectors[0].seed));
    Signature forged = key.sign({});
    int carry = 0;
    for (std::size_t i = 0; i < 32; ++i) {
        carry += forged[32 + i] + order[i];
        forged[32 + i] = static_cast<Byte>(carry & 0xff);
        carry >>= 8;
    }
    CHECK(verify(key.public_key(), {}, key.sign({})));
    CHECK_FALSE(verify(key.public_key(), {}, forged));
}

TEST_CASE("a public key of low order proves nothing") {
    // With the identity as key and R = identity, S = 0 satisfies the bare equation for every message.
    PublicKey identity;
    identity.bytes[0] = 1;
    Signature signature{};
    signature[0] = 1;
    CHECK_FALSE(verify(identity, as_bytes("anything"), signature));
    CHECK_FALSE(verify(PublicKey{}, as_bytes("anything"), Signature{}));
}

TEST_CASE("a key can be stored by its seed and moved") {
    auto key = SigningKey::generate();
    const PublicKey expected = key.public_key();
    CHECK(SigningKey::from_seed(key.seed()).public_key() == expected);
    const SigningKey moved = std::move(key);
    CHECK(moved.public_key() == expected);
    CHECK(verify(expected, as_bytes("x"), moved.sign(as_bytes("x"))));
}

TEST_CASE("random bytes fill the whole buffer") {
    // 64 bytes that stay zero by chance: 2^-512.
    std::array<Byte, 64> first{};
    std::array<Byte, 64> second{};
    initialise();
    random_bytes(first);
    random_bytes(second);
    CHECK(first != second);
    CHECK(first != std::array<Byte, 64>{});
}

TEST_CASE("both ends of a session derive the same two keys, crosswise") {
    const SessionOffer dialler = make_session_offer();
    const SessionOffer listener = make_session_offer();
    const auto mine = derive_session(dialler, listener.public_part, true);
    const auto theirs = derive_session(listener, dialler.public_part, false);
    REQUIRE(mine);
    REQUIRE(theirs);
    CHECK(mine->transmit == theirs->receive);
    CHECK(mine->receive == theirs->transmit);
    CHECK(mine->transmit != mine->receive);

    const auto other = derive_session(make_session_offer(), listener.public_part, true);
    CHECK(other->transmit != mine->transmit);
}

TEST_CASE("a session key of low order or of the wrong length is refused") {
    const SessionOffer mine = make_session_offer();
    const std::array<Byte, 32> zero{};
    CHECK(derive_session(mine, zero, true).error().code == Errc::unauthenticated);
    CHECK(derive_session(mine, ByteView(zero).first(31), true).error().code == Errc::invalid_argument);
    CHECK(derive_session(mine, {}, false).error().code == Errc::invalid_argument);
}

TEST_CASE("a MAC covers the key and every byte, however the parts are cut") {
    const std::array<Byte, 32> key = fixed<32>(kVectors[0].seed);
    const Mac whole = mac(key, {as_bytes("header"), as_bytes("body")});
    CHECK(mac(key, {as_bytes("head"), as_bytes("erbody")}) == whole);
    CHECK(mac(key, {as_bytes("headerbodx")}) != whole);
    CHECK(mac(key, {as_bytes("headerbod")}) != whole);
    CHECK(mac(fixed<32>(kVectors[1].seed), {as_bytes("headerbody")}) != whole);
}

TEST_CASE("comparison in constant time tells equal from different, also in length") {
    CHECK(equal_constant_time(as_bytes("abc"), as_bytes("abc")));
    CHECK(equal_constant_time({}, {}));
    CHECK_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abd")));
    CHECK_FALSE(equal_constant_time(as_bytes("abc"), as_bytes("abcd")));
}

} // namespace dwcp::crypto
