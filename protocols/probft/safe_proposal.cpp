#include "protocols/probft/safe_proposal.hpp"

#include <algorithm>

namespace dwcp::probft {

using namespace consensus;

namespace {

/// What is reported of one slot.
struct Reported {
    View view = 0;
    std::map<Hash256, std::size_t> count; ///< Of that view's values.
};

Hash256 mode(const Reported& reported) {
    auto best = reported.count.begin();
    for (auto it = best; it != reported.count.end(); ++it)
        if (it->second > best->second) best = it;
    return best->first;
}

bool sound(const Committee& committee, std::size_t quorum, View view, ReplicaId reporter, Height stable,
           const Certificate& prepared) {
    return prepared.kind == Kind::prepare && prepared.engine == EngineKind::probft &&
           prepared.epoch == committee.epoch && prepared.view < view && prepared.slot > stable &&
           prepared.slot <= stable + kWindow && prepared.recipient == reporter && prepared.leader_signature &&
           prepared.votes.size() >= quorum;
}

} // namespace

SafeProposals safe_proposals(const Committee& committee, std::span<const SignedViewChange> changes) {
    SafeProposals safe;
    for (const auto& change : changes)
        safe.base = std::max(safe.base, change.change.stable);
    std::map<Height, Reported> slots;
    for (const auto& change : changes)
        for (const auto& certificate : change.change.prepared) {
            if (certificate.slot <= safe.base) continue;
            auto& slot = slots[certificate.slot];
            if (!slot.count.empty() && certificate.view < slot.view) continue;
            if (certificate.view > slot.view) slot.count.clear();
            slot.view = certificate.view;
            ++slot.count[certificate.digest];
        }
    if (slots.empty()) return safe;
    for (Height slot = safe.base + 1; slot <= slots.rbegin()->first; ++slot) {
        const auto reported = slots.find(slot);
        safe.digests[slot] =
            reported != slots.end() ? mode(reported->second) : Block::empty(committee.epoch, slot).digest();
    }
    return safe;
}

bool sound(const Committee& committee, std::size_t quorum, View view, const SignedViewChange& change) {
    const auto& [stable, proof, prepared] = change.change;
    if (stable + 1 < committee.first) return false;
    if (stable + 1 == committee.first) {
        if (!proof.empty()) return false;
    } else if (proof.kind != Kind::checkpoint || proof.slot != stable || proof.epoch != committee.epoch ||
               proof.votes.size() < committee.quorum()) {
        return false;
    }
    Height previous = stable;
    for (const auto& certificate : prepared) {
        if (certificate.slot <= previous) return false;
        if (!sound(committee, quorum, view, change.replica, stable, certificate)) return false;
        previous = certificate.slot;
    }
    return true;
}

bool sound(const Committee& committee, std::size_t quorum, View view, const NewView& new_view) {
    if (new_view.changes.size() < committee.deterministic_quorum()) return false;
    std::optional<ReplicaId> previous;
    for (const auto& change : new_view.changes) {
        if (!committee.contains(change.replica) || (previous && change.replica <= *previous)) return false;
        if (!sound(committee, quorum, view, change)) return false;
        previous = change.replica;
    }
    const auto safe = safe_proposals(committee, new_view.changes);
    return std::equal(safe.digests.begin(), safe.digests.end(), new_view.proposals.begin(),
                      new_view.proposals.end(), [](const auto& must, const Reproposal& is) {
                          return must.first == is.slot && must.second == is.digest;
                      });
}

} // namespace dwcp::probft
