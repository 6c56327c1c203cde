#include "runtime/links/control/basp_filter.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::links {
namespace {

constexpr std::uint8_t kNamedReceiver = 1; // basp::header::named_receiver_flag
/// A node's id, the program's identifiers, the gateway's number: below 200 bytes.
constexpr std::size_t kHandshakeBytesMax = 4096;

std::uint64_t big_endian(ByteView bytes) {
    std::uint64_t value = 0;
    for (const Byte byte : bytes)
        value = value << 8 | byte;
    return value;
}

using Verdict = BaspFilter::Verdict;
using Action = BaspFilter::Action;

Verdict drop(std::optional<Dropped> dropped) { return {.action = Action::drop, .dropped = dropped}; }

Verdict close(Refused why, std::string message) {
    return {.action = Action::close, .why = why, .message = std::move(message)};
}

Verdict malformed(std::string message) { return close(Refused::malformed, std::move(message)); }

} // namespace

bool BaspContent::matches(ByteView payload) const {
    const std::size_t size = head.size() + any + tail.size();
    return payload.size() >= size && std::ranges::equal(head, payload.first(head.size())) &&
           std::ranges::equal(tail, payload.subspan(head.size() + any, tail.size()));
}

Verdict BaspFilter::header(ByteView bytes) {
    payload_bytes_ = 0;
    if (bytes.size() != kBaspHeaderBytes) return verdict_ = malformed("sends half a header");
    if (bytes[0] > static_cast<Byte>(Operation::heartbeat)) {
        return verdict_ = node_.empty() ? close(Refused::not_basp, "does not speak the nodes' protocol")
                                        : malformed("sends an operation that does not exist");
    }
    last_ = {static_cast<Operation>(bytes[0]),
             bytes[3],
             static_cast<std::uint32_t>(big_endian(bytes.subspan(4, 4))),
             big_endian(bytes.subspan(8, 8)),
             big_endian(bytes.subspan(16, 8)),
             big_endian(bytes.subspan(24, 8))};
    if (last_.payload_bytes > kBaspPayloadBytesMax) {
        return verdict_ = close(Refused::oversized, fmt::format("announces {} bytes; the most is {}",
                                                                last_.payload_bytes, kBaspPayloadBytesMax));
    }
    verdict_ = judge(last_);
    if (verdict_.action != Action::close) payload_bytes_ = last_.payload_bytes;
    return verdict_;
}

Verdict BaspFilter::judge(const Header& header) {
    switch (header.operation) {
    case Operation::heartbeat:
        if (header.payload_bytes != 0 || header.data != 0 || header.source != 0 || header.dest != 0) {
            return malformed("sends a heartbeat with something in it");
        }
        return node_.empty() ? drop(std::nullopt) : Verdict{};
    case Operation::server_handshake:
    case Operation::client_handshake:
        return judge_handshake(header);
    case Operation::routed_message:
        return malformed("wants its messages forwarded to another node");
    case Operation::direct_message:
    case Operation::monitor_message:
    case Operation::down_message:
        break;
    }
    if (disowned_) return close(Refused::node_in_use, "speaks for a node that has another live connection");
    if (node_.empty()) return malformed("sends messages before the handshake");
    return judge_message(header);
}

Verdict BaspFilter::judge_handshake(const Header& header) const {
    const bool from_server = header.operation == Operation::server_handshake;
    if (from_server != (side_ == Side::dialler)) return malformed("sends the other side's handshake");
    const bool is_repeated = from_server && !node_.empty();
    const bool is_short =
        from_server ? header.payload_bytes < self_->id.size() : header.payload_bytes != self_->id.size();
    const bool is_odd = from_server ? header.data == 0 : header.source != 0 || header.dest != 0;
    if (is_repeated || is_short || is_odd || header.payload_bytes > kHandshakeBytesMax) {
        return malformed("sends a handshake that is not one");
    }
    return {};
}

Verdict BaspFilter::judge_message(const Header& header) {
    if (header.operation == Operation::direct_message) {
        if (header.payload_bytes == 0) return malformed("sends a message without content");
        if ((header.flags & kNamedReceiver) != 0) {
            // CAF asks every new node for its spawn server once, so that is nobody's doing.
            const bool by_caf = header.dest == self_->spawn_server;
            return drop(by_caf ? std::nullopt : std::optional(Dropped::lookup));
        }
        if (header.dest != self_->gateway) return drop(Dropped::other_actor);
        if (!knows_sender(header.source)) return malformed("sends from too many actors");
        return {};
    }
    const bool is_monitor = header.operation == Operation::monitor_message;
    const std::size_t both = 2 * self_->id.size();
    const bool fits = is_monitor ? header.payload_bytes == both
                                 : header.payload_bytes > both && header.source != 0 && header.dest == 0;
    if (!fits || header.data != 0) return malformed("sends a notice that is not one");
    if (is_monitor && header.dest != self_->gateway) return drop(Dropped::other_actor);
    return {};
}

Verdict BaspFilter::payload(ByteView bytes) {
    if (verdict_.action != Action::pass) return verdict_;
    if (bytes.size() != payload_bytes_) return malformed("sends half a message");
    switch (last_.operation) {
    case Operation::server_handshake:
    case Operation::client_handshake:
        return take_handshake(bytes.first(self_->id.size()));
    case Operation::direct_message:
        if (std::ranges::none_of(self_->contents,
                                 [&](const BaspContent& content) { return content.matches(bytes); })) {
            return drop(Dropped::content);
        }
        return {};
    case Operation::monitor_message:
    case Operation::down_message:
        if (!is_between_both(bytes)) return malformed("speaks for another node than its own");
        if (last_.operation == Operation::down_message &&
            !self_->reason.matches(bytes.subspan(2 * self_->id.size()))) {
            return drop(Dropped::content);
        }
        return {};
    case Operation::routed_message:
    case Operation::heartbeat:
        break;
    }
    return malformed("sends what has no content with some");
}

Verdict BaspFilter::take_handshake(ByteView node) {
    if (!node_.empty()) {
        return std::ranges::equal(node_, node) ? Verdict{} : malformed("claims to be two nodes");
    }
    const bool is_self = std::ranges::equal(self_->id, node);
    // The dialler's end of the same connection tells whose mistake that is.
    if (is_self && side_ == Side::acceptor) return drop(Dropped::second_claim);
    node_.assign(node.begin(), node.end());
    disowned_ = false;
    return {};
}

void BaspFilter::disown() {
    node_.clear();
    disowned_ = true;
}

bool BaspFilter::is_between_both(ByteView payload) const {
    const std::size_t size = node_.size();
    return payload.size() >= 2 * size && std::ranges::equal(node_, payload.first(size)) &&
           std::ranges::equal(self_->id, payload.subspan(size, size));
}

bool BaspFilter::knows_sender(std::uint64_t source) {
    if (source == 0 || std::ranges::find(senders_, source) != senders_.end()) return true;
    if (senders_.size() == kSendersMax) return false;
    senders_.push_back(source);
    return true;
}

} // namespace dwcp::links
