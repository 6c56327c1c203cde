// What a new leader must propose again, and how everybody checks that it did (safeProposal, arXiv 2405.04606
// section 3: the value of the highest view in which one was prepared and, among several of that view, the one
// that most replicas report). Pure functions, the same on every member.
#pragma once

#include "protocols/consensus/message.hpp"
#include "protocols/consensus/verifier.hpp"

#include <map>
#include <span>

namespace dwcp::probft {

struct SafeProposals {
    consensus::Height base = 0;                   ///< Highest stable checkpoint that was reported.
    std::map<consensus::Height, Hash256> digests; ///< base + 1, ... without gaps.

    consensus::Height upto() const { return digests.empty() ? base : digests.rbegin()->first; }
};

/// `changes` passed sound(). Ties go to the smaller digest, gaps to the empty block.
SafeProposals safe_proposals(const consensus::Committee& committee,
                             std::span<const consensus::SignedViewChange> changes);

/// What a Verifier leaves open: the stable checkpoint has its quorum; certificates are of earlier views, in
/// the window, ascending, large enough, and came together in the hands of the one who reports them. A
/// certificate of somebody else is no report: the mode would count it for everybody who repeats it.
bool sound(const consensus::Committee& committee, std::size_t quorum, consensus::View view,
           const consensus::SignedViewChange& change);

/// Whether `new_view` for `view` is what its own changes demand. `changes` are not signed by the leader
/// one by one: the deterministic quorum of distinct, sound ones must be there.
bool sound(const consensus::Committee& committee, std::size_t quorum, consensus::View view,
           const consensus::NewView& new_view);

} // namespace dwcp::probft
