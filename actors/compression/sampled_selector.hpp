// The selector that tries: encodes a small sample of the block with each codec that could pay, and takes the
// one for which encoding and sending together are expected to be quickest. The same hard rules as in the
// plain selector come first. Release "sampled-1", the canary of "rules-1".
//
//   cost of a codec in microseconds = its measured time to encode the block + stored bytes / link rate
//
// A block below kTrialBytesMin is left to the rules: its sample would be most of it, and trying costs what
// encoding does, once for each codec.
//
// Pure: the same block, link and rates give the same choice. Rates belong to whoever encodes, who records
// what each encoding took; used by one thread at a time.
#pragma once

#include "actors/compression/rule_selector.hpp"
#include "protocols/base/clock.hpp"

#include <span>
#include <utility>
#include <vector>

namespace dwcp::compression {

/// A sample is at most a quarter of a block that is tried.
inline constexpr std::size_t kTrialBytesMin = 128U << 10;

/// How long each codec takes here: moving averages, from figures of an ordinary core on.
class EncodeRates {
  public:
    void record(CodecChoice codec, std::uint32_t raw_bytes, Duration took);
    /// Expected for so many bytes, microseconds; 0 for Codec::none.
    double us_for(CodecChoice codec, double raw_bytes) const;

  private:
    std::vector<std::pair<CodecChoice, double>> us_per_mib_; ///< Of codecs that were used.
};

struct Trial {
    CodecChoice codec;
    double stored_share = 1; ///< Of the sample, 0..1.
};

/// Microseconds until the receiver has it all.
double send_us(double bytes, double link_mbps);

/// Codecs that could be quicker than sending as it is, cheapest to encode first.
std::vector<CodecChoice> worth_trying(const BlockFeatures& features, double link_mbps,
                                      const EncodeRates& rates);
std::vector<Trial> try_sample(ByteView block, std::span<const CodecChoice> codecs);
/// "trial", or "no gain in trial".
Selection choose(const BlockFeatures& features, double link_mbps, std::span<const Trial> trials,
                 const EncodeRates& rates);

/// All of it. `link_mbps` and `history` as for select().
Selection select_sampled(ByteView block, const BlockFeatures& features, double link_mbps,
                         const EncodeRates& rates, StreamHistory& history);

} // namespace dwcp::compression
