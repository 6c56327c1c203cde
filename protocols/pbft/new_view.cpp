#include "protocols/pbft/new_view.hpp"

#include <algorithm>
#include <map>
#include <optional>

namespace dwcp::pbft {

using namespace consensus;

namespace {

std::unexpected<Error> wrong(std::string what) {
    return fail(Errc::invalid_argument, "view change: " + std::move(what),
                "the replica that signed it is faulty");
}

bool is_of(const Committee& committee, const Certificate& certificate, Kind kind) {
    return certificate.kind == kind && certificate.engine == committee.engine &&
           (certificate.epoch == committee.epoch || has_bug(SeededBug::cross_epoch_quorum));
}

/// Distinct members by ascending id, `without` left out.
std::size_t distinct_votes(const Committee& committee, const Certificate& certificate,
                           std::optional<ReplicaId> without = std::nullopt) {
    std::size_t count = 0;
    std::optional<ReplicaId> last;
    for (const auto& vote : certificate.votes) {
        if (!committee.contains(vote.replica) || (last && vote.replica <= *last)) return 0;
        last = vote.replica;
        if (vote.replica != without) ++count;
    }
    return count;
}

Result<void> check_stable(const Committee& committee, const ViewChange& change) {
    const Certificate& proof = change.stable_proof;
    if (proof.empty()) {
        if (change.stable + 1 != committee.first) return wrong("a checkpoint without a proof");
        return {};
    }
    if (!is_of(committee, proof, Kind::checkpoint) || proof.slot != change.stable || proof.view != 0 ||
        change.stable < committee.first)
        return wrong("the proof is of another checkpoint");
    if (distinct_votes(committee, proof) < committee.quorum())
        return wrong("too few voted for the checkpoint");
    return {};
}

/// A prepared certificate: the leader's proposal and quorum - 1 prepares of others.
Result<void> check_prepared(const Committee& committee, View view, const Certificate& certificate) {
    const std::string which = "the certificate of slot " + std::to_string(certificate.slot);
    if (!is_of(committee, certificate, Kind::prepare)) return wrong(which + " is of another kind or epoch");
    if (certificate.view >= view) return wrong(which + " is of a view that is yet to come");
    if (!certificate.leader_signature) return wrong(which + " lacks its leader's word");
    const ReplicaId leader = committee.leader(certificate.view);
    if (distinct_votes(committee, certificate, leader) + 1 < committee.quorum())
        return wrong(which + " has too few votes");
    return {};
}

} // namespace

Result<void> check_change(const Committee& committee, View view, const ViewChange& change) {
    if (auto held = check_stable(committee, change); !held) return held;
    Height last = change.stable;
    for (const auto& certificate : change.prepared) {
        if (certificate.slot <= last || certificate.slot > change.stable + kWindow)
            return wrong("slots out of order or out of the window");
        last = certificate.slot;
        if (auto held = check_prepared(committee, view, certificate); !held) return held;
    }
    return {};
}

Plan plan(const Committee& committee, const std::vector<SignedViewChange>& changes) {
    Plan plan;
    plan.stable = committee.first - 1;
    for (const auto& change : changes)
        plan.stable = std::max(plan.stable, change.change.stable);

    std::map<Height, const Certificate*> highest;
    for (const auto& change : changes) {
        for (const auto& certificate : change.change.prepared) {
            if (certificate.slot <= plan.stable) continue;
            const Certificate*& best = highest[certificate.slot];
            // Two values cannot be prepared in one view; were they, everybody must still choose alike.
            const auto rank = [](const Certificate& c) { return std::pair(c.view, c.digest); };
            if (!best || rank(certificate) > rank(*best)) best = &certificate;
        }
    }
    if (highest.empty()) return plan;
    for (Height slot = plan.stable + 1; slot <= highest.rbegin()->first; ++slot) {
        const auto found = highest.find(slot);
        plan.values.emplace_back(slot, found != highest.end() ? found->second->digest
                                                              : Block::empty(committee.epoch, slot).digest());
    }
    return plan;
}

Result<void> check_new_view(const Committee& committee, View view, const NewView& new_view) {
    if (view == 0) return wrong("view 0 needs no new view");
    if (new_view.changes.size() < committee.quorum()) return wrong("too few left the view before");
    std::optional<ReplicaId> last;
    for (const auto& change : new_view.changes) {
        if (!committee.contains(change.replica) || (last && change.replica <= *last))
            return wrong("its replicas are not distinct members in order");
        last = change.replica;
        if (auto held = check_change(committee, view, change.change); !held) return held;
    }
    const Plan demanded = plan(committee, new_view.changes);
    const auto same = [](const std::pair<Height, Hash256>& value, const Reproposal& proposal) {
        return value.first == proposal.slot && value.second == proposal.digest;
    };
    if (!std::equal(demanded.values.begin(), demanded.values.end(), new_view.proposals.begin(),
                    new_view.proposals.end(), same))
        return wrong("it proposes something else than its view changes demand");
    return {};
}

} // namespace dwcp::pbft
