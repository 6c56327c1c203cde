// The greeting that opens a link: three messages after which both ends know who the other is and share
// session keys.
//
//   dialler  ── Hello(offer) ──────────────────────▶  acceptor
//            ◀── HelloAck(offer, signature) ────────
//            ── Confirm(signature) ────────────────▶
//            ◀── a sealed, empty response ──────────
//
// Both signatures cover both offers, so both nonces, both session keys and everything either side claimed.
// What an end does not accept it says in one sentence that makes sense on both ends, with what to do about
// it. Pure but for random numbers.
#pragma once

#include "protocols/wire/control.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/links/control/session.hpp"

#include <cstdint>

namespace dwcp::links {

/// One end's half of a greeting under way.
class Greeting {
  public:
    struct Settings {
        std::uint32_t wire_version = 0;
        std::uint32_t heartbeat_interval_ms = 0;
        std::uint32_t heartbeat_timeout_ms = 0;
    };

    /// As `role`, towards the node called `peer`.
    Greeting(const identity::Identity& self, const Settings& settings, wire::control::Role role,
             const NodeName& peer);

    const wire::control::Offer& own() const { return own_; }
    const wire::control::Offer& theirs() const { return theirs_; }

    /// Takes the peer's offer and judges all in it that needs no proof. The error is meant for both ends.
    Result<void> consider(const wire::control::Offer& theirs);
    /// This end's signature over both offers; after consider().
    crypto::Signature sign() const;
    /// Checks the peer's signature and then its key against the trust store, which may pin it.
    Result<void> prove(const crypto::Signature& signature, identity::TrustStore& trust) const;
    /// The session that both ends now share; after prove().
    Result<Session> make_session() const;

  private:
    Bytes transcript(wire::control::Role signer) const;

    std::shared_ptr<const crypto::SigningKey> key_;
    wire::control::Role role_;
    crypto::SessionOffer session_;
    wire::control::Offer own_;
    wire::control::Offer theirs_;
};

} // namespace dwcp::links
