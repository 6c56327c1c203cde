#include "actors/compression/rule_selector.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace dwcp::compression {

namespace {

constexpr CodecChoice kNone{Codec::none, 0};

/// A smaller block saves less than its own frame and manifest entry cost.
constexpr std::size_t kTinyBytes = 512;

/// The sample: evenly spaced pieces, long enough to hold repeats. Their distance is a whole fraction of the
/// block, so that pieces of periodic data (pages, sectors) meet again.
constexpr std::size_t kPieces = 8;
constexpr std::size_t kPieceBytes = 512;

/// From 7.5 bits a byte on, entropy coding saves less than the 1/16 that encode() asks for; without repeats
/// nothing else saves either. A format's magic bytes are a second witness, so less entropy convicts.
constexpr double kIncompressibleBits = 7.5;
constexpr double kIncompressibleBitsWithMagic = 7.0;
constexpr double kRepeatShareMin = 0.03;

/// What counts as text: at most one control byte in 512, and no more than base64's entropy.
constexpr std::size_t kBytesPerControlByteMin = 512;
constexpr double kTextBitsMax = 6.2;

/// A stream whose blocks save less than this on average is not worth compressing: encode()'s own limit.
constexpr double kPoorSavedShare = 1.0 / 16;
constexpr double kHistoryWeight = 0.25;

struct Magic {
    std::size_t offset;
    std::string_view bytes;
    std::string_view name;
};

using namespace std::string_view_literals;

/// Formats whose content is compressed already. Containers that often are not (tar, ELF, PDF, WAV) are left
/// out.
constexpr std::array kMagics{
    Magic{0, "\x1f\x8b\x08"sv, "gzip"},
    Magic{0, "PK\x03\x04"sv, "zip"},
    Magic{0, "\x89PNG\r\n\x1a\n"sv, "png"},
    Magic{0, "\xff\xd8\xff"sv, "jpeg"},
    Magic{0,
          "\xfd"
          "7zXZ\0"sv,
          "xz"},
    Magic{0, "\x28\xb5\x2f\xfd"sv, "zstd"},
    Magic{0, "BZh"sv, "bzip2"},
    Magic{0, "\x04\x22\x4d\x18"sv, "lz4"},
    Magic{0, "7z\xbc\xaf\x27\x1c"sv, "7z"},
    Magic{0, "Rar!\x1a\x07"sv, "rar"},
    Magic{0, "GIF8"sv, "gif"},
    Magic{8, "WEBP"sv, "webp"},
    Magic{4, "ftyp"sv, "mp4"},
    Magic{0, "\x1a\x45\xdf\xa3"sv, "matroska"},
    Magic{0, "OggS"sv, "ogg"},
    Magic{0, "fLaC"sv, "flac"},
    Magic{0, "ID3"sv, "mp3"},
    Magic{0, "wOF2"sv, "woff2"},
};

std::string_view find_magic(ByteView block) {
    const std::string_view start = as_text(block.first(std::min<std::size_t>(block.size(), 16)));
    for (const Magic& magic : kMagics)
        if (start.size() >= magic.offset && start.substr(magic.offset).starts_with(magic.bytes))
            return magic.name;
    return {};
}

/// Counts over the sample.
class Sample {
  public:
    void add(ByteView piece) {
        for (const Byte byte : piece)
            ++histogram_[byte];
        bytes_ += piece.size();
        for (std::size_t at = 0; at + kGramBytes <= piece.size(); ++at) {
            std::uint32_t gram = 0;
            std::memcpy(&gram, piece.data() + at, kGramBytes);
            std::uint32_t& slot =
                seen_[(gram * 2654435761U) >> (32 - kSlotBits)]; // Knuth's multiplicative hash
            repeats_ += slot == gram ? 1 : 0;
            slot = gram;
            ++grams_;
        }
    }

    /// Shannon entropy with the Miller-Madow correction: a sample of a few hundred random bytes looks too
    /// regular.
    double entropy_bits() const {
        if (bytes_ == 0) return 0;
        const auto total = static_cast<double>(bytes_);
        double weighted = 0;
        double distinct = 0;
        for (const std::uint32_t count : histogram_) {
            if (count == 0) continue;
            weighted += count * std::log2(static_cast<double>(count));
            ++distinct;
        }
        const double correction = (distinct - 1) / (2 * total * std::log(2.0));
        return std::clamp(std::log2(total) - weighted / total + correction, 0.0, 8.0);
    }

    double repeat_share() const {
        return grams_ == 0 ? 0 : static_cast<double>(repeats_) / static_cast<double>(grams_);
    }

    bool few_control_bytes() const {
        std::size_t control = histogram_[0x7f];
        for (std::size_t byte = 0; byte < 0x20; ++byte)
            if (byte != '\t' && byte != '\n' && byte != '\r' && byte != '\f') control += histogram_[byte];
        return control * kBytesPerControlByteMin <= bytes_;
    }

  private:
    static constexpr std::size_t kGramBytes = 4;
    static constexpr unsigned kSlotBits = 12; // as many slots as the sample has bytes

    std::array<std::uint32_t, 256> histogram_{};
    std::array<std::uint32_t, 1U << kSlotBits> seen_{};
    std::size_t bytes_ = 0;
    std::size_t grams_ = 0;
    std::size_t repeats_ = 0;
};

/// From which bandwidth on which codec: where compressing takes longer than the bytes it saves would take to
/// send. Measured on 128 KiB blocks of mixed files; the learned selector recomputes such limits for its
/// machine.
Selection by_bandwidth(double link_mbps, bool text) {
    if (link_mbps > 6000) return {{Codec::none, 0}, "fast link"};
    if (link_mbps > 1500) return {{Codec::lz4, 0}, "fast link"};
    if (link_mbps > 300) return {{Codec::zstd, 1}, "quick link"};
    if (link_mbps > 50) return {{Codec::zstd, 3}, "medium link"};
    if (link_mbps > 10) return {{Codec::zstd, 6}, "slow link"};
    if (text) return {{Codec::brotli, 5}, "text on very slow link"};
    return {{Codec::zstd, 9}, "very slow link"};
}

bool looks_incompressible(const BlockFeatures& features) {
    const double limit = features.magic.empty() ? kIncompressibleBits : kIncompressibleBitsWithMagic;
    return features.entropy_bits >= limit && features.repeat_share < kRepeatShareMin;
}

} // namespace

BlockFeatures measure(ByteView block) {
    Sample sample;
    if (block.size() <= kPieces * kPieceBytes) {
        sample.add(block);
    } else {
        for (std::size_t piece = 0; piece < kPieces; ++piece)
            sample.add(block.subspan(piece * (block.size() / kPieces), kPieceBytes));
    }
    BlockFeatures features;
    features.bytes = static_cast<std::uint32_t>(block.size());
    features.entropy_bits = sample.entropy_bits();
    features.repeat_share = sample.repeat_share();
    features.text = sample.few_control_bytes() && features.entropy_bits <= kTextBitsMax;
    features.magic = find_magic(block);
    return features;
}

void StreamHistory::record(std::uint32_t raw_bytes, std::uint32_t stored_bytes) {
    if (raw_bytes == 0) return;
    const double saved = 1.0 - static_cast<double>(std::min(stored_bytes, raw_bytes)) / raw_bytes;
    saved_share_ += kHistoryWeight * (saved - saved_share_);
}

bool StreamHistory::skip_next() {
    if (saved_share_ >= kPoorSavedShare) {
        skipped_ = 0;
        return false;
    }
    skipped_ = (skipped_ + 1) % kReprobeEvery;
    return skipped_ != 0;
}

std::optional<Selection> hard_rule(const BlockFeatures& features) {
    if (features.bytes < kTinyBytes) return Selection{kNone, "tiny"};
    if (looks_incompressible(features))
        return Selection{kNone, features.magic.empty() ? "incompressible" : "compressed format"};
    return std::nullopt;
}

Selection select(const BlockFeatures& features, double link_mbps, StreamHistory& history) {
    if (const auto ruled = hard_rule(features)) return *ruled;
    const Selection selection = by_bandwidth(link_mbps > 0 ? link_mbps : kUnknownLinkMbps, features.text);
    if (selection.codec != kNone && history.skip_next()) return Selection{kNone, "poor stream"};
    return selection;
}

} // namespace dwcp::compression
