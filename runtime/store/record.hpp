// How the store lays out bytes under RocksDB: every value carries a CRC-32C that also covers its key, so that
// a flipped bit and a value that turned up under the wrong key are both seen. Pure functions; used by the
// store and its tests.
//
// Families other than blocks:  key                -> crc32c (4) value
// Family blocks:               'b' hash (32)      -> format (1) codec (1) level (1) zero (1) raw (4) stored
// (4) crc32c (4) bytes
//                              'i' hash (32)      -> crc32c (4) stored (4)
// The small index record beside each block answers "is it there" and feeds sweeps without reading 1 MiB. Both
// records are written in one batch. Integers are little-endian.
#pragma once

#include "protocols/wire/block.hpp"
#include "runtime/store/store.hpp"

#include <array>
#include <optional>
#include <string>

namespace dwcp::store {

inline constexpr std::size_t kValueHeaderBytes = 4;
inline constexpr std::size_t kBlockHeaderBytes = 16;
inline constexpr std::size_t kBlockKeyBytes = 33;
inline constexpr std::uint8_t kBlockRecordFormat = 1;
inline constexpr char kBlockKeyPrefix = 'b';
inline constexpr char kIndexKeyPrefix = 'i';

using ValueHeader = std::array<Byte, kValueHeaderBytes>;
using BlockHeader = std::array<Byte, kBlockHeaderBytes>;
using BlockKey = std::array<char, kBlockKeyBytes>;
using IndexValue = std::array<Byte, 8>;

ValueHeader make_value_header(Family family, std::string_view key, ByteView value);
/// The value without its header; nullopt: the checksum does not match.
std::optional<ByteView> open_value(Family family, std::string_view key, ByteView stored);

BlockKey make_block_key(char prefix, const Hash256& hash);
/// The hash in a key made by make_block_key(); nullopt: not such a key.
std::optional<Hash256> hash_of_block_key(std::string_view key);

BlockHeader make_block_header(const EncodedBlock& block);
/// The block with its bytes copied; nullopt: damaged.
std::optional<EncodedBlock> open_block(const Hash256& hash, ByteView stored);

IndexValue make_index_value(const Hash256& hash, std::uint32_t stored_bytes);
std::optional<std::uint32_t> open_index_value(const Hash256& hash, ByteView stored);

} // namespace dwcp::store
