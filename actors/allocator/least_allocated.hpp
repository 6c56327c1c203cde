// The allocator's plain form: where do an object's replicas go? Hard constraints first, then Kubernetes'
// LeastAllocated score. The learned allocator's baseline and fall-back; its own proposals pass the same hard
// constraints.
//
// Pure: the same nodes and request give the same placement, in whatever order the nodes are listed. Called by
// the allocator actor for each request. What people read of a verdict is written only when they ask.
#pragma once

#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace dwcp::allocator {

/// A node as the allocator sees it. Names are unique.
struct Node {
    NodeName name;
    std::string site;
    std::uint64_t capacity_bytes = 0;
    std::uint64_t used_bytes = 0; ///< May exceed the capacity, which then counts as full.
    bool up = false;
    bool draining = false; ///< Gives up what it has; takes nothing new.
};

struct Request {
    std::uint64_t bytes = 0; ///< What each replica takes.
    std::uint32_t replicas = 0;
    NodeName ingest; ///< Has the bytes already, so it is preferred among equals; may be empty.
    std::vector<std::string> sites{}; ///< Only there; empty: anywhere.
    std::vector<NodeName> without{};  ///< Not these nodes, however well they look.
};

/// What the rules think of one node for one request.
struct NodeVerdict {
    NodeName name;
    std::string site;
    /// LeastAllocated: floor(100 * free / capacity) after the placement, 0..100; none: a hard constraint
    /// rules the node out.
    std::optional<std::uint32_t> score;
    /// The constraint that failed ("is down", "is draining", "has 5 of 9 bytes free", "is left out by the
    /// request"), or where the score comes from.
    std::string reason;
};

struct Placement {
    std::vector<NodeName> nodes; ///< One a site, best first; as many as replicas were asked for.
};

/// One verdict a node, best first: higher score, then the ingest node, then by name; ruled-out nodes last, by
/// name.
std::vector<NodeVerdict> explain(std::span<const Node> nodes, const Request& request);

/// Puts each replica at another site, on that site's best node, and takes the best sites. The message of an
/// error names the nodes that failed a constraint, and which one. Errc::invalid_argument: no replica was
/// asked for. Errc::precondition_failed: there are fewer sites than replicas. Errc::resource_exhausted: there
/// are enough sites, but too few with space. Errc::unavailable: too many nodes are away.
Result<Placement> place(std::span<const Node> nodes, const Request& request);

} // namespace dwcp::allocator
