// A block: the unit of storage and transport. Content is cut into blocks of at most kBlockBytes; a block is
// addressed by the SHA-256 of its raw content, however it is encoded on disk or on the wire.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"

#include <cstdint>

namespace dwcp {

/// 1 MiB: large enough that per-block costs vanish beside hashing and copying, small enough that a broken
/// transfer repeats little and that a few blocks a stream fill a 100 ms, 1 Gbit/s pipe.
inline constexpr std::uint32_t kBlockBytes = 1U << 20;

/// An encoded block is never larger than this: a codec that would expand the block is replaced by `none`.
inline constexpr std::uint32_t kEncodedBlockBytesMax = kBlockBytes;

/// How a block's bytes are encoded. The numbers are part of the wire and disk format.
enum class Codec : std::uint8_t { none = 0, lz4 = 1, snappy = 2, zstd = 3, brotli = 4 };

/// A codec with its level. Level is 0 where the codec has none (none, snappy, lz4).
struct CodecChoice {
    Codec codec = Codec::none;
    std::int8_t level = 0;

    auto operator<=>(const CodecChoice&) const = default;
};

/// A block as it is stored and shipped. `bytes` is what the codec produced; `hash` is of the decoded content.
struct EncodedBlock {
    Hash256 hash;
    CodecChoice codec;
    std::uint32_t raw_bytes = 0; ///< Length after decoding, 1..kBlockBytes.
    SharedBytes bytes;           ///< Never null, 1..kEncodedBlockBytesMax.
};

/// What a manifest says of a block.
struct BlockRef {
    Hash256 hash;
    CodecChoice codec;              ///< As stored by the node that took it in.
    std::uint32_t raw_bytes = 0;    ///< Length after decoding.
    std::uint32_t stored_bytes = 0; ///< Length as encoded.

    auto operator<=>(const BlockRef&) const = default;
};

} // namespace dwcp
