// The data plane's frame decoder. The first byte picks: authenticated or not (bit 0), checksums repaired or
// as they are (bit 1), and how the rest is cut into reads (bits 2-7). Without the repair hardly any input
// would get past the prefix's checksum.
#include "protocols/wire/crc32c.hpp"
#include "protocols/wire/data_messages.hpp"
#include "protocols/wire/frame.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

using namespace dwcp;

namespace {

void require(bool kept) {
    if (!kept) std::abort();
}

template<class T>
void put(Bytes& bytes, std::size_t at, T value) {
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

std::uint32_t word(const Bytes& bytes, std::size_t at) {
    std::uint32_t value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

/// Gives every frame in `stream` a valid magic, version and checksums, following the announced lengths.
void repair(Bytes& stream) {
    std::size_t at = 0;
    while (stream.size() - at >= wire::kPrefixBytes) {
        put(stream, at, std::uint32_t{0x50435744});
        stream[at + 4] = wire::kWireVersion;
        const std::size_t body = at + wire::kPrefixBytes;
        const std::uint64_t header_bytes = std::uint64_t{word(stream, at + 16)} * 8;
        const std::uint64_t body_bytes = header_bytes + word(stream, at + 20);
        const bool whole = body_bytes <= stream.size() - body;
        if (whole) {
            const ByteView all = ByteView(stream).subspan(body, body_bytes);
            put(stream, at + 24,
                wire::crc32c(all.first(header_bytes), wire::crc32c(all.subspan(header_bytes))));
        }
        put(stream, at + 28, wire::crc32c(ByteView(stream).subspan(at, 28)));
        if (!whole) return;
        at = body + body_bytes;
    }
}

void check(const wire::Frame& frame) {
    require(frame.header.size() == frame.prefix.header_words);
    require((frame.payload ? frame.payload->size() : 0) == frame.prefix.payload_bytes);
    require(!wire::to_string(frame.prefix.kind).empty());
    (void)wire::decode_block(frame.header, frame.prefix.payload_bytes);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    Bytes stream(data + 1, data + size);
    if ((data[0] & 2U) != 0) repair(stream);
    const std::size_t read_bytes = 1 + 64 * (data[0] >> 2);

    wire::FrameDecoder decoder;
    if ((data[0] & 1U) != 0) decoder.set_authenticated();
    std::size_t fed = 0;
    while (fed < stream.size()) {
        std::size_t taken = 0;
        for (const std::span<Byte> into : decoder.buffers()) {
            const std::size_t part = std::min({into.size(), stream.size() - fed - taken, read_bytes - taken});
            if (part > 0) std::memcpy(into.data(), stream.data() + fed + taken, part);
            taken += part;
        }
        require(taken > 0);
        decoder.commit(taken);
        fed += taken;
        for (;;) {
            const auto frame = decoder.next();
            if (!frame) return 0;
            if (!*frame) break;
            check(**frame);
        }
        require(decoder.payload_capacity() <= std::max<std::size_t>(wire::kPayloadStartBytes, 2 * fed));
    }
    return 0;
}
