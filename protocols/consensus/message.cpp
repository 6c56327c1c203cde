#include "protocols/consensus/message.hpp"

#include "protocols/consensus/layout.hpp"

namespace dwcp::consensus {
namespace {

void put(Layout& layout, const Certificate& certificate) {
    layout.number(static_cast<std::uint8_t>(certificate.kind));
    layout.number(static_cast<std::uint8_t>(certificate.engine));
    layout.number(certificate.epoch).number(certificate.view).number(certificate.slot);
    layout.hash(certificate.digest);
    layout.number(std::uint8_t{certificate.recipient.has_value()});
    if (certificate.recipient) layout.number(*certificate.recipient);
    layout.number(std::uint8_t{certificate.leader_signature.has_value()});
    if (certificate.leader_signature) layout.raw(*certificate.leader_signature);
    layout.number(std::uint64_t{certificate.votes.size()});
    for (const auto& vote : certificate.votes) {
        layout.number(vote.replica).raw(vote.signature);
        layout.number(std::uint8_t{vote.proof.has_value()});
        if (vote.proof) layout.raw(*vote.proof);
    }
}

} // namespace

Bytes signing_bytes(const Domain& domain, const Statement& statement) {
    Layout layout("dwcp.consensus.statement.1");
    layout.text(domain.cluster).text(domain.lane).hash(domain.genesis);
    layout.number(static_cast<std::uint8_t>(statement.kind));
    layout.number(static_cast<std::uint8_t>(statement.engine));
    layout.number(has_bug(SeededBug::cross_epoch_quorum) ? Epoch{0} : statement.epoch);
    layout.number(has_bug(SeededBug::replay_accepted) ? View{0} : statement.view);
    layout.number(statement.slot).number(statement.signer);
    layout.hash(statement.digest).hash(statement.annex);
    return std::move(layout).take();
}

Hash256 proof_digest(const crypto::VrfProof& proof) { return crypto::sha256(proof); }

Statement statement_of(const Certificate& certificate, const Vote& vote) {
    Statement statement{.kind = certificate.kind,
                        .engine = certificate.engine,
                        .epoch = certificate.epoch,
                        .view = certificate.view,
                        .slot = certificate.slot,
                        .signer = vote.replica,
                        .digest = certificate.digest,
                        .annex = {}};
    if (vote.proof) statement.annex = proof_digest(*vote.proof);
    return statement;
}

Statement proposal_of(const Statement& vote, ReplicaId leader) {
    Statement statement = vote;
    statement.kind = Kind::propose;
    statement.signer = leader;
    statement.annex = {};
    return statement;
}

Statement submission_of(const Transaction& transaction) {
    Statement statement;
    statement.kind = Kind::command;
    statement.digest = transaction.digest();
    return statement;
}

Hash256 digest_of(const ViewChange& change) {
    Layout layout("dwcp.consensus.view_change.1");
    layout.number(change.stable);
    put(layout, change.stable_proof);
    layout.number(std::uint64_t{change.prepared.size()});
    for (const auto& certificate : change.prepared)
        put(layout, certificate);
    return layout.digest();
}

Hash256 digest_of(const NewView& new_view) {
    Layout layout("dwcp.consensus.new_view.1");
    layout.number(std::uint64_t{new_view.changes.size()});
    for (const auto& change : new_view.changes)
        layout.number(change.replica).hash(digest_of(change.change)).raw(change.signature);
    layout.number(std::uint64_t{new_view.proposals.size()});
    for (const auto& proposal : new_view.proposals)
        layout.number(proposal.slot).hash(proposal.digest).raw(proposal.signature);
    return layout.digest();
}

Hash256 checkpoint_digest(Height height, const Hash256& chain, const Hash256& state_root,
                          const Hash256& committee) {
    Layout layout("dwcp.consensus.checkpoint.1");
    layout.number(height).hash(chain).hash(state_root).hash(committee);
    return layout.digest();
}

} // namespace dwcp::consensus
