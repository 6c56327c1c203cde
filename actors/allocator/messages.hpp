// What the allocator is asked. It lives at "allocator/0".
#pragma once

#include "protocols/base/ids.hpp"

#include <string>
#include <vector>

namespace dwcp::allocator {

struct ReplicasPlaced {
    std::vector<NodeName> nodes;
    std::string explanation; ///< Each candidate with its score or the constraint that ruled it out.
};

/// Errors: precondition_failed with every violated constraint named.
struct PlaceReplicas {
    using Reply = ReplicasPlaced;
    WorkloadId workload;
    std::uint64_t bytes = 0; ///< 0: unknown.
    std::uint32_t replicas = 1;
    std::vector<NodeName> without; ///< Nodes that did not do, however they look from here.
};

} // namespace dwcp::allocator
