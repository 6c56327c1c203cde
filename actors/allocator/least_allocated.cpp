#include "actors/allocator/least_allocated.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

namespace dwcp::allocator {

namespace {

/// Kubernetes' MaxNodeScore. Whole points on purpose: nodes that differ by less than 1 % are equals, and then
/// the node that has the bytes already wins.
constexpr std::uint64_t kScoreMax = 100;

/// An error names at most this many nodes, so that a large cluster's message stays readable.
constexpr std::size_t kNodesNamedMax = 8;

std::uint64_t free_bytes(const Node& node) {
    return node.capacity_bytes > node.used_bytes ? node.capacity_bytes - node.used_bytes : 0;
}

std::uint32_t score(std::uint64_t free, std::uint64_t capacity) {
    while (free > std::numeric_limits<std::uint64_t>::max() / kScoreMax) {
        free >>= 1U;
        capacity >>= 1U;
    }
    return capacity == 0 ? 0 : static_cast<std::uint32_t>(free * kScoreMax / capacity);
}

NodeVerdict judge(const Node& node, const Request& request) {
    const std::uint64_t free = free_bytes(node);
    NodeVerdict verdict{node.name, node.site, std::nullopt, {}};
    if (!node.up) {
        verdict.reason = "is down";
    } else if (node.draining) {
        verdict.reason = "is draining";
    } else if (node.capacity_bytes == 0 || free < request.bytes) {
        verdict.reason = fmt::format("has {} of {} bytes free", free, node.capacity_bytes);
    } else {
        verdict.score = score(free - request.bytes, node.capacity_bytes);
        verdict.reason =
            fmt::format("would have {} of {} bytes free", free - request.bytes, node.capacity_bytes);
    }
    return verdict;
}

std::string name_failed(const std::vector<NodeVerdict>& verdicts) {
    std::string text;
    std::size_t failed = 0;
    for (const NodeVerdict& verdict : verdicts) {
        if (verdict.score || ++failed > kNodesNamedMax) continue;
        text += fmt::format("{}{} at {} {}", failed == 1 ? ": " : ", ", verdict.name, verdict.site,
                            verdict.reason);
    }
    if (failed > kNodesNamedMax) text += fmt::format(" and {} more", failed - kNodesNamedMax);
    return text;
}

std::unexpected<Error> explain_failure(std::span<const Node> nodes, const Request& request,
                                       const std::vector<NodeVerdict>& verdicts, std::size_t usable) {
    std::set<std::string> known;
    std::set<std::string> alive;
    for (const Node& node : nodes) {
        known.insert(node.site);
        if (node.up && !node.draining) alive.insert(node.site);
    }
    const auto needs = fmt::format("needs {} distinct sites, ", request.replicas);
    const auto failed = name_failed(verdicts);
    if (known.size() < request.replicas)
        return fail(Errc::precondition_failed,
                    fmt::format("{}the cluster has {}{}", needs, known.size(), failed),
                    fmt::format("ask for at most {} replicas, or add a site", known.size()));
    if (alive.size() < request.replicas)
        return fail(Errc::unavailable, fmt::format("{}only {} are up{}", needs, alive.size(), failed),
                    fmt::format("bring a node back, or ask for at most {} replicas", usable));
    return fail(Errc::resource_exhausted,
                fmt::format("{}only {} have space for {} bytes{}", needs, usable, request.bytes, failed),
                fmt::format("free or add capacity, or ask for at most {} replicas", usable));
}

} // namespace

std::vector<NodeVerdict> explain(std::span<const Node> nodes, const Request& request) {
    std::vector<NodeVerdict> verdicts;
    verdicts.reserve(nodes.size());
    for (const Node& node : nodes)
        verdicts.push_back(judge(node, request));
    // Sorted ascending: the score is negated, and the ruled-out nodes' 1 comes after every score.
    std::ranges::sort(verdicts, {}, [&](const NodeVerdict& verdict) {
        const int rank = verdict.score ? -static_cast<int>(*verdict.score) : 1;
        return std::tuple(rank, verdict.name != request.ingest, std::string_view(verdict.name));
    });
    return verdicts;
}

Result<Placement> place(std::span<const Node> nodes, const Request& request) {
    if (request.replicas == 0)
        return fail(Errc::invalid_argument, "a placement of 0 replicas stores nothing",
                    "ask for at least 1 replica");
    const std::vector<NodeVerdict> verdicts = explain(nodes, request);
    Placement placement;
    std::set<std::string> sites;
    for (const NodeVerdict& verdict : verdicts) {
        if (!verdict.score || placement.nodes.size() == request.replicas) break;
        if (sites.insert(verdict.site).second) placement.nodes.push_back(verdict.name);
    }
    if (placement.nodes.size() < request.replicas)
        return explain_failure(nodes, request, verdicts, sites.size());
    return placement;
}

} // namespace dwcp::allocator
