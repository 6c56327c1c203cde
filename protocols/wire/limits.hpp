// Every limit of what a peer may send, in one place. A decoder compares an announced length with its limit
// before it allocates anything.
#pragma once

#include "protocols/wire/block.hpp"

#include <cstddef>
#include <cstdint>

namespace dwcp::wire {

/// What this build speaks, and the oldest version that it still understands. A peer outside is refused by
/// name.
inline constexpr std::uint8_t kWireVersion = 1;
inline constexpr std::uint8_t kWireVersionMin = 1;

/// A fixed prefix: see frame.hpp.
inline constexpr std::size_t kPrefixBytes = 32;

/// The largest header of a kind that carries a payload or a small question; real ones are below 300 bytes.
inline constexpr std::uint32_t kHeaderBytesMax = 4096;

/// Until a peer has proven who it is, it gets this much for a header and nothing for a payload. A full hello
/// with the longest names is below 600 bytes.
inline constexpr std::uint32_t kHandshakeHeaderBytesMax = 2048;

/// A payload is one encoded block, or a list of hashes of the same size.
inline constexpr std::uint32_t kPayloadBytesMax = kEncodedBlockBytesMax;

/// A block that only goes there and back: large enough for several segments, small beside real ones.
inline constexpr std::uint32_t kEchoBytesMax = 64U << 10;

/// Hashes in one sync or its answer: a full payload, enough for 32 GiB of blocks.
inline constexpr std::size_t kSyncHashesMax = kPayloadBytesMax / sizeof(Hash256);

/// A fresh payload buffer starts at this size and doubles as bytes arrive, so announcing a megabyte costs its
/// sender the sending of it.
inline constexpr std::size_t kPayloadStartBytes = 64U << 10;

inline constexpr std::size_t kNodeNameBytesMax = 63;
inline constexpr std::size_t kClusterIdBytesMax = 128;
inline constexpr std::size_t kWorkloadIdBytesMax = 64;
/// An error's message and remedy are cut to this before they are sent: enough for two sentences.
inline constexpr std::size_t kErrorTextBytesMax = 512;

/// Credits one frame may grant: far above any configured window, far below an overflow of their sum.
inline constexpr std::uint32_t kCreditGrantMax = 1U << 16;

} // namespace dwcp::wire
