#include "protocols/base/random.hpp"
#include "protocols/wire/crc32c.hpp"
#include "protocols/wire/data_messages.hpp"
#include "protocols/wire/frame.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstring>

using namespace dwcp;
using wire::FrameDecoder;
using wire::FrameError;
using wire::FrameKind;

namespace {

Bytes random_bytes(Random& random, std::size_t size) {
    Bytes out(size);
    for (Byte& byte : out)
        byte = static_cast<Byte>(random.next());
    return out;
}

Bytes whole_frame(FrameKind kind, std::uint64_t id, const wire::Words& header, const Bytes& payload) {
    Bytes out = wire::encode_frame(kind, id, header, payload.size(), wire::crc32c(payload));
    out.insert(out.end(), payload.begin(), payload.end());
    return out;
}

/// Receives up to `bytes_max` bytes as one read would. Returns what was taken.
std::size_t receive(FrameDecoder& decoder, ByteView from, std::size_t bytes_max) {
    std::size_t taken = 0;
    for (const std::span<Byte> into : decoder.buffers()) {
        const std::size_t part = std::min({into.size(), from.size() - taken, bytes_max - taken});
        if (part > 0) std::memcpy(into.data(), from.data() + taken, part);
        taken += part;
    }
    decoder.commit(taken);
    return taken;
}

/// Feeds everything in one go and returns the first error, or none.
std::optional<FrameError> error_of(FrameDecoder& decoder, ByteView bytes) {
    while (!bytes.empty()) {
        bytes = bytes.subspan(receive(decoder, bytes, bytes.size()));
        for (;;) {
            const auto frame = decoder.next();
            if (!frame) return frame.error();
            if (!*frame) break;
        }
    }
    return std::nullopt;
}

std::optional<FrameError> error_of(ByteView bytes) {
    FrameDecoder decoder;
    decoder.set_authenticated();
    return error_of(decoder, bytes);
}

/// Changes a prefix's field and makes its own checksum right again.
template<class T>
Bytes with_prefix_field(Bytes frame, std::size_t offset, T value) {
    std::memcpy(frame.data() + offset, &value, sizeof value);
    const std::uint32_t checksum = wire::crc32c(ByteView(frame).first(28));
    std::memcpy(frame.data() + 28, &checksum, sizeof checksum);
    return frame;
}

} // namespace

TEST_CASE("frames of any kind survive any cutting into reads") {
    Random random(test::seed());
    struct Sent {
        FrameKind kind;
        std::uint64_t id;
        wire::Words header;
        Bytes payload;
    };
    for (int round = 0; round < 40; ++round) {
        std::vector<Sent> sent;
        Bytes stream;
        const std::size_t recycled_bytes = random.below(200000);
        for (int i = 0; i < 6; ++i) {
            Sent frame{FrameKind::ping, random.next(), {}, {}};
            switch (random.below(3)) {
            case 0:
                break;
            case 1:
                frame.kind = FrameKind::block;
                frame.header.resize(random.below(wire::kHeaderBytesMax / 8 + 1));
                for (auto& word : frame.header)
                    word = random.next();
                frame.payload = random_bytes(random, 1 + random.below(random.below(4) == 0 ? 300000 : 5000));
                break;
            default:
                frame.kind = FrameKind::fetch;
                frame.header.resize(random.below(40));
                break;
            }
            const Bytes bytes = whole_frame(frame.kind, frame.id, frame.header, frame.payload);
            stream.insert(stream.end(), bytes.begin(), bytes.end());
            sent.push_back(std::move(frame));
        }
        FrameDecoder decoder([&] { return std::make_shared<Bytes>(recycled_bytes, Byte{0xaa}); });
        decoder.set_authenticated();
        std::size_t got = 0;
        ByteView rest = stream;
        while (!rest.empty()) {
            rest = rest.subspan(receive(decoder, rest, 1 + random.below(random.below(2) == 0 ? 50 : 100000)));
            for (;;) {
                const auto frame = decoder.next();
                REQUIRE(frame.has_value());
                if (!*frame) break;
                REQUIRE(got < sent.size());
                REQUIRE((*frame)->prefix.kind == sent[got].kind);
                REQUIRE((*frame)->prefix.id == sent[got].id);
                REQUIRE(std::ranges::equal((*frame)->header, sent[got].header));
                REQUIRE(((*frame)->payload ? *(*frame)->payload : Bytes{}) == sent[got].payload);
                ++got;
            }
        }
        REQUIRE(got == sent.size());
    }
}

TEST_CASE("a changed bit anywhere in a frame is noticed") {
    Random random(test::seed());
    const Bytes frame = whole_frame(FrameKind::block, 7, wire::Words(5, 11), random_bytes(random, 3000));
    for (int round = 0; round < 500; ++round) {
        Bytes broken = frame;
        broken[random.below(broken.size())] ^= static_cast<Byte>(1U << random.below(8));
        REQUIRE(error_of(broken).has_value());
    }
}

TEST_CASE("each broken prefix is refused with its own reason") {
    const Bytes good = wire::encode_frame(FrameKind::ping, 1);
    CHECK_FALSE(error_of(good).has_value());
    CHECK(error_of(with_prefix_field(good, 0, std::uint32_t{1})) == FrameError::bad_magic);
    CHECK(error_of(with_prefix_field(good, 4, std::uint8_t{0})) == FrameError::bad_version);
    CHECK(error_of(with_prefix_field(good, 5, std::uint8_t{0})) == FrameError::bad_kind);
    const auto after_last = static_cast<std::uint8_t>(static_cast<std::uint8_t>(FrameKind::echo) + 1);
    CHECK(error_of(with_prefix_field(good, 5, after_last)) == FrameError::bad_kind);
    CHECK(error_of(with_prefix_field(good, 6, std::uint16_t{1})) == FrameError::bad_flags);
    CHECK(error_of(with_prefix_field(good, 16, std::uint32_t{1})) == FrameError::too_large);
    CHECK(error_of(with_prefix_field(good, 20, std::uint32_t{1})) == FrameError::too_large);
    CHECK(error_of(with_prefix_field(good, 24, std::uint32_t{1})) == FrameError::bad_checksum);
    Bytes broken = good;
    broken[28] ^= 1;
    CHECK(error_of(broken) == FrameError::bad_prefix_checksum);
}

TEST_CASE("a refused version is remembered so that the refusal can name it") {
    FrameDecoder decoder;
    CHECK(error_of(decoder, with_prefix_field(wire::encode_frame(FrameKind::hello, 0), 4, std::uint8_t{9})) ==
          FrameError::bad_version);
    CHECK(decoder.refused_version() == 9);
}

TEST_CASE("an announced gigabyte is refused before anything is allocated") {
    FrameDecoder decoder([]() -> std::shared_ptr<Bytes> {
        FAIL("a buffer was asked for");
        return nullptr;
    });
    decoder.set_authenticated();
    const Bytes frame =
        with_prefix_field(wire::encode_frame(FrameKind::block, 1), 20, std::uint32_t{1U << 30});
    CHECK(error_of(decoder, frame) == FrameError::too_large);
    CHECK(decoder.payload_capacity() == 0);
}

TEST_CASE("an announced block holds only as much memory as has arrived, doubled") {
    FrameDecoder decoder;
    decoder.set_authenticated();
    const Bytes payload(wire::kPayloadBytesMax, 1);
    const Bytes frame = whole_frame(FrameKind::block, 1, {}, payload);
    ByteView rest = frame;
    std::size_t fed = 0;
    while (fed < 500000) {
        const std::size_t part = receive(decoder, rest, 10000);
        rest = rest.subspan(part);
        fed += part;
        const auto none = decoder.next();
        REQUIRE(none.has_value());
        REQUIRE(decoder.payload_capacity() <= std::max<std::size_t>(wire::kPayloadStartBytes, 2 * fed));
    }
}

TEST_CASE("before the handshake only its own small frames are taken") {
    FrameDecoder decoder;
    CHECK(error_of(decoder, wire::encode_frame(FrameKind::ping, 1)) == FrameError::unexpected_kind);
    FrameDecoder other;
    CHECK(error_of(other, wire::encode_frame(FrameKind::hello, 0, wire::Words(300))) ==
          FrameError::too_large);
    FrameDecoder third;
    CHECK_FALSE(error_of(third, wire::encode_frame(FrameKind::hello, 0, wire::Words(200))).has_value());
}

TEST_CASE("a block frame without a payload is refused") {
    CHECK(error_of(whole_frame(FrameKind::block, 1, {}, {})) == FrameError::bad_header);
}
