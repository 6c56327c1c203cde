// Who is at the other end of a data link: the three messages of the handshake as functions without sockets.
//
//   dialler                         acceptor
//   hello (who, nonce)        ->    accepts() it
//   check_ack()               <-    hello_ack (who, nonce, signature)     make_ack()
//   proof (signature)         ->    check_proof(); then grants credit
//
// Each side signs everything said so far (wire::handshake_transcript), so neither signature can be replayed,
// reflected or used elsewhere. TrustStore::check comes last: a key is only pinned after its owner has proven
// it. Every refusal is an Error for both ends.
#pragma once

#include "protocols/wire/data_messages.hpp"
#include "runtime/identity/identity.hpp"

namespace dwcp::links {

wire::Hello make_hello(const identity::Identity& self);

/// Acceptor, first message: same cluster, and not ourselves.
Result<void> accepts(const identity::Identity& self, const wire::Hello& dialler);
/// Acceptor with TLS: the dialler is the node whose certificate it has shown.
Result<void> certified(const wire::Hello& dialler, const NodeName& certificate);
wire::HelloAck make_ack(const identity::Identity& self, const wire::Hello& dialler,
                        const wire::Hello& acceptor);
/// Dialler: the acceptor is the node we meant to reach, and trusted.
Result<void> check_ack(const identity::Identity& self, identity::TrustStore& trust, const NodeName& expected,
                       const wire::Hello& dialler, const wire::HelloAck& ack);
crypto::Signature make_proof(const identity::Identity& self, const wire::Hello& dialler,
                             const wire::Hello& acceptor);
/// Acceptor: the dialler holds its key, and is trusted.
Result<void> check_proof(identity::TrustStore& trust, const wire::Hello& dialler, const wire::Hello& acceptor,
                         const crypto::Signature& signature);

/// Why a peer that speaks `theirs` is refused, as both ends will read it.
Error version_refusal(const NodeName& self, std::uint8_t theirs);

} // namespace dwcp::links
