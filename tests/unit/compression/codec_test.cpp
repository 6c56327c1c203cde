#include "actors/compression/codec.hpp"
#include "protocols/crypto/hash.hpp"
#include "tests/unit/compression/sample_data.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <brotli/encode.h>
#include <lz4.h>
#include <set>
#include <snappy.h>
#include <thread>
#include <vector>
#include <zstd.h>

using namespace dwcp;
using namespace dwcp::compression;
using testing::Kind;

namespace {

EncodedBlock must_encode(CodecChoice choice, const SharedBytes& raw) {
    auto block = encode(choice, raw, crypto::sha256(*raw));
    REQUIRE(block);
    return *block;
}

EncodedBlock hostile(CodecChoice choice, std::uint32_t raw_bytes, Bytes bytes) {
    return {Hash256{}, choice, raw_bytes, share(std::move(bytes))};
}

void require_corrupted(const EncodedBlock& block) {
    const auto raw = decode(block);
    REQUIRE_FALSE(raw);
    CHECK(raw.error().code == Errc::corrupted);
    CHECK(raw.error().message.find(block.hash.hex()) != std::string::npos);
    CHECK_FALSE(raw.error().remedy.empty());
}

/// Many times a block's size, compressed by the library itself: what a decompression bomb looks like.
Bytes bomb(Codec codec) {
    const Bytes zeros(20 * kBlockBytes);
    const auto* text = reinterpret_cast<const char*>(zeros.data());
    Bytes out(snappy::MaxCompressedLength(zeros.size()));
    auto* target = reinterpret_cast<char*>(out.data());
    std::size_t size = out.size();
    switch (codec) {
    case Codec::none:
        break;
    case Codec::lz4:
        size = static_cast<std::size_t>(
            LZ4_compress_default(text, target, static_cast<int>(zeros.size()), static_cast<int>(out.size())));
        break;
    case Codec::snappy:
        snappy::RawCompress(text, zeros.size(), target, &size);
        break;
    case Codec::zstd:
        size = ZSTD_compress(out.data(), out.size(), zeros.data(), zeros.size(), 3);
        break;
    case Codec::brotli:
        BrotliEncoderCompress(5, BROTLI_MAX_WINDOW_BITS, BROTLI_MODE_GENERIC, zeros.size(), zeros.data(),
                              &size, out.data());
        break;
    }
    out.resize(size);
    return out;
}

} // namespace

TEST_CASE("every codec returns every kind of block unchanged") {
    Random random(test::seed());
    CAPTURE(test::seed());
    for (const CodecInfo& info : known_codecs()) {
        for (const Kind kind : testing::kKinds) {
            for (const std::size_t size : {1UL, 2UL, 15UL, 17UL, 1000UL, 70'001UL}) {
                CAPTURE(info.name, to_string(kind), size);
                const SharedBytes raw = share(make(kind, size, random));
                const EncodedBlock block = must_encode(info.choice, raw);
                CHECK(block.raw_bytes == size);
                CHECK(block.bytes->size() <= size);
                const auto decoded = decode_verified(block);
                REQUIRE(decoded);
                CHECK(**decoded == *raw);
            }
        }
    }
}

TEST_CASE("every codec takes a block of the maximum size, the worst case included") {
    Random random(test::seed());
    const SharedBytes text = share(make(Kind::text, kBlockBytes, random));
    const SharedBytes noise = share(make(Kind::random, kBlockBytes, random));
    for (const CodecInfo& info : known_codecs()) {
        CAPTURE(info.name);
        const EncodedBlock small = must_encode(info.choice, text);
        CHECK(small.codec == info.choice);
        CHECK(decode_verified(small));
        const EncodedBlock same = must_encode(info.choice, noise);
        CHECK(same.codec == CodecChoice{Codec::none, 0});
        CHECK(decode_verified(same));
    }
}

TEST_CASE("threads use the codecs side by side") {
    Random random(test::seed());
    const SharedBytes raw = share(make(Kind::text, 20'000, random));
    std::atomic<int> unchanged = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (const CodecInfo& info : known_codecs()) {
                const auto block = encode(info.choice, raw, {});
                const auto decoded = block ? decode(*block) : std::unexpected(block.error());
                if (decoded && **decoded == *raw) ++unchanged;
            }
        });
    }
    threads.clear(); // joins
    CHECK(unchanged == 4 * static_cast<int>(known_codecs().size()));
}

TEST_CASE("a codec's output is kept only if it saves a sixteenth") {
    Random random(test::seed());
    const CodecChoice lz4{Codec::lz4, 0};
    const auto with_zeros = [&](std::size_t zeros) {
        Bytes bytes = make(Kind::random, 16'000 - zeros, random);
        bytes.resize(16'000);
        return share(std::move(bytes));
    };
    CHECK(must_encode(lz4, with_zeros(1'200)).codec == lz4);
    const SharedBytes poor = with_zeros(900);
    const EncodedBlock kept_raw = must_encode(lz4, poor);
    CHECK(kept_raw.codec == CodecChoice{Codec::none, 0});
    CHECK(kept_raw.bytes == poor); // shared, not copied
}

TEST_CASE("a block outside the limits is refused before it is encoded") {
    const CodecChoice none{Codec::none, 0};
    CHECK(encode(none, nullptr, {}).error().code == Errc::invalid_argument);
    CHECK(encode(none, share({}), {}).error().code == Errc::invalid_argument);
    CHECK(encode(none, share(Bytes(kBlockBytes + 1)), {}).error().code == Errc::too_large);
    CHECK(encode({Codec::zstd, 2}, share(Bytes(9)), {}).error().code == Errc::invalid_argument);
    CHECK(encode({static_cast<Codec>(77), 0}, share(Bytes(9)), {}).error().code == Errc::invalid_argument);
}

TEST_CASE("names of codecs are unique and parse back to their choice") {
    std::set<std::string_view> names;
    for (const CodecInfo& info : known_codecs()) {
        CHECK(names.insert(info.name).second);
        CHECK(to_string(info.choice) == info.name);
        CHECK(parse_codec(info.name) == info.choice);
        CHECK_FALSE(info.description.empty());
    }
    CHECK(to_string({Codec::zstd, 77}) == "unknown");
    CHECK(parse_codec("zstd") == CodecChoice{Codec::zstd, 3});
    CHECK(parse_codec("brotli") == CodecChoice{Codec::brotli, 5});
    const auto unknown = parse_codec("zstd-2");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().code == Errc::invalid_argument);
    CHECK(unknown.error().remedy.find("zstd-3") != std::string::npos);
}

TEST_CASE("a block that announces impossible sizes or an unknown codec is corrupted") {
    require_corrupted(hostile({Codec::none, 0}, 5, Bytes(4)));
    require_corrupted(hostile({Codec::none, 0}, 0, Bytes(1)));
    require_corrupted(hostile({Codec::zstd, 3}, kBlockBytes + 1, Bytes(9)));
    require_corrupted(hostile({Codec::lz4, 0}, 9, {}));
    require_corrupted(hostile({Codec::lz4, 0}, 9, Bytes(kEncodedBlockBytesMax + 1)));
    require_corrupted(hostile({static_cast<Codec>(9), 0}, 9, Bytes(9)));
    require_corrupted(hostile({Codec::zstd, 22}, 9, Bytes(9)));
    require_corrupted({Hash256{}, {Codec::none, 0}, 9, nullptr});
}

TEST_CASE("a decompression bomb is refused, whatever size its block announces") {
    for (const CodecInfo& info : known_codecs()) {
        if (info.choice.codec == Codec::none) continue;
        const Bytes bytes = bomb(info.choice.codec);
        REQUIRE(bytes.size() < kBlockBytes);
        for (const std::uint32_t raw_bytes : {1U, 4096U, kBlockBytes}) {
            CAPTURE(info.name, raw_bytes);
            require_corrupted(hostile(info.choice, raw_bytes, bytes));
        }
    }
}

TEST_CASE("a zstd block is one frame of today's format") {
    const Bytes raw(100);
    Bytes frame(ZSTD_compressBound(raw.size()));
    frame.resize(ZSTD_compress(frame.data(), frame.size(), raw.data(), raw.size(), 3));
    REQUIRE(decode(hostile({Codec::zstd, 3}, 100, frame)));

    Bytes with_skippable = frame;
    for (const Byte byte : {0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9})
        with_skippable.push_back(byte);
    require_corrupted(hostile({Codec::zstd, 3}, 100, with_skippable));

    Bytes old_format = frame;
    old_format[0] = 0x27; // zstd 0.7
    require_corrupted(hostile({Codec::zstd, 3}, 100, old_format));
}

TEST_CASE("bytes after the end of a block are refused by every codec") {
    for (const CodecInfo& info : known_codecs()) {
        if (info.choice.codec == Codec::none) continue;
        CAPTURE(info.name);
        EncodedBlock block = must_encode(info.choice, share(Bytes(5000)));
        REQUIRE(block.codec == info.choice);
        Bytes longer = *block.bytes;
        longer.push_back(0);
        block.bytes = share(std::move(longer));
        require_corrupted(block);
    }
}

TEST_CASE("a block that announces more or fewer bytes than it holds is refused by every codec") {
    for (const CodecInfo& info : known_codecs()) {
        for (const std::uint32_t raw_bytes : {4999U, 5001U, 1U, kBlockBytes}) {
            CAPTURE(info.name, raw_bytes);
            EncodedBlock block = must_encode(info.choice, share(Bytes(5000)));
            block.raw_bytes = raw_bytes;
            require_corrupted(block);
        }
    }
}

TEST_CASE("decoders survive mutated, truncated and random input") {
    Random random(test::seed());
    CAPTURE(test::seed());
    for (const CodecInfo& info : known_codecs()) {
        for (int round = 0; round < 600; ++round) {
            const Kind kind = testing::kKinds[1 + random.below(testing::kKinds.size() - 1)];
            EncodedBlock block = must_encode(info.choice, share(make(kind, 1 + random.below(3000), random)));
            Bytes bytes = *block.bytes;
            switch (random.below(4)) {
            case 0:
                bytes.resize(1 + random.below(bytes.size()));
                break;
            case 1:
                bytes = make(Kind::random, 1 + random.below(400), random);
                break;
            case 2:
                block.raw_bytes = static_cast<std::uint32_t>(random.below(kBlockBytes + 2));
                break;
            default:
                for (std::uint64_t flips = 1 + random.below(4); flips > 0; --flips)
                    bytes[random.below(bytes.size())] ^= static_cast<Byte>(1U << random.below(8));
            }
            block.codec = info.choice;
            block.bytes = share(std::move(bytes));
            CAPTURE(info.name, round);
            const auto raw = decode(block);
            if (raw)
                REQUIRE((*raw)->size() == block.raw_bytes);
            else
                REQUIRE(raw.error().code == Errc::corrupted);
            const auto verified = decode_verified(block);
            REQUIRE((!verified || crypto::sha256(**verified) == block.hash));
        }
    }
}

TEST_CASE("verified decoding names the hash that content does not match") {
    EncodedBlock block = must_encode({Codec::zstd, 1}, share(Bytes(5000)));
    block.hash.bytes[3] ^= 1;
    CHECK(decode(block));
    const auto verified = decode_verified(block);
    REQUIRE_FALSE(verified);
    CHECK(verified.error().code == Errc::corrupted);
    CHECK(verified.error().message.find(block.hash.hex()) != std::string::npos);
}
