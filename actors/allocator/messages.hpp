// What the allocator is asked. It lives at "allocator/0".
#pragma once

#include "actors/allocator/least_allocated.hpp"
#include "protocols/base/clock.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dwcp::allocator {

struct ReplicasPlaced {
    std::vector<NodeName> nodes;
};

/// Errors: as place(), with every violated constraint named.
struct PlaceReplicas {
    using Reply = ReplicasPlaced;
    WorkloadId workload;
    std::uint64_t bytes = 0; ///< 0: unknown.
    std::uint32_t replicas = 1;
    std::vector<NodeName> without; ///< Nodes that did not do, however they look from here.
};

/// A placement that somebody only wants to see.
struct PlannedPlacement {
    Result<Placement> placement;
    std::vector<NodeVerdict> verdicts; ///< Of every node, best first.
};
struct PlacementsPlanned {
    std::vector<PlannedPlacement> list; ///< As the requests.
};
/// Where replicas would go now. Later requests see the room that earlier ones take; nothing is kept.
struct PlanPlacements {
    using Reply = PlacementsPlanned;
    std::vector<Request> requests; ///< With `ingest` empty: this node.
};

/// Decisions that the allocator remembers, for people; about 200 bytes each.
inline constexpr std::size_t kDecisionsKept = 256;
struct Decision {
    UnixMillis time_ms = 0;
    WorkloadId workload;
    std::uint64_t bytes = 0;
    std::uint32_t replicas = 0;
    std::vector<NodeName> nodes; ///< Empty: refused.
    std::string problem;         ///< Why it was refused.
};
struct RecentDecisions {
    std::vector<Decision> list;
};
/// Latest first, of this life of the allocator.
struct QueryDecisions {
    using Reply = RecentDecisions;
    std::size_t limit = kDecisionsKept;
};

} // namespace dwcp::allocator
