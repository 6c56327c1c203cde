// One session with one peer: what it sends is sealed under the session's keys, what it receives is checked.
//
// Made when a greeting succeeds, dropped when the link goes down; a session never outlives either side's
// incarnation. Used by the gateway only; not thread-safe.
#pragma once

#include "protocols/wire/control.hpp"

#include <bitset>
#include <cstdint>
#include <expected>
#include <string_view>

namespace dwcp::links {

/// Remembers which sequence numbers were seen. Requests run concurrently and may overtake each other a
/// little, so numbers within the window are accepted in any order, each once; what lies before it is refused
/// (RFC 4303, section 3.4.3).
class ReplayWindow {
  public:
    static constexpr std::uint64_t kWidth = 1024;

    /// True if `sequence` is new; it then counts as seen.
    bool admit(std::uint64_t sequence);

  private:
    std::uint64_t highest_ = 0;
    std::bitset<kWidth> seen_; ///< Indexed by sequence modulo the width.
};

/// Why a frame was not accepted. The names are label values of dwcp_control_bad_frames_total.
enum class BadFrame : std::uint8_t {
    undecodable,
    no_session,
    stale_incarnation,
    bad_mac,
    replayed,
    wrong_kind,
    refused
};
std::string_view to_string(BadFrame reason);

class Session {
  public:
    Session(NodeName self, Incarnation own, Incarnation peer, const crypto::SessionKeys& keys)
        : self_(std::move(self)), own_(own), peer_(peer), keys_(keys) {}

    Incarnation peer_incarnation() const { return peer_; }
    /// The number of the next request: 1, 2, 3, ...
    std::uint64_t next_sequence() { return ++last_sequence_; }

    /// The frame that carries `envelope` to the peer.
    Bytes seal(const wire::control::Envelope& envelope) const;
    /// The envelope of a frame from the peer, if it is authentic, of this session, and not a repetition.
    std::expected<wire::control::Envelope, BadFrame> open(const wire::control::Sealed& sealed);

  private:
    NodeName self_;
    Incarnation own_;
    Incarnation peer_;
    crypto::SessionKeys keys_;
    std::uint64_t last_sequence_ = 0;
    ReplayWindow requests_seen_;
};

} // namespace dwcp::links
