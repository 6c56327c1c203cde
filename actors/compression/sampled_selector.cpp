#include "actors/compression/sampled_selector.hpp"

#include "actors/compression/codec.hpp"

#include <algorithm>
#include <array>

namespace dwcp::compression {
namespace {

/// The sample: evenly spaced pieces, long enough for matches as codecs look for them. 32 KiB of a block of
/// 1 MiB cost a thirtieth of encoding it, for each codec tried.
constexpr std::size_t kPieces = 8;
constexpr std::size_t kPieceBytes = 4096;

constexpr double kMiB = 1U << 20;
constexpr double kRateWeight = 0.1;
constexpr double kUnknownUsPerMib = 50'000;
/// A codec must promise to save this share of the time: the sample is not the block, and whoever reads pays
/// for decoding.
constexpr double kGainMin = 0.05;

struct Usual {
    CodecChoice codec;
    double us_per_mib; ///< On an ordinary core, until it was measured here.
    bool text_only;
};
constexpr std::array kUsual{Usual{{Codec::lz4, 0}, 2'000, false},   Usual{{Codec::zstd, 1}, 3'000, false},
                            Usual{{Codec::zstd, 3}, 5'000, false},  Usual{{Codec::zstd, 6}, 14'000, false},
                            Usual{{Codec::zstd, 9}, 28'000, false}, Usual{{Codec::brotli, 5}, 33'000, true}};

Bytes sample_of(ByteView block) {
    if (block.size() <= kPieces * kPieceBytes) return Bytes(block.begin(), block.end());
    Bytes sample;
    sample.reserve(kPieces * kPieceBytes);
    for (std::size_t piece = 0; piece < kPieces; ++piece) {
        const auto part = block.subspan(piece * (block.size() / kPieces), kPieceBytes);
        sample.insert(sample.end(), part.begin(), part.end());
    }
    return sample;
}

double known_link(double link_mbps) { return link_mbps > 0 ? link_mbps : kUnknownLinkMbps; }

} // namespace

void EncodeRates::record(CodecChoice codec, std::uint32_t raw_bytes, Duration took) {
    if (raw_bytes == 0 || codec.codec == Codec::none) return;
    const double us = std::chrono::duration<double, std::micro>(took).count();
    const double rate = us * kMiB / raw_bytes;
    const auto known = std::ranges::find(us_per_mib_, codec, [](const auto& entry) { return entry.first; });
    if (known == us_per_mib_.end())
        us_per_mib_.emplace_back(codec, rate);
    else
        known->second += kRateWeight * (rate - known->second);
}

double EncodeRates::us_for(CodecChoice codec, double raw_bytes) const {
    if (codec.codec == Codec::none) return 0;
    double rate = kUnknownUsPerMib;
    const auto usual = std::ranges::find(kUsual, codec, &Usual::codec);
    if (usual != kUsual.end()) rate = usual->us_per_mib;
    const auto known = std::ranges::find(us_per_mib_, codec, [](const auto& entry) { return entry.first; });
    if (known != us_per_mib_.end()) rate = known->second;
    return rate * raw_bytes / kMiB;
}

double send_us(double bytes, double link_mbps) { return bytes * 8 / known_link(link_mbps); }

std::vector<CodecChoice> worth_trying(const BlockFeatures& features, double link_mbps,
                                      const EncodeRates& rates) {
    std::vector<CodecChoice> codecs;
    const double as_it_is = send_us(features.bytes, link_mbps);
    for (const auto& usual : kUsual) {
        if (usual.text_only && !features.text) continue;
        if (rates.us_for(usual.codec, features.bytes) < as_it_is) codecs.push_back(usual.codec);
    }
    return codecs;
}

std::vector<Trial> try_sample(ByteView block, std::span<const CodecChoice> codecs) {
    std::vector<Trial> trials;
    const auto sample = share(sample_of(block));
    for (const auto codec : codecs) {
        // The hash names the sample to nobody.
        const auto encoded = encode(codec, sample, {});
        if (!encoded) continue;
        trials.push_back(
            {codec, static_cast<double>(encoded->bytes->size()) / static_cast<double>(sample->size())});
    }
    return trials;
}

Selection choose(const BlockFeatures& features, double link_mbps, std::span<const Trial> trials,
                 const EncodeRates& rates) {
    Selection best{{Codec::none, 0}, "no gain in trial"};
    double least_us = send_us(features.bytes, link_mbps) * (1 - kGainMin);
    for (const auto& trial : trials) {
        if (trial.stored_share >= 1) continue;
        const double us = rates.us_for(trial.codec, features.bytes) +
                          send_us(features.bytes * trial.stored_share, link_mbps);
        if (us >= least_us) continue;
        least_us = us;
        best = {trial.codec, "trial"};
    }
    return best;
}

Selection select_sampled(ByteView block, const BlockFeatures& features, double link_mbps,
                         const EncodeRates& rates, StreamHistory& history) {
    if (features.bytes < kTrialBytesMin) return select(features, link_mbps, history);
    if (const auto ruled = hard_rule(features)) return *ruled;
    const auto codecs = worth_trying(features, link_mbps, rates);
    return choose(features, link_mbps, try_sample(block, codecs), rates);
}

} // namespace dwcp::compression
