// The selector's plain form: rules that choose a codec from what a block looks like, how fast the link is and
// how well the stream's blocks compressed so far. The learned selector's baseline and fall-back.
//
// Pure: the same inputs give the same choice. For each block of a stream (an object, a connection) the caller
// runs
//   select(measure(raw), link_mbps, history) -> encode() -> history.record(), the last only if a codec other
//   than none was
// chosen. The history belongs to the stream and is used by one thread at a time.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/wire/block.hpp"

#include <cstdint>
#include <optional>
#include <string_view>

namespace dwcp::compression {

/// What a look at a few KiB of a block tells, in a few microseconds.
struct BlockFeatures {
    std::uint32_t bytes = 0; ///< The whole block's length.
    double entropy_bits =
        0; ///< Order-0 entropy of the sample in bits a byte, 0..8, corrected for the sample's size.
    double repeat_share = 0; ///< Share of the sample's 4-byte sequences that occurred before in it, 0..1.
    bool text = false;       ///< Hardly any control bytes, and an entropy that text has.
    std::string_view magic;  ///< The compressed format that the block begins like, e.g. "gzip"; empty: none.
};

BlockFeatures measure(ByteView block);

/// How well a stream's blocks compressed: an EWMA of the share of bytes saved by those that were tried.
class StreamHistory {
  public:
    /// After a codec was tried. `stored_bytes` is what encode() made of the block (raw_bytes where it fell
    /// back to none).
    void record(std::uint32_t raw_bytes, std::uint32_t stored_bytes);

    double saved_share() const { return saved_share_; }
    /// True if trying is not worth it now. Every kReprobeEvery-th call of a poor stream answers false, so
    /// that the stream is tried again.
    bool skip_next();

  private:
    double saved_share_ = 0.25; // Optimistic: five fruitless blocks bring it under the limit.
    std::uint32_t skipped_ = 0;
};

inline constexpr std::uint32_t kReprobeEvery = 16;

struct Selection {
    CodecChoice codec;
    /// Why, in stable short words fit for a metric label: "tiny", "compressed format", "incompressible",
    /// "poor stream", "fast link", "quick link", "medium link", "slow link", "very slow link", "text on very
    /// slow link"; of the sampled selector "trial", "no gain in trial".
    std::string_view reason;
};

/// What an unknown link is taken for.
inline constexpr double kUnknownLinkMbps = 1000;

/// The rules that hold for every selector, learned or not: what is tiny or compressed already stays as it is.
std::optional<Selection> hard_rule(const BlockFeatures& features);

/// `link_mbps`: bandwidth towards the replicas in Mbit/s; 0 means not known and is read as 1000.
Selection select(const BlockFeatures& features, double link_mbps, StreamHistory& history);

} // namespace dwcp::compression
