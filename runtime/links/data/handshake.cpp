#include "runtime/links/data/handshake.hpp"

namespace dwcp::links {
namespace {

Result<void> same_cluster(const std::string& ours, const wire::Hello& peer) {
    if (peer.cluster_id == ours) return {};
    return fail(Errc::permission_denied,
                "node '" + peer.name + "' belongs to cluster '" + peer.cluster_id + "', this one to '" +
                    ours + "'",
                "check cluster_id and the peers' addresses on both nodes");
}

Result<void> proven(wire::Role role, const wire::Hello& signer, const wire::Hello& dialler,
                    const wire::Hello& acceptor, const crypto::Signature& signature) {
    if (crypto::verify(signer.public_key, wire::handshake_transcript(role, dialler, acceptor), signature))
        return {};
    return fail(Errc::unauthenticated, "node '" + signer.name + "' does not hold the key that it shows",
                "if its key was replaced, restart it; otherwise somebody is posing as it");
}

} // namespace

wire::Hello make_hello(const identity::Identity& self) {
    wire::Hello hello{self.cluster_id,  self.name, self.public_key(),
                      self.incarnation, {},        wire::kFeatureEcho};
    crypto::random_bytes(hello.nonce);
    return hello;
}

Result<void> accepts(const identity::Identity& self, const wire::Hello& dialler) {
    if (auto same = same_cluster(self.cluster_id, dialler); !same) return same;
    if (dialler.name != self.name) return {};
    return fail(Errc::invalid_argument, "node '" + self.name + "' was dialled by a node of the same name",
                "give every node its own name, and no node its own address as a peer");
}

Result<void> certified(const wire::Hello& dialler, const NodeName& certificate) {
    if (dialler.name == certificate) return {};
    return fail(Errc::unauthenticated,
                "node '" + dialler.name + "' shows the certificate of node '" + certificate + "'",
                "give each node the certificate that ops/certs made for it");
}

wire::HelloAck make_ack(const identity::Identity& self, const wire::Hello& dialler,
                        const wire::Hello& acceptor) {
    return {acceptor, self.key->sign(wire::handshake_transcript(wire::Role::acceptor, dialler, acceptor))};
}

Result<void> check_ack(const identity::Identity& self, identity::TrustStore& trust, const NodeName& expected,
                       const wire::Hello& dialler, const wire::HelloAck& ack) {
    if (auto same = same_cluster(self.cluster_id, ack.hello); !same) return same;
    if (ack.hello.name != expected) {
        return fail(Errc::unauthenticated,
                    "node '" + ack.hello.name + "' answers at the address of '" + expected + "'",
                    "correct the data address of peer '" + expected + "' on node '" + self.name + "'");
    }
    if (auto ok = proven(wire::Role::acceptor, ack.hello, dialler, ack.hello, ack.signature); !ok) return ok;
    return trust.check(ack.hello.name, ack.hello.public_key);
}

crypto::Signature make_proof(const identity::Identity& self, const wire::Hello& dialler,
                             const wire::Hello& acceptor) {
    return self.key->sign(wire::handshake_transcript(wire::Role::dialler, dialler, acceptor));
}

Result<void> check_proof(identity::TrustStore& trust, const wire::Hello& dialler, const wire::Hello& acceptor,
                         const crypto::Signature& signature) {
    if (auto ok = proven(wire::Role::dialler, dialler, dialler, acceptor, signature); !ok) return ok;
    return trust.check(dialler.name, dialler.public_key);
}

Error version_refusal(const NodeName& self, std::uint8_t theirs) {
    const bool older = theirs < wire::kWireVersionMin;
    return {Errc::unimplemented,
            "a node that speaks wire version " + std::to_string(theirs) + " called node '" + self +
                "', which speaks " + std::to_string(wire::kWireVersionMin) + " to " +
                std::to_string(wire::kWireVersion),
            older ? "upgrade the node that called" : "upgrade node '" + self + "'"};
}

} // namespace dwcp::links
