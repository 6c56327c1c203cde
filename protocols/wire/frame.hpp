// Frames of the data plane: a fixed 32-byte prefix, a Cap'n Proto header, a raw payload.
//
// Prefix, little-endian:
//    0 magic "DWCP"        4 wire version    5 kind    6 flags (zero)
//    8 id: pairs a request with its answer; zero where a kind has none
//   16 header length in Cap'n Proto words   20 payload length in bytes
//   24 CRC-32C of payload then header       28 CRC-32C of the 28 bytes before
// The payload comes first in the checksum so that a sender computes its part once, however often it ships a
// block. A block's bytes are the payload, outside Cap'n Proto: they are never copied to be framed.
//
// FrameDecoder is incremental: ask buffers() where to put bytes, receive into them, commit(), then take
// frames with next(). It checks the prefix's checksum, kind and lengths before it allocates, and a payload
// buffer grows only as bytes arrive. After an error the stream has lost its framing and must be closed.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/wire/limits.hpp"

#include <array>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace dwcp::wire {

enum class FrameKind : std::uint8_t {
    hello = 1,   ///< Dialler: who I am, with a nonce.
    hello_ack,   ///< Acceptor: who I am, my nonce and my signature.
    proof,       ///< Dialler: my signature. The first credit frame says that it was accepted.
    refuse,      ///< Either: why there will be no link.
    credit,      ///< Acceptor: so many more requests may be sent.
    block,       ///< Ship a block.
    block_ack,   ///< The block is verified and written.
    sync,        ///< Make these hashes durable.
    sync_ack,    ///< These are missing; none: all are durable.
    fetch,       ///< Give me a block.
    fetch_block, ///< Here it is.
    error,       ///< The request failed.
    ping,
    pong,
    echo, ///< Check this block and send it back as fetch_block; it is not kept.
};

/// Stable lower-case name, for logs.
std::string_view to_string(FrameKind kind);

/// Why a frame was dropped. Used as a metric's label.
enum class FrameError : std::uint8_t {
    bad_magic,
    bad_prefix_checksum,
    bad_version,
    bad_kind,
    bad_flags,
    unexpected_kind, ///< Known, but not allowed before the handshake is done.
    too_large,
    bad_checksum,
    bad_header, ///< The Cap'n Proto header does not decode or breaks a rule.
    protocol,   ///< Well-formed, but wrong at this point: no credit left, an answer nobody waits for.
};

std::string_view to_string(FrameError error);

struct FramePrefix {
    FrameKind kind = FrameKind::ping;
    std::uint64_t id = 0;
    std::uint32_t header_words = 0;
    std::uint32_t payload_bytes = 0;
    std::uint32_t checksum = 0;
};

/// A header as Cap'n Proto wants it: aligned words.
using Words = std::vector<std::uint64_t>;

/// Prefix and header of a frame, ready to be sent before the payload. `payload_checksum` is crc32c(payload).
Bytes encode_frame(FrameKind kind, std::uint64_t id, std::span<const std::uint64_t> header = {},
                   std::size_t payload_bytes = 0, std::uint32_t payload_checksum = 0);

struct Frame {
    FramePrefix prefix;
    std::span<const std::uint64_t> header; ///< Valid until the decoder is used again.
    SharedBytes payload;                   ///< Null if there is none.
};

class FrameDecoder {
  public:
    /// Gives a buffer to receive a payload into: of any size and content, not shared with anyone.
    using BufferSource = std::function<std::shared_ptr<Bytes>()>;

    explicit FrameDecoder(BufferSource source = {});

    /// From now on all kinds are accepted, with their full limits.
    void set_authenticated() { authenticated_ = true; }

    /// Where to receive: the second span may be empty. Never both empty.
    std::array<std::span<Byte>, 2> buffers();
    /// `bytes` were received into the spans that buffers() returned last, in order.
    void commit(std::size_t bytes);
    /// The next whole frame, nullopt if more bytes are needed.
    std::expected<std::optional<Frame>, FrameError> next();

    /// The peer's version, once a prefix of a version out of range was seen (FrameError::bad_version).
    std::uint8_t refused_version() const { return refused_version_; }
    /// The lengths announced by the frame under way; for tests and diagnosis.
    std::size_t payload_capacity() const { return payload_ ? payload_->size() : 0; }

  private:
    enum class Stage : std::uint8_t { prefix, header, payload };

    std::optional<FrameError> parse_prefix();
    std::optional<FrameError> check_lengths() const;
    void take_header();
    void take_payload();
    void begin_payload();
    void grow_payload();
    std::expected<std::optional<Frame>, FrameError> finish();

    std::span<Byte> header_rest();
    std::span<Byte> payload_rest();
    std::size_t ahead() const { return small_end_ - small_begin_; }
    std::span<const Byte> take_ahead(std::size_t bytes_max);

    /// Small frames and the beginning of the next frame land here; the rest of a payload goes straight to its
    /// buffer.
    static constexpr std::size_t kAheadBytes = 4096;

    BufferSource source_;
    bool authenticated_ = false;
    std::uint8_t refused_version_ = 0;
    Stage stage_ = Stage::prefix;
    FramePrefix prefix_;
    Words header_;
    std::size_t header_received_ = 0;
    std::shared_ptr<Bytes> payload_;
    std::size_t payload_received_ = 0;
    std::uint32_t payload_checksum_ = 0;
    std::array<Byte, kAheadBytes> small_;
    std::size_t small_begin_ = 0;
    std::size_t small_end_ = 0;
};

} // namespace dwcp::wire
