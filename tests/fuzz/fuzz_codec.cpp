// Decoders of blocks: the first byte picks the codec, the next three the announced size, the rest is the
// encoded block.
#include "actors/compression/codec.hpp"

#include <cstdlib>

using namespace dwcp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kHeaderBytes = 4;
    if (size < kHeaderBytes) return 0;
    const auto codecs = compression::known_codecs();
    EncodedBlock block;
    block.codec = codecs[data[0] % codecs.size()].choice;
    block.raw_bytes =
        data[1] | static_cast<std::uint32_t>(data[2]) << 8 | static_cast<std::uint32_t>(data[3]) << 16;
    block.bytes = share(Bytes(data + kHeaderBytes, data + size));
    const auto raw = compression::decode(block);
    const bool kept_the_contract = raw ? (*raw)->size() == block.raw_bytes && block.raw_bytes <= kBlockBytes
                                       : raw.error().code == Errc::corrupted;
    if (!kept_the_contract) std::abort();
    return 0;
}
