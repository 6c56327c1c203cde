#include "runtime/links/control/session.hpp"

namespace dwcp::links {

using namespace wire;

bool ReplayWindow::admit(std::uint64_t sequence) {
    if (sequence + kWidth <= highest_) return false;
    if (sequence > highest_) {
        if (sequence - highest_ >= kWidth)
            seen_.reset();
        else
            for (auto skipped = highest_ + 1; skipped < sequence; ++skipped)
                seen_.reset(skipped % kWidth);
        highest_ = sequence;
        seen_.set(sequence % kWidth);
        return true;
    }
    if (seen_.test(sequence % kWidth)) return false;
    seen_.set(sequence % kWidth);
    return true;
}

std::string_view to_string(BadFrame reason) {
    switch (reason) {
    case BadFrame::undecodable:
        return "undecodable";
    case BadFrame::no_session:
        return "no_session";
    case BadFrame::stale_incarnation:
        return "stale_incarnation";
    case BadFrame::bad_mac:
        return "bad_mac";
    case BadFrame::replayed:
        return "replayed";
    case BadFrame::wrong_kind:
        return "wrong_kind";
    case BadFrame::refused:
        return "refused";
    }
    return "unknown";
}

Bytes Session::seal(const control::Envelope& envelope) const {
    control::Sealed sealed{self_, own_, {}, control::encode_envelope(envelope)};
    sealed.mac = crypto::mac(keys_.transmit, {sealed.envelope});
    return control::encode(sealed);
}

std::expected<control::Envelope, BadFrame> Session::open(const control::Sealed& sealed) {
    if (sealed.incarnation != peer_) return std::unexpected(BadFrame::stale_incarnation);
    const auto expected = crypto::mac(keys_.receive, {sealed.envelope});
    if (!crypto::equal_constant_time(expected, sealed.mac)) return std::unexpected(BadFrame::bad_mac);
    auto envelope = control::decode_envelope(sealed.envelope);
    if (!envelope) return std::unexpected(BadFrame::undecodable);
    const bool is_request = std::holds_alternative<control::Request>(envelope->content);
    if (is_request && !requests_seen_.admit(envelope->sequence)) return std::unexpected(BadFrame::replayed);
    return std::move(*envelope);
}

} // namespace dwcp::links
