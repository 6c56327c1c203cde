#include "protocols/base/random.hpp"
#include "protocols/wire/data_messages.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <cstring>

using namespace dwcp;

namespace {

wire::Hello sample_hello(Byte fill) {
    wire::Hello hello{"cluster-1", "site-a", {}, 0x1122334455667788ULL, {}};
    hello.public_key.bytes.fill(fill);
    hello.nonce.fill(static_cast<Byte>(fill + 1));
    return hello;
}

wire::BlockHeader sample_block() {
    wire::BlockHeader block{{}, {Codec::zstd, -5}, 1000, "0123456789abcdef0123456789abcdef"};
    block.hash.bytes.fill(9);
    return block;
}

} // namespace

TEST_CASE("every header of the data plane comes back as it was") {
    wire::HelloAck ack{sample_hello(3), {}};
    ack.signature.fill(7);
    const auto ack_back = wire::decode_hello_ack(wire::encode_hello_ack(ack));
    REQUIRE(ack_back.has_value());
    CHECK(ack_back->signature == ack.signature);
    CHECK(ack_back->hello.cluster_id == "cluster-1");
    CHECK(ack_back->hello.name == "site-a");
    CHECK(ack_back->hello.public_key == ack.hello.public_key);
    CHECK(ack_back->hello.incarnation == ack.hello.incarnation);
    CHECK(ack_back->hello.nonce == ack.hello.nonce);
    CHECK(wire::decode_hello(wire::encode_hello(sample_hello(3)))->nonce == ack.hello.nonce);
    CHECK(wire::decode_proof(wire::encode_proof(ack.signature)) == ack.signature);

    const auto failure = wire::decode_failure(wire::encode_failure({Errc::corrupted, "what", "how"}));
    REQUIRE(failure.has_value());
    CHECK(failure->code == Errc::corrupted);
    CHECK(failure->message == "what");
    CHECK(failure->remedy == "how");
    CHECK(wire::decode_credit(wire::encode_credit(8)) == 8U);

    const auto block = wire::decode_block(wire::encode_block(sample_block()), 400);
    REQUIRE(block.has_value());
    CHECK(block->hash == sample_block().hash);
    CHECK(block->codec == sample_block().codec);
    CHECK(block->raw_bytes == 1000);
    CHECK(block->workload == sample_block().workload);
    CHECK(wire::decode_sync(wire::encode_sync("w")) == "w");
    CHECK(wire::decode_fetch(wire::encode_fetch(sample_block().hash)) == sample_block().hash);
    const std::vector<Hash256> hashes(3, sample_block().hash);
    CHECK(wire::decode_hashes(wire::encode_hashes(hashes)) == hashes);
    CHECK(wire::decode_hashes({})->empty());
}

TEST_CASE("headers that break a rule are refused with a reason") {
    CHECK_FALSE(wire::decode_credit(wire::encode_credit(0)).has_value());
    CHECK_FALSE(wire::decode_credit(wire::encode_credit(wire::kCreditGrantMax + 1)).has_value());
    wire::BlockHeader block = sample_block();
    block.codec = {Codec::none, 0};
    CHECK_FALSE(wire::decode_block(wire::encode_block(block), 999).has_value());
    CHECK(wire::decode_block(wire::encode_block(block), 1000).has_value());
    block.raw_bytes = kBlockBytes + 1;
    CHECK_FALSE(wire::decode_block(wire::encode_block(block), kBlockBytes + 1).has_value());
    block = sample_block();
    block.codec.codec = static_cast<Codec>(200);
    CHECK_FALSE(wire::decode_block(wire::encode_block(block), 10).has_value());
    block = sample_block();
    block.workload.assign(wire::kWorkloadIdBytesMax + 1, 'x');
    CHECK_FALSE(wire::decode_block(wire::encode_block(block), 10).has_value());
    wire::Hello hello = sample_hello(1);
    hello.name.assign(wire::kNodeNameBytesMax + 1, 'x');
    CHECK_FALSE(wire::decode_hello(wire::encode_hello(hello)).has_value());
    CHECK_FALSE(wire::decode_hashes(Bytes(33)).has_value());
    CHECK_FALSE(wire::decode_hello({}).has_value());
}

TEST_CASE("a code that only a newer peer knows is read as an internal error") {
    const auto failure = wire::decode_failure(wire::encode_failure({static_cast<Errc>(99), "new", ""}));
    REQUIRE(failure.has_value());
    CHECK(failure->code == Errc::internal);
}

TEST_CASE("long error texts are cut to what the peer accepts") {
    const auto failure =
        wire::decode_failure(wire::encode_failure({Errc::internal, std::string(9999, 'm'), ""}));
    REQUIRE(failure.has_value());
    CHECK(failure->message.size() == wire::kErrorTextBytesMax);
}

TEST_CASE("damaged headers never throw") {
    Random random(test::seed());
    const wire::Words good = wire::encode_hello_ack({sample_hello(5), {}});
    std::size_t refused = 0;
    for (int round = 0; round < 3000; ++round) {
        wire::Words broken = good;
        for (int flips = 0; flips < 3; ++flips)
            broken[random.below(broken.size())] ^= 1ULL << random.below(64);
        refused += wire::decode_hello_ack(broken).has_value() ? 0 : 1;
        (void)wire::decode_block(broken, 5);
    }
    CHECK(refused > 0);
}

TEST_CASE("the signed transcript differs by role and by every field") {
    const wire::Hello a = sample_hello(1);
    const wire::Hello b = sample_hello(2);
    const Bytes base = wire::handshake_transcript(wire::Role::dialler, a, b);
    CHECK(base != wire::handshake_transcript(wire::Role::acceptor, a, b));
    CHECK(base != wire::handshake_transcript(wire::Role::dialler, b, a));
    const auto changed = [&](auto change) {
        wire::Hello other = a;
        change(other);
        return wire::handshake_transcript(wire::Role::dialler, other, b) != base;
    };
    CHECK(changed([](wire::Hello& hello) { hello.cluster_id = "cluster-2"; }));
    CHECK(changed([](wire::Hello& hello) { hello.name = "site-b"; }));
    CHECK(changed([](wire::Hello& hello) { hello.public_key.bytes[0] ^= 1; }));
    CHECK(changed([](wire::Hello& hello) { hello.incarnation ^= 1; }));
    CHECK(changed([](wire::Hello& hello) { hello.nonce[31] ^= 1; }));
    // Moving a byte from one field to the next must change it too.
    CHECK(changed([](wire::Hello& hello) { hello.cluster_id = "cluster-", hello.name = "1site-a"; }));
}
