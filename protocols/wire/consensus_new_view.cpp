// New views. A quorum of view changes shows certificates for the same slots with mostly the same votes: of 50
// replicas 34 show 34 votes each for a slot, of which only 50 differ. So each distinct vote is written once.
#include "protocols/wire/consensus.hpp"
#include "protocols/wire/consensus_fields.hpp"

#include <map>
#include <tuple>

namespace dwcp::wire::consensus_fields {
namespace {

using consensus::Certificate;
using consensus::Vote;

/// Everything but the votes and whom they came to.
auto subject_of(const Certificate& certificate) {
    return std::tuple(certificate.kind, certificate.engine, certificate.epoch, certificate.view,
                      certificate.slot, certificate.digest, certificate.leader_signature);
}

/// Certificates, one a subject, with all votes that any certificate of the subject has.
class SharedCertificates {
  public:
    struct Place {
        std::uint32_t shared = 0;
        std::vector<std::uint16_t> votes;
    };

    Place add(const Certificate& certificate) {
        const auto subject = subject_of(certificate);
        auto found = newest_.find(subject);
        // A traitor may sign one vote in many ways; a reader takes no more than kReplicasMax.
        if (found == newest_.end() ||
            all_[found->second].votes.size() + certificate.votes.size() > consensus::kReplicasMax) {
            found = newest_.insert_or_assign(subject, all_.size()).first;
            all_.push_back(certificate);
            all_.back().recipient.reset();
            all_.back().votes.clear();
            indices_.emplace_back();
        }
        Place place{.shared = static_cast<std::uint32_t>(found->second), .votes = {}};
        for (const auto& vote : certificate.votes)
            place.votes.push_back(index_of(vote, found->second));
        return place;
    }
    const std::vector<Certificate>& all() const { return all_; }

  private:
    using VoteKey = std::tuple<consensus::ReplicaId, crypto::Signature, std::optional<crypto::VrfProof>>;

    std::uint16_t index_of(const Vote& vote, std::size_t shared) {
        auto& votes = all_[shared].votes;
        const auto [found, fresh] = indices_[shared].emplace(
            VoteKey(vote.replica, vote.signature, vote.proof), static_cast<std::uint16_t>(votes.size()));
        if (fresh) votes.push_back(vote);
        return found->second;
    }

    std::vector<Certificate> all_;
    std::vector<std::map<VoteKey, std::uint16_t>> indices_; ///< Of all_.
    std::map<decltype(subject_of(Certificate{})), std::size_t> newest_;
};

void write_shared(schema::SharedCertificate::Builder out, const Certificate& certificate,
                  const SharedCertificates::Place& place) {
    out.setShared(place.shared);
    out.setHasRecipient(certificate.recipient.has_value());
    out.setRecipient(certificate.recipient.value_or(0));
    auto votes = out.initVotes(static_cast<unsigned>(place.votes.size()));
    for (unsigned i = 0; i < place.votes.size(); ++i)
        votes.set(i, place.votes[i]);
}

/// Turns shared certificates back into those of the view changes.
class SharedReader {
  public:
    explicit SharedReader(const std::vector<Certificate>& shared) : shared_(shared) {}

    Problem read(schema::SharedCertificate::Reader from, Certificate& out) {
        const auto at = from.getShared();
        if (at >= shared_.size()) return "a view change names a certificate that is not there";
        const auto& whole = shared_[at];
        const auto votes = from.getVotes();
        if (votes.size() > consensus::kReplicasMax) return "a certificate has too many votes";
        votes_ += votes.size();
        if (votes_ > kNewViewVotesMax) return "a new view has too many votes";
        out = {.kind = whole.kind,
               .engine = whole.engine,
               .epoch = whole.epoch,
               .view = whole.view,
               .slot = whole.slot,
               .digest = whole.digest,
               .recipient = {},
               .leader_signature = whole.leader_signature,
               .votes = {}};
        if (from.getHasRecipient()) out.recipient = from.getRecipient();
        out.votes.reserve(votes.size());
        for (const auto index : votes) {
            if (index >= whole.votes.size()) return "a view change names a vote that is not there";
            out.votes.push_back(whole.votes[index]);
        }
        return nullptr;
    }

    Problem read(schema::SignedViewChange::Reader from, consensus::SignedViewChange& out) {
        out.replica = from.getReplica();
        out.change.stable = from.getStable();
        if (const Problem problem = read(from.getStableProof(), out.change.stable_proof)) return problem;
        const auto prepared = from.getPrepared();
        if (prepared.size() > consensus::kWindow) return "a view change has more slots than the window";
        for (unsigned i = 0; i < prepared.size(); ++i) {
            if (const Problem problem = read(prepared[i], out.change.prepared.emplace_back())) return problem;
        }
        return read_exactly(from.getSignature(), out.signature) ? nullptr : "a signature is not 64 bytes";
    }

  private:
    const std::vector<Certificate>& shared_;
    std::size_t votes_ = 0;
};

} // namespace

void write(schema::NewView::Builder out, const consensus::NewView& new_view) {
    SharedCertificates shared;
    auto changes = out.initChanges(static_cast<unsigned>(new_view.changes.size()));
    for (unsigned i = 0; i < new_view.changes.size(); ++i) {
        const auto& [replica, change, signature] = new_view.changes[i];
        auto to = changes[i];
        to.setReplica(replica);
        to.setStable(change.stable);
        write_shared(to.initStableProof(), change.stable_proof, shared.add(change.stable_proof));
        auto prepared = to.initPrepared(static_cast<unsigned>(change.prepared.size()));
        for (unsigned at = 0; at < change.prepared.size(); ++at)
            write_shared(prepared[at], change.prepared[at], shared.add(change.prepared[at]));
        to.setSignature(blob(ByteView(signature)));
    }
    write_list(out.initCertificates(static_cast<unsigned>(shared.all().size())), shared.all());
    write_list(out.initProposals(static_cast<unsigned>(new_view.proposals.size())), new_view.proposals);
}

Problem read(schema::NewView::Reader from, consensus::NewView& out) {
    std::vector<Certificate> shared;
    if (const Problem problem = read_list(from.getCertificates(), kNewViewCertificatesMax,
                                          "a new view has too many certificates", shared))
        return problem;
    const auto changes = from.getChanges();
    if (changes.size() > consensus::kReplicasMax) return "a new view has too many view changes";
    SharedReader reader(shared);
    for (unsigned i = 0; i < changes.size(); ++i) {
        if (const Problem problem = reader.read(changes[i], out.changes.emplace_back())) return problem;
    }
    return read_list(from.getProposals(), consensus::kWindow, "a new view has more slots than the window",
                     out.proposals);
}

} // namespace dwcp::wire::consensus_fields
