#include "protocols/wire/frame.hpp"

#include "protocols/wire/crc32c.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace dwcp::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "the prefix is written as it lies in memory");

constexpr std::uint32_t kMagic = 0x50435744; // "DWCP"
constexpr std::size_t kWordBytes = 8;

struct KindRule {
    std::string_view name;
    bool handshake; ///< Allowed before the peer is authenticated.
    std::uint32_t header_bytes_max;
    std::uint32_t payload_bytes_min;
    std::uint32_t payload_bytes_max;
};

/// Indexed by the kind's number. A kind without a header or payload has a limit of 0 for it.
constexpr std::array<KindRule, 16> kRules = {{
    {"", false, 0, 0, 0}, // no kind has the number 0
    {"hello", true, kHandshakeHeaderBytesMax, 0, 0},
    {"hello_ack", true, kHandshakeHeaderBytesMax, 0, 0},
    {"proof", true, kHandshakeHeaderBytesMax, 0, 0},
    {"refuse", true, kHandshakeHeaderBytesMax, 0, 0},
    {"credit", false, kHeaderBytesMax, 0, 0},
    {"block", false, kHeaderBytesMax, 1, kPayloadBytesMax},
    {"block_ack", false, 0, 0, 0},
    {"sync", false, kHeaderBytesMax, 0, kPayloadBytesMax},
    {"sync_ack", false, 0, 0, kPayloadBytesMax},
    {"fetch", false, kHeaderBytesMax, 0, 0},
    {"fetch_block", false, kHeaderBytesMax, 1, kPayloadBytesMax},
    {"error", false, kHeaderBytesMax, 0, 0},
    {"ping", false, 0, 0, 0},
    {"pong", false, 0, 0, 0},
    {"echo", false, kHeaderBytesMax, 1, kEchoBytesMax},
}};

const KindRule& rule_of(FrameKind kind) { return kRules[static_cast<std::size_t>(kind)]; }

template<class T>
T load(const Byte* at) {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

template<class T>
void store(Byte* at, T value) {
    std::memcpy(at, &value, sizeof value);
}

ByteView bytes_of(std::span<const std::uint64_t> words) {
    return {reinterpret_cast<const Byte*>(words.data()), words.size_bytes()};
}

} // namespace

std::string_view to_string(FrameKind kind) { return rule_of(kind).name; }

std::string_view to_string(FrameError error) {
    switch (error) {
    case FrameError::bad_magic:
        return "bad_magic";
    case FrameError::bad_prefix_checksum:
        return "bad_prefix_checksum";
    case FrameError::bad_version:
        return "bad_version";
    case FrameError::bad_kind:
        return "bad_kind";
    case FrameError::bad_flags:
        return "bad_flags";
    case FrameError::unexpected_kind:
        return "unexpected_kind";
    case FrameError::too_large:
        return "too_large";
    case FrameError::bad_checksum:
        return "bad_checksum";
    case FrameError::bad_header:
        return "bad_header";
    case FrameError::protocol:
        return "protocol";
    }
    return "unknown";
}

Bytes encode_frame(FrameKind kind, std::uint64_t id, std::span<const std::uint64_t> header,
                   std::size_t payload_bytes, std::uint32_t payload_checksum) {
    const ByteView header_bytes = bytes_of(header);
    Bytes out(kPrefixBytes + header_bytes.size());
    store(out.data(), kMagic);
    out[4] = kWireVersion;
    out[5] = static_cast<Byte>(kind);
    store(out.data() + 8, id);
    store(out.data() + 16, static_cast<std::uint32_t>(header.size()));
    store(out.data() + 20, static_cast<std::uint32_t>(payload_bytes));
    store(out.data() + 24, crc32c(header_bytes, payload_checksum));
    store(out.data() + 28, crc32c(ByteView(out).first(28)));
    std::copy(header_bytes.begin(), header_bytes.end(), out.begin() + kPrefixBytes);
    return out;
}

FrameDecoder::FrameDecoder(BufferSource source) : source_(std::move(source)) {}

std::span<Byte> FrameDecoder::header_rest() {
    return {reinterpret_cast<Byte*>(header_.data()) + header_received_,
            header_.size() * kWordBytes - header_received_};
}

std::span<Byte> FrameDecoder::payload_rest() { return std::span(*payload_).subspan(payload_received_); }

std::array<std::span<Byte>, 2> FrameDecoder::buffers() {
    // Whatever lies ahead was consumed by next() unless it is the incomplete beginning of a prefix.
    std::copy(small_.begin() + static_cast<std::ptrdiff_t>(small_begin_),
              small_.begin() + static_cast<std::ptrdiff_t>(small_end_), small_.begin());
    small_end_ -= small_begin_;
    small_begin_ = 0;
    const std::span<Byte> free = std::span(small_).subspan(small_end_);
    if (stage_ != Stage::payload || ahead() > 0) return {free, std::span<Byte>()};
    const bool to_the_end = payload_->size() == prefix_.payload_bytes;
    return {payload_rest(), to_the_end ? free : std::span<Byte>()};
}

void FrameDecoder::commit(std::size_t bytes) {
    if (stage_ == Stage::payload && ahead() == 0) {
        const std::span<Byte> into = payload_rest().first(std::min(bytes, payload_rest().size()));
        payload_checksum_ = crc32c(into, payload_checksum_);
        payload_received_ += into.size();
        bytes -= into.size();
    }
    small_end_ += bytes;
}

std::span<const Byte> FrameDecoder::take_ahead(std::size_t bytes_max) {
    const std::size_t taken = std::min(bytes_max, ahead());
    small_begin_ += taken;
    return {small_.data() + small_begin_ - taken, taken};
}

std::optional<FrameError> FrameDecoder::check_lengths() const {
    const KindRule& rule = rule_of(prefix_.kind);
    if (!authenticated_ && !rule.handshake) return FrameError::unexpected_kind;
    if (prefix_.header_words > rule.header_bytes_max / kWordBytes) return FrameError::too_large;
    if (prefix_.payload_bytes > rule.payload_bytes_max) return FrameError::too_large;
    if (prefix_.payload_bytes < rule.payload_bytes_min) return FrameError::bad_header;
    return std::nullopt;
}

std::optional<FrameError> FrameDecoder::parse_prefix() {
    const Byte* const at = small_.data() + small_begin_;
    if (load<std::uint32_t>(at) != kMagic) return FrameError::bad_magic;
    if (load<std::uint32_t>(at + 28) != crc32c({at, 28})) return FrameError::bad_prefix_checksum;
    // Magic, version and checksum keep their places in every version, so that a refusal can name the version.
    if (at[4] < kWireVersionMin || at[4] > kWireVersion) {
        refused_version_ = at[4];
        return FrameError::bad_version;
    }
    if (at[5] == 0 || at[5] >= kRules.size()) return FrameError::bad_kind;
    if (load<std::uint16_t>(at + 6) != 0) return FrameError::bad_flags;
    prefix_ = {static_cast<FrameKind>(at[5]), load<std::uint64_t>(at + 8), load<std::uint32_t>(at + 16),
               load<std::uint32_t>(at + 20), load<std::uint32_t>(at + 24)};
    small_begin_ += kPrefixBytes;
    return check_lengths();
}

void FrameDecoder::take_header() {
    const std::span<const Byte> part = take_ahead(header_rest().size());
    std::copy(part.begin(), part.end(), header_rest().begin());
    header_received_ += part.size();
}

void FrameDecoder::begin_payload() {
    payload_received_ = 0;
    payload_checksum_ = 0;
    stage_ = Stage::payload;
    if (prefix_.payload_bytes == 0) return;
    payload_ = source_ ? source_() : std::make_shared<Bytes>();
    const bool enough = payload_->size() >= prefix_.payload_bytes;
    payload_->resize(enough ? prefix_.payload_bytes
                            : std::min<std::size_t>(prefix_.payload_bytes, kPayloadStartBytes));
}

void FrameDecoder::grow_payload() {
    if (payload_received_ < payload_->size() || payload_->size() == prefix_.payload_bytes) return;
    payload_->resize(std::min<std::size_t>(prefix_.payload_bytes, 2 * payload_->size()));
}

void FrameDecoder::take_payload() {
    while (ahead() > 0 && payload_received_ < prefix_.payload_bytes) {
        grow_payload();
        const std::span<const Byte> part = take_ahead(payload_rest().size());
        std::copy(part.begin(), part.end(), payload_rest().begin());
        payload_checksum_ = crc32c(part, payload_checksum_);
        payload_received_ += part.size();
    }
    if (payload_) grow_payload();
}

std::expected<std::optional<Frame>, FrameError> FrameDecoder::finish() {
    stage_ = Stage::prefix;
    Frame frame{prefix_, header_, std::move(payload_)};
    payload_ = nullptr;
    if (crc32c(bytes_of(header_), payload_checksum_) != prefix_.checksum) {
        return std::unexpected(FrameError::bad_checksum);
    }
    return frame;
}

std::expected<std::optional<Frame>, FrameError> FrameDecoder::next() {
    if (stage_ == Stage::prefix) {
        if (ahead() < kPrefixBytes) return std::nullopt;
        if (const auto error = parse_prefix()) return std::unexpected(*error);
        header_.resize(prefix_.header_words);
        header_received_ = 0;
        stage_ = Stage::header;
    }
    if (stage_ == Stage::header) {
        take_header();
        if (!header_rest().empty()) return std::nullopt;
        begin_payload();
    }
    take_payload();
    if (payload_received_ < prefix_.payload_bytes) return std::nullopt;
    return finish();
}

} // namespace dwcp::wire
