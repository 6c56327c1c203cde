// The memory of verifications: nothing but what was really verified may pass, and it stays bounded.
#include "protocols/base/random.hpp"
#include "protocols/crypto/memo.hpp"
#include "protocols/crypto/recent_table.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace dwcp::crypto {
namespace {

using Counters = SignatureMemo::Counters;
using Mode = SignatureMemo::Mode;

struct Signed {
    std::string message;
    Signature signature;
};

std::vector<Signed> signed_by(const SigningKey& key, int count) {
    std::vector<Signed> messages;
    for (int i = 0; i < count; ++i) {
        const std::string message = "vote " + std::to_string(i);
        messages.push_back({message, key.sign(as_bytes(message))});
    }
    return messages;
}

template<class Array>
Array flipped(Array bytes, std::size_t bit) {
    bytes[bit / 8] ^= static_cast<Byte>(1U << bit % 8);
    return bytes;
}

Hash256 digest_of(std::uint64_t number) {
    Random random(number);
    Hash256 digest;
    for (Byte& byte : digest.bytes)
        byte = static_cast<Byte>(random.next());
    return digest;
}

} // namespace

TEST_CASE("a signature is verified once and then remembered") {
    SignatureMemo memo;
    const SigningKey key = SigningKey::from_seed(Seed{1});
    const ByteView message = as_bytes("vote");
    const Signature signature = key.sign(message);
    CHECK(memo.verify(key.public_key(), message, signature));
    CHECK(memo.counters() == Counters{.hits = 0, .verified = 1, .rejected = 0});
    CHECK(memo.verify(key.public_key(), message, signature));
    CHECK(memo.counters() == Counters{.hits = 1, .verified = 1, .rejected = 0});
    CHECK(memo.remembered() == 1);
}

TEST_CASE("whatever differs in a bit from a remembered signature is refused") {
    SignatureMemo memo;
    const SigningKey key = SigningKey::from_seed(Seed{1});
    const std::array<Byte, 8> message = {'v', 'o', 't', 'e'};
    const Signature signature = key.sign(message);
    REQUIRE(memo.verify(key.public_key(), message, signature));
    for (std::size_t bit = 0; bit < 512; ++bit)
        CHECK_FALSE(memo.verify(key.public_key(), message, flipped(signature, bit)));
    for (std::size_t bit = 0; bit < 64; ++bit)
        CHECK_FALSE(memo.verify(key.public_key(), flipped(message, bit), signature));
    for (std::size_t bit = 0; bit < 256; ++bit)
        CHECK_FALSE(memo.verify(PublicKey{flipped(key.public_key().bytes, bit)}, message, signature));
    CHECK(memo.counters() == Counters{.hits = 0, .verified = 1, .rejected = 832});
    CHECK(memo.verify(key.public_key(), message, signature));
    CHECK(memo.counters().hits == 1);
}

TEST_CASE("a failure is not remembered, neither as good nor as bad") {
    SignatureMemo memo;
    const SigningKey key = SigningKey::from_seed(Seed{1});
    const SigningKey other = SigningKey::from_seed(Seed{2});
    const ByteView message = as_bytes("vote");
    const Signature signature = key.sign(message);
    const VrfProof proof = vrf_prove(key, message).proof;
    for (int i = 0; i < 3; ++i) {
        CHECK_FALSE(memo.verify(other.public_key(), message, signature));
        CHECK_FALSE(memo.verify_vrf(other.public_key(), message, proof));
    }
    CHECK(memo.counters() == Counters{.hits = 0, .verified = 0, .rejected = 6});
    CHECK(memo.remembered() == 0);
}

TEST_CASE("a proof is verified once and its output remembered") {
    SignatureMemo memo;
    const SigningKey key = SigningKey::from_seed(Seed{1});
    const std::array<Byte, 4> alpha = {'s', 'l', 'o', 't'};
    const VrfResult made = vrf_prove(key, alpha);
    CHECK(memo.verify_vrf(key.public_key(), alpha, made.proof) == made.output);
    CHECK(memo.verify_vrf(key.public_key(), alpha, made.proof) == made.output);
    CHECK(memo.counters() == Counters{.hits = 1, .verified = 1, .rejected = 0});
    for (std::size_t bit = 0; bit < 640; ++bit)
        CHECK_FALSE(memo.verify_vrf(key.public_key(), alpha, flipped(made.proof, bit)));
    for (std::size_t bit = 0; bit < 32; ++bit)
        CHECK_FALSE(memo.verify_vrf(key.public_key(), flipped(alpha, bit), made.proof));
    CHECK(memo.counters() == Counters{.hits = 1, .verified = 1, .rejected = 672});
}

TEST_CASE("a remembered proof vouches for no signature and moving bytes between fields hits nothing") {
    SignatureMemo memo;
    const SigningKey key = SigningKey::from_seed(Seed{1});
    const ByteView alpha = as_bytes("sixteen bytes ..");
    const VrfProof proof = vrf_prove(key, alpha).proof;
    REQUIRE(memo.verify_vrf(key.public_key(), alpha, proof));
    // The same bytes behind the key: 64 of them as a signature, the rest as the message.
    Signature signature;
    std::copy_n(proof.begin(), signature.size(), signature.begin());
    Bytes message(proof.begin() + 64, proof.end());
    message.insert(message.end(), alpha.begin(), alpha.end());
    CHECK_FALSE(memo.verify(key.public_key(), message, signature));
    CHECK(memo.counters() == Counters{.hits = 0, .verified = 1, .rejected = 1});
}

TEST_CASE("a memo is bounded and still right about what it forgot") {
    SignatureMemo memo(Mode::shared, {.signatures = 32, .proofs = 8});
    REQUIRE(memo.capacity() == 40);
    const SigningKey key = SigningKey::from_seed(Seed{1});
    const auto messages = signed_by(key, 400);
    for (int round = 0; round < 2; ++round) {
        for (const Signed& one : messages) {
            REQUIRE(memo.verify(key.public_key(), as_bytes(one.message), one.signature));
            REQUIRE(memo.remembered() <= 32);
        }
    }
    CHECK(memo.remembered() == 32);
    const Counters counters = memo.counters();
    CHECK(counters.hits + counters.verified == 800);
    CHECK(counters.verified > 400);
    // The latest is still known.
    REQUIRE(memo.verify(key.public_key(), as_bytes(messages.back().message), messages.back().signature));
    CHECK(memo.counters().hits == counters.hits + 1);
}

TEST_CASE("an independent memo remembers nothing") {
    SignatureMemo memo(Mode::independent);
    const SigningKey key = SigningKey::from_seed(Seed{1});
    const ByteView message = as_bytes("vote");
    const Signature signature = key.sign(message);
    const VrfResult made = vrf_prove(key, message);
    for (int i = 0; i < 3; ++i) {
        CHECK(memo.verify(key.public_key(), message, signature));
        CHECK(memo.verify_vrf(key.public_key(), message, made.proof) == made.output);
    }
    CHECK_FALSE(memo.verify(key.public_key(), as_bytes("veto"), signature));
    CHECK(memo.mode() == Mode::independent);
    CHECK(memo.counters() == Counters{.hits = 0, .verified = 6, .rejected = 1});
    CHECK(memo.remembered() == 0);
    CHECK(memo.capacity() == 0);
}

TEST_CASE("many threads agree on what is good while they displace each other's memories") {
    constexpr int kThreads = 4;
    constexpr int kRounds = 6;
    SignatureMemo memo(Mode::shared, {.signatures = 16, .proofs = 8});
    const SigningKey key = SigningKey::from_seed(Seed{1});
    const auto messages = signed_by(key, 48);
    const VrfResult made = vrf_prove(key, as_bytes("slot"));
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
        threads.emplace_back([&, thread] {
            for (std::size_t step = 0; step < kRounds * messages.size(); ++step) {
                const Signed& one = messages[(step + static_cast<std::size_t>(thread) * 7) % messages.size()];
                const ByteView message = as_bytes(one.message);
                if (!memo.verify(key.public_key(), message, one.signature)) ++wrong;
                if (memo.verify(key.public_key(), message, flipped(one.signature, step % 512))) ++wrong;
                if (memo.verify_vrf(key.public_key(), as_bytes("slot"), made.proof) != made.output) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    CHECK(wrong == 0);
    const Counters counters = memo.counters();
    const std::uint64_t steps = kThreads * kRounds * messages.size();
    CHECK(counters.rejected == steps);
    CHECK(counters.hits + counters.verified == 2 * steps);
    CHECK(memo.remembered() <= memo.capacity());
}

TEST_CASE("a table gives each digest its own value while threads overwrite its slots") {
    // One bucket and far more digests than slots; the value repeats the digest, so that a mixture shows.
    RecentTable<32> table(8);
    constexpr std::uint64_t kDigests = 64;
    std::atomic<int> mixed{0};
    std::atomic<int> found{0};
    std::vector<std::thread> threads;
    for (std::uint64_t thread = 0; thread < 4; ++thread) {
        threads.emplace_back([&, thread] {
            Random random(thread);
            for (int step = 0; step < 20000; ++step) {
                const Hash256 digest = digest_of(random.below(kDigests));
                if (const auto value = table.find(digest)) {
                    ++found;
                    if (*value != digest.bytes) ++mixed;
                } else {
                    table.remember(digest, digest.bytes);
                }
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    CHECK(mixed == 0);
    CHECK(found > 0);
    CHECK(table.size() <= 8);
    CHECK(table.capacity() == 8);
}

TEST_CASE("the oldest of a bucket yields to the newest") {
    RecentTable<0> table(1);
    for (std::uint64_t i = 0; i < 9; ++i)
        table.remember(digest_of(i), {});
    CHECK_FALSE(table.find(digest_of(0)));
    for (std::uint64_t i = 1; i < 9; ++i)
        CHECK(table.find(digest_of(i)));
    table.remember(digest_of(5), {}); // known already: displaces nothing
    CHECK(table.find(digest_of(1)));
    CHECK(table.size() == 8);
}

} // namespace dwcp::crypto
