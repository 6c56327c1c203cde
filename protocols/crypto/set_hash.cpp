#include "protocols/crypto/set_hash.hpp"

#include "protocols/crypto/hash.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <bit>

namespace dwcp::crypto {
namespace {

using Lanes = std::array<std::uint16_t, SetHash::kLanes>;
static_assert(sizeof(Lanes) == SetHash::kEncodedBytes);

/// Keeps these digests apart from every other use of SHA-256.
constexpr std::string_view kDomain = "dwcp.set-hash.v1";

/// Between the machine's byte order and little-endian, in both directions.
void swap_if_big_endian(Lanes& lanes) {
    if constexpr (std::endian::native == std::endian::big) {
        for (std::uint16_t& lane : lanes)
            lane = static_cast<std::uint16_t>(lane << 8 | lane >> 8);
    }
}

Lanes expand(ByteView element) {
    const Hash256 key = sha256({as_bytes(kDomain), element});
    static_assert(sizeof(key.bytes) == crypto_stream_chacha20_ietf_KEYBYTES);
    // Each key has one stream only.
    constexpr std::array<Byte, crypto_stream_chacha20_ietf_NONCEBYTES> kNonce{};
    std::array<Byte, SetHash::kEncodedBytes> stream;
    crypto_stream_chacha20_ietf(stream.data(), stream.size(), kNonce.data(), key.bytes.data());
    Lanes lanes;
    std::memcpy(lanes.data(), stream.data(), stream.size());
    swap_if_big_endian(lanes);
    return lanes;
}

} // namespace

void SetHash::add(ByteView element) {
    const Lanes lanes = expand(element);
    for (std::size_t i = 0; i < kLanes; ++i)
        lanes_[i] = static_cast<std::uint16_t>(lanes_[i] + lanes[i]);
}

void SetHash::remove(ByteView element) {
    const Lanes lanes = expand(element);
    for (std::size_t i = 0; i < kLanes; ++i)
        lanes_[i] = static_cast<std::uint16_t>(lanes_[i] - lanes[i]);
}

Hash256 SetHash::digest() const { return sha256(encode()); }

Bytes SetHash::encode() const {
    Lanes lanes = lanes_;
    swap_if_big_endian(lanes);
    Bytes bytes(kEncodedBytes);
    std::memcpy(bytes.data(), lanes.data(), bytes.size());
    return bytes;
}

Result<SetHash> SetHash::decode(ByteView bytes) {
    if (bytes.size() != kEncodedBytes)
        return fail(Errc::corrupted,
                    fmt::format("a set hash has {} bytes, not {}", kEncodedBytes, bytes.size()),
                    "take the state from another replica");
    SetHash hash;
    std::memcpy(hash.lanes_.data(), bytes.data(), bytes.size());
    swap_if_big_endian(hash.lanes_);
    return hash;
}

} // namespace dwcp::crypto
