#include "actors/compression/codec.hpp"

#include "protocols/crypto/hash.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <brotli/decode.h>
#include <brotli/encode.h>
#include <cstddef>
#include <cstdlib>
#include <lz4.h>
#include <memory>
#include <snappy.h>
#include <zstd.h>

namespace dwcp::compression {

namespace {

constexpr std::array kCodecs{
    CodecInfo{{Codec::none, 0},
              "none",
              "Stores the block as it is: for links faster than any codec, and random data."},
    CodecInfo{{Codec::lz4, 0}, "lz4", "Fastest to compress and decompress; finds repeats only."},
    CodecInfo{{Codec::snappy, 0},
              "snappy",
              "About as small as lz4 and slower both ways; for those who ask for it."},
    CodecInfo{{Codec::zstd, 1}, "zstd-1", "Repeats and entropy coding at hundreds of MB/s."},
    CodecInfo{{Codec::zstd, 3}, "zstd-3", "A little smaller than zstd-1: the usual middle."},
    CodecInfo{{Codec::zstd, 6}, "zstd-6", "For links of tens of Mbit/s."},
    CodecInfo{{Codec::zstd, 9}, "zstd-9", "For links below 10 Mbit/s."},
    CodecInfo{{Codec::zstd, 19}, "zstd-19", "Smallest, a few MB/s: for archives."},
    CodecInfo{
        {Codec::brotli, 1}, "brotli-1", "Like zstd-1 but slower to decompress; for those who ask for it."},
    CodecInfo{{Codec::brotli, 5}, "brotli-5", "Smallest at its speed for text; slow to decompress."},
    CodecInfo{{Codec::brotli, 9}, "brotli-9", "A little smaller than brotli-5, a few MB/s."},
};

/// A window that spans the block; a larger one would only make decoders reserve more.
constexpr int kBrotliWindowBits = 20;

/// What a brotli decoder may hold at once. A 1 MiB window and the largest legal set of Huffman tables
/// take 4.5 MiB; a hostile header may ask for a 16 MiB window.
constexpr std::size_t kBrotliDecoderBytesMax = 6U << 20;

const CodecInfo* find(CodecChoice choice) {
    const auto* found = std::ranges::find(kCodecs, choice, &CodecInfo::choice);
    return found == kCodecs.end() ? nullptr : found;
}

// Encoders write to `out`, which holds the worst case of every codec, and return the size; 0: could not.

std::size_t compress_lz4(ByteView raw, std::span<Byte> out) {
    const int written =
        LZ4_compress_default(reinterpret_cast<const char*>(raw.data()), reinterpret_cast<char*>(out.data()),
                             static_cast<int>(raw.size()), static_cast<int>(out.size()));
    return static_cast<std::size_t>(std::max(written, 0));
}

std::size_t compress_snappy(ByteView raw, std::span<Byte> out) {
    std::size_t written = 0;
    snappy::RawCompress(reinterpret_cast<const char*>(raw.data()), raw.size(),
                        reinterpret_cast<char*>(out.data()), &written);
    return written;
}

struct ZstdFree {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

std::size_t compress_zstd(ByteView raw, std::span<Byte> out, int level) {
    thread_local const std::unique_ptr<ZSTD_CCtx, ZstdFree> context(ZSTD_createCCtx());
    if (!context) return 0;
    const std::size_t written =
        ZSTD_compressCCtx(context.get(), out.data(), out.size(), raw.data(), raw.size(), level);
    return ZSTD_isError(written) ? 0 : written;
}

std::size_t compress_brotli(ByteView raw, std::span<Byte> out, int level) {
    std::size_t written = out.size();
    const bool done = BrotliEncoderCompress(level, kBrotliWindowBits, BROTLI_MODE_GENERIC, raw.size(),
                                            raw.data(), &written, out.data());
    return done ? written : 0;
}

/// The worst case of any codec: snappy's is the largest of them, and a test encodes random blocks with each.
std::span<Byte> scratch() {
    static const std::size_t size =
        std::max({snappy::MaxCompressedLength(kBlockBytes), ZSTD_compressBound(kBlockBytes),
                  BrotliEncoderMaxCompressedSize(kBlockBytes),
                  static_cast<std::size_t>(LZ4_compressBound(kBlockBytes))});
    thread_local const std::unique_ptr<Byte[]> buffer = std::make_unique_for_overwrite<Byte[]>(size);
    return {buffer.get(), size};
}

std::size_t compress(CodecChoice choice, ByteView raw, std::span<Byte> out) {
    switch (choice.codec) {
    case Codec::none:
        return 0;
    case Codec::lz4:
        return compress_lz4(raw, out);
    case Codec::snappy:
        return compress_snappy(raw, out);
    case Codec::zstd:
        return compress_zstd(raw, out, choice.level);
    case Codec::brotli:
        return compress_brotli(raw, out, choice.level);
    }
    return 0;
}

// Decoders fill `out` completely and use up `in`, or return false.

bool decompress_lz4(ByteView in, std::span<Byte> out) {
    const int written =
        LZ4_decompress_safe(reinterpret_cast<const char*>(in.data()), reinterpret_cast<char*>(out.data()),
                            static_cast<int>(in.size()), static_cast<int>(out.size()));
    return written == static_cast<int>(out.size());
}

bool decompress_snappy(ByteView in, std::span<Byte> out) {
    const auto* data = reinterpret_cast<const char*>(in.data());
    std::size_t length = 0;
    return snappy::GetUncompressedLength(data, in.size(), &length) && length == out.size() &&
           snappy::RawUncompress(data, in.size(), reinterpret_cast<char*>(out.data()));
}

/// One frame of today's format and nothing else: the library would also take skippable frames, several frames
/// in a row and the formats of its first years, whose decoders allocate and have seen little hostile input.
bool is_one_zstd_frame(ByteView in, std::size_t raw_bytes) {
    constexpr std::array<Byte, 4> kMagic{0x28, 0xb5, 0x2f, 0xfd};
    return in.size() >= kMagic.size() && std::ranges::equal(in.first(kMagic.size()), kMagic) &&
           ZSTD_getFrameContentSize(in.data(), in.size()) == raw_bytes &&
           ZSTD_findFrameCompressedSize(in.data(), in.size()) == in.size();
}

/// Decoding in one call needs no window buffer: matches are copied from `out` itself, whatever the header
/// announces.
bool decompress_zstd(ByteView in, std::span<Byte> out) {
    thread_local const std::unique_ptr<ZSTD_DCtx, ZstdFree> context(ZSTD_createDCtx());
    return context && is_one_zstd_frame(in, out.size()) &&
           ZSTD_decompressDCtx(context.get(), out.data(), out.size(), in.data(), in.size()) == out.size();
}

/// Memory of one brotli decoder. Each piece is preceded by its size, because brotli does not give it back on
/// release.
class BrotliMemory {
  public:
    static void* allocate(void* self, std::size_t bytes) {
        auto& used = static_cast<BrotliMemory*>(self)->used_;
        if (bytes > kBrotliDecoderBytesMax - used) return nullptr;
        auto* piece = static_cast<std::byte*>(std::malloc(bytes + kHeaderBytes));
        if (piece == nullptr) return nullptr;
        std::memcpy(piece, &bytes, sizeof bytes);
        used += bytes;
        return piece + kHeaderBytes;
    }

    static void release(void* self, void* address) {
        if (address == nullptr) return;
        auto* piece = static_cast<std::byte*>(address) - kHeaderBytes;
        std::size_t bytes = 0;
        std::memcpy(&bytes, piece, sizeof bytes);
        static_cast<BrotliMemory*>(self)->used_ -= bytes;
        std::free(piece);
    }

  private:
    static constexpr std::size_t kHeaderBytes = alignof(std::max_align_t);
    static_assert(kHeaderBytes >= sizeof(std::size_t));

    std::size_t used_ = 0;
};

bool decompress_brotli(ByteView in, std::span<Byte> out) {
    BrotliMemory memory;
    const std::unique_ptr<BrotliDecoderState, decltype(&BrotliDecoderDestroyInstance)> decoder(
        BrotliDecoderCreateInstance(BrotliMemory::allocate, BrotliMemory::release, &memory),
        BrotliDecoderDestroyInstance);
    if (!decoder) return false;
    std::size_t in_left = in.size();
    std::size_t out_left = out.size();
    const Byte* next_in = in.data();
    Byte* next_out = out.data();
    const auto outcome =
        BrotliDecoderDecompressStream(decoder.get(), &in_left, &next_in, &out_left, &next_out, nullptr);
    return outcome == BROTLI_DECODER_RESULT_SUCCESS && in_left == 0 && out_left == 0;
}

bool decompress(Codec codec, ByteView in, std::span<Byte> out) {
    switch (codec) {
    case Codec::none:
        return false; // decode() shares such blocks instead of copying them
    case Codec::lz4:
        return decompress_lz4(in, out);
    case Codec::snappy:
        return decompress_snappy(in, out);
    case Codec::zstd:
        return decompress_zstd(in, out);
    case Codec::brotli:
        return decompress_brotli(in, out);
    }
    return false;
}

std::unexpected<Error> corrupted(const EncodedBlock& block, std::string_view what) {
    return fail(Errc::corrupted, fmt::format("block {}: {}", block.hash.hex(), what),
                "fetch the block from another replica");
}

} // namespace

std::span<const CodecInfo> known_codecs() { return kCodecs; }

bool is_known(CodecChoice choice) { return find(choice) != nullptr; }

std::string_view to_string(CodecChoice choice) {
    const CodecInfo* info = find(choice);
    return info == nullptr ? "unknown" : info->name;
}

Result<CodecChoice> parse_codec(std::string_view name) {
    // The levels that the rules use on an ordinary link.
    if (name == "zstd") name = "zstd-3";
    if (name == "brotli") name = "brotli-5";
    const auto* found = std::ranges::find(kCodecs, name, &CodecInfo::name);
    if (found != kCodecs.end()) return found->choice;
    std::string names;
    for (const CodecInfo& info : kCodecs)
        names += fmt::format("{}{}", names.empty() ? "" : ", ", info.name);
    return fail(Errc::invalid_argument, fmt::format("no codec is called '{}'", name), "use one of " + names);
}

Result<EncodedBlock> encode(CodecChoice choice, SharedBytes raw, const Hash256& hash) {
    if (!raw || raw->empty()) return fail(Errc::invalid_argument, "an empty block cannot be encoded");
    if (raw->size() > kBlockBytes)
        return fail(Errc::too_large,
                    fmt::format("a block of {} bytes is over the {} allowed", raw->size(), kBlockBytes),
                    "cut the content into smaller blocks");
    if (!is_known(choice))
        return fail(Errc::invalid_argument,
                    fmt::format("codec {} has no level {}", static_cast<int>(choice.codec), choice.level),
                    "use a choice listed by known_codecs()");

    const auto raw_bytes = static_cast<std::uint32_t>(raw->size());
    const std::span<Byte> out = scratch();
    const std::size_t written = compress(choice, *raw, out);
    const std::uint32_t saving_min = std::max(1U, raw_bytes / kSavingDivisor);
    if (written == 0 || written + saving_min > raw_bytes)
        return EncodedBlock{hash, {Codec::none, 0}, raw_bytes, std::move(raw)};
    return EncodedBlock{hash, choice, raw_bytes,
                        share(Bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(written)))};
}

Result<SharedBytes> decode(const EncodedBlock& block) {
    if (!is_known(block.codec))
        return corrupted(block, fmt::format("codec {} level {} is not known to this version",
                                            static_cast<int>(block.codec.codec), block.codec.level));
    if (block.raw_bytes == 0 || block.raw_bytes > kBlockBytes)
        return corrupted(
            block, fmt::format("announces {} bytes, allowed are 1 to {}", block.raw_bytes, kBlockBytes));
    if (!block.bytes || block.bytes->empty() || block.bytes->size() > kEncodedBlockBytesMax)
        return corrupted(block, fmt::format("is encoded in {} bytes, allowed are 1 to {}",
                                            block.bytes ? block.bytes->size() : 0, kEncodedBlockBytesMax));
    if (block.codec.codec == Codec::none && block.bytes->size() == block.raw_bytes) return block.bytes;

    Bytes raw(block.raw_bytes);
    if (!decompress(block.codec.codec, *block.bytes, raw))
        return corrupted(block, fmt::format("its {} bytes of {} do not decode to {} bytes",
                                            block.bytes->size(), to_string(block.codec), block.raw_bytes));
    return share(std::move(raw));
}

Result<SharedBytes> decode_verified(const EncodedBlock& block) {
    auto raw = decode(block);
    if (!raw) return raw;
    const Hash256 actual = crypto::sha256(**raw);
    if (actual != block.hash) return corrupted(block, "its content has the hash " + actual.hex());
    return raw;
}

} // namespace dwcp::compression
