// The codecs: one interface over none, lz4, snappy, zstd and brotli, with decoders that may be fed hostile
// input.
//
// Free functions without shared state: any thread may call them at any time. Contexts and one scratch buffer
// are kept per calling thread and freed when it ends, so call from a fixed pool of workers. Called by the
// compression actor (encode), and by whoever accepts or reads blocks (decode, decode_verified).
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/wire/block.hpp"

#include <span>
#include <string_view>

namespace dwcp::compression {

/// A codec's output is kept only if it saves at least raw_bytes / kSavingDivisor, and at least one byte. 1/16
/// of a 1 MiB block takes 0.5 ms on a 1 Gbit/s link, which is what decoding the block costs each reader:
/// below that nobody gains. (RocksDB keeps blocks from 1/8 on, but its blocks are read far more often than
/// they are shipped.)
inline constexpr std::uint32_t kSavingDivisor = 16;

struct CodecInfo {
    CodecChoice choice;
    std::string_view name;        ///< What configuration, shell, logs and metrics say, e.g. "zstd-3".
    std::string_view description; ///< One sentence for people.
};

/// Every choice this version encodes and decodes, cheapest first. Metrics may use the names as label values:
/// the list is the bound on their number.
std::span<const CodecInfo> known_codecs();

bool is_known(CodecChoice choice);

/// The name of a known choice, "unknown" for any other.
std::string_view to_string(CodecChoice choice);

/// A name of known_codecs(), or "zstd" or "brotli" alone for a level of ours. Errc::invalid_argument lists
/// the known names.
Result<CodecChoice> parse_codec(std::string_view name);

/// Encodes one block. `hash` is the SHA-256 of `raw` and is not computed again here. The block comes back as
/// `none`, sharing `raw`, where the codec would save too little (kSavingDivisor) or could not get its memory.
/// Errc::invalid_argument: raw is null or empty, or the choice is not known. Errc::too_large: raw is over
/// kBlockBytes. Memory: zstd keeps its context, 1 MiB for level 3 and 17 MiB for 19 a thread; brotli-9 takes
/// 42 MiB while it runs.
Result<EncodedBlock> encode(CodecChoice choice, SharedBytes raw, const Hash256& hash);

/// Decodes to exactly block.raw_bytes bytes, or fails with Errc::corrupted. The input may be hostile: nothing
/// is allocated beyond raw_bytes, itself refused over kBlockBytes, but for the decoder's own fixed tables.
/// The hash is NOT checked.
Result<SharedBytes> decode(const EncodedBlock& block);

/// decode(), then compares the content's SHA-256 with block.hash. A mismatch is Errc::corrupted naming the
/// hash.
Result<SharedBytes> decode_verified(const EncodedBlock& block);

} // namespace dwcp::compression
