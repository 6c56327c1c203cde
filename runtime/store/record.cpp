#include "runtime/store/record.hpp"

#include "protocols/wire/crc32c.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace dwcp::store {
namespace {

static_assert(std::endian::native == std::endian::little, "integers are stored as they lie in memory");

void store_u32(Byte* at, std::uint32_t value) { std::memcpy(at, &value, sizeof value); }

std::uint32_t load_u32(const Byte* at) {
    std::uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

std::uint32_t value_checksum(Family family, std::string_view key, ByteView value) {
    // The key's length is covered too: else bytes could move between key and value unseen.
    std::array<Byte, 5> prefix{static_cast<Byte>(family)};
    store_u32(prefix.data() + 1, static_cast<std::uint32_t>(key.size()));
    return wire::crc32c(value, wire::crc32c(as_bytes(key), wire::crc32c(prefix)));
}

constexpr std::size_t kChecksumAt = kBlockHeaderBytes - 4;

std::uint32_t block_checksum(const Hash256& hash, ByteView header, ByteView bytes) {
    return wire::crc32c(bytes, wire::crc32c(header.first(kChecksumAt), wire::crc32c(hash.view())));
}

} // namespace

ValueHeader make_value_header(Family family, std::string_view key, ByteView value) {
    ValueHeader header;
    store_u32(header.data(), value_checksum(family, key, value));
    return header;
}

std::optional<ByteView> open_value(Family family, std::string_view key, ByteView stored) {
    if (stored.size() < kValueHeaderBytes) return std::nullopt;
    const ByteView value = stored.subspan(kValueHeaderBytes);
    if (load_u32(stored.data()) != value_checksum(family, key, value)) return std::nullopt;
    return value;
}

BlockKey make_block_key(char prefix, const Hash256& hash) {
    BlockKey key;
    key[0] = prefix;
    std::memcpy(key.data() + 1, hash.bytes.data(), hash.bytes.size());
    return key;
}

std::optional<Hash256> hash_of_block_key(std::string_view key) {
    if (key.size() != kBlockKeyBytes) return std::nullopt;
    Hash256 hash;
    std::memcpy(hash.bytes.data(), key.data() + 1, hash.bytes.size());
    return hash;
}

BlockHeader make_block_header(const EncodedBlock& block) {
    BlockHeader header{kBlockRecordFormat, static_cast<Byte>(block.codec.codec),
                       static_cast<Byte>(block.codec.level)};
    store_u32(header.data() + 4, block.raw_bytes);
    store_u32(header.data() + 8, static_cast<std::uint32_t>(block.bytes->size()));
    store_u32(header.data() + kChecksumAt, block_checksum(block.hash, header, *block.bytes));
    return header;
}

std::optional<EncodedBlock> open_block(const Hash256& hash, ByteView stored) {
    if (stored.size() < kBlockHeaderBytes || stored[0] != kBlockRecordFormat) return std::nullopt;
    const ByteView header = stored.first(kBlockHeaderBytes);
    const ByteView bytes = stored.subspan(kBlockHeaderBytes);
    if (load_u32(header.data() + 8) != bytes.size()) return std::nullopt;
    if (load_u32(header.data() + kChecksumAt) != block_checksum(hash, header, bytes)) return std::nullopt;
    if (header[1] > static_cast<Byte>(Codec::brotli)) return std::nullopt;
    return EncodedBlock{.hash = hash,
                        .codec = {static_cast<Codec>(header[1]), static_cast<std::int8_t>(header[2])},
                        .raw_bytes = load_u32(header.data() + 4),
                        .bytes = share(Bytes(bytes.begin(), bytes.end()))};
}

IndexValue make_index_value(const Hash256& hash, std::uint32_t stored_bytes) {
    IndexValue value;
    store_u32(value.data() + 4, stored_bytes);
    store_u32(value.data(), wire::crc32c(ByteView(value).subspan(4), wire::crc32c(hash.view())));
    return value;
}

std::optional<std::uint32_t> open_index_value(const Hash256& hash, ByteView stored) {
    if (stored.size() != std::tuple_size_v<IndexValue>) return std::nullopt;
    if (load_u32(stored.data()) != wire::crc32c(stored.subspan(4), wire::crc32c(hash.view())))
        return std::nullopt;
    return load_u32(stored.data() + 4);
}

} // namespace dwcp::store
