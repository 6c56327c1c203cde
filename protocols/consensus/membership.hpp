// What an operator asks of a committee (add, remove, replace replicas), as the membership change that does it
// and in the words that an operator decides by. Pure; whoever submits the change has it decided like any
// other command (reconfigure command, block.hpp).
#pragma once

#include "protocols/consensus/block.hpp"

#include <string>
#include <vector>

namespace dwcp::consensus {

struct MembershipEdit {
    std::vector<Member> add;         ///< Go behind those that stay, in this order.
    std::vector<ReplicaName> remove; ///< With as many in `add`, each takes the place of the one it replaces.
};

/// The change that follows `now` with the edit made. Errc::invalid_argument: a name that is malformed or
/// twice, a key that is none; not_found: to be removed and no member; already_exists: to be added and a
/// member; precondition_failed: nobody would be left.
Result<Reconfigure> edited(const Committee& now, const MembershipEdit& edit);
/// The same with members kept and another engine.
Reconfigure with_engine(const Committee& now, EngineKind engine);
/// The committee that follows, as the change says it; its first height is not known before it is decided.
Committee committee_of(const Reconfigure& change);

/// "n = 3, survives f = 0 Byzantine, quorum 3 -> n = 4, survives f = 1 Byzantine, quorum 3", with a warning
/// where f is 0 or falls.
std::string describe_change(const Committee& now, const Reconfigure& change);

} // namespace dwcp::consensus
