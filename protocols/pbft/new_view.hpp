// The rules of a view change (OSDI section 4.4), as pure functions that every replica computes alike.
//
// Signatures were checked by the Verifier. What is checked here: counts, distinctness, views, slots, and that
// a new view proposes exactly what its view changes demand.
#pragma once

#include "protocols/consensus/committee.hpp"
#include "protocols/consensus/message.hpp"

#include <utility>
#include <vector>

namespace dwcp::pbft {

/// Whether `change` is one that an honest replica could send to enter `view`. Errc::invalid_argument.
Result<void> check_change(const consensus::Committee& committee, consensus::View view,
                          const consensus::ViewChange& change);

/// What a new view must propose again.
struct Plan {
    consensus::Height stable = 0; ///< Highest stable checkpoint among the changes.
    /// stable + 1, stable + 2, ... up to the highest prepared slot: the digest that the certificate of the
    /// highest view names, else the empty block's.
    std::vector<std::pair<consensus::Height, Hash256>> values;

    consensus::Height last() const { return values.empty() ? stable : values.back().first; }
};
Plan plan(const consensus::Committee& committee, const std::vector<consensus::SignedViewChange>& changes);

/// Whether `new_view` is right for `view`. Errc::invalid_argument.
Result<void> check_new_view(const consensus::Committee& committee, consensus::View view,
                            const consensus::NewView& new_view);

} // namespace dwcp::pbft
