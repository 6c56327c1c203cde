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

/// Which rule keeps a node from a request, if any.
enum class Verdict : std::uint8_t { fits, left_out, down, draining, full };

struct Judged {
    const Node* node = nullptr;
    Verdict verdict = Verdict::fits;
    std::uint32_t score = 0; ///< Of those that fit.

    bool fits() const { return verdict == Verdict::fits; }
};

bool contains(const std::vector<std::string>& list, const std::string& text) {
    return std::ranges::find(list, text) != list.end();
}

Judged judge(const Node& node, const Request& request) {
    const std::uint64_t free = free_bytes(node);
    if (contains(request.without, node.name)) return {&node, Verdict::left_out};
    if (!request.sites.empty() && !contains(request.sites, node.site)) return {&node, Verdict::left_out};
    if (!node.up) return {&node, Verdict::down};
    if (node.draining) return {&node, Verdict::draining};
    if (node.capacity_bytes == 0 || free < request.bytes) return {&node, Verdict::full};
    return {&node, Verdict::fits, score(free - request.bytes, node.capacity_bytes)};
}

std::string reason_of(const Judged& judged, const Request& request) {
    const std::uint64_t free = free_bytes(*judged.node);
    switch (judged.verdict) {
    case Verdict::left_out:
        return "is left out by the request";
    case Verdict::down:
        return "is down";
    case Verdict::draining:
        return "is draining";
    case Verdict::full:
        return fmt::format("has {} of {} bytes free", free, judged.node->capacity_bytes);
    case Verdict::fits:
        return fmt::format("would have {} of {} bytes free", free - request.bytes,
                           judged.node->capacity_bytes);
    }
    return {};
}

/// Best first, see explain().
std::vector<Judged> judge_all(std::span<const Node> nodes, const Request& request) {
    std::vector<Judged> all;
    all.reserve(nodes.size());
    for (const Node& node : nodes)
        all.push_back(judge(node, request));
    // Sorted ascending: the score is negated, and the ruled-out nodes' 1 comes after every score.
    std::ranges::sort(all, {}, [&](const Judged& judged) {
        const int rank = judged.fits() ? -static_cast<int>(judged.score) : 1;
        return std::tuple(rank, judged.node->name != request.ingest, std::string_view(judged.node->name));
    });
    return all;
}

std::string name_failed(const std::vector<Judged>& all, const Request& request) {
    std::string text;
    std::size_t failed = 0;
    for (const Judged& judged : all) {
        if (judged.fits() || ++failed > kNodesNamedMax) continue;
        text += fmt::format("{}{} at {} {}", failed == 1 ? ": " : ", ", judged.node->name, judged.node->site,
                            reason_of(judged, request));
    }
    if (failed > kNodesNamedMax) text += fmt::format(" and {} more", failed - kNodesNamedMax);
    return text;
}

std::string or_fewer(std::size_t replicas) {
    if (replicas == 0) return {}; // none would store nothing
    return fmt::format(", or ask for at most {} replica{}", replicas, replicas == 1 ? "" : "s");
}

std::unexpected<Error> explain_failure(std::span<const Node> nodes, const Request& request,
                                       const std::vector<Judged>& all, std::size_t usable) {
    std::set<std::string> known;
    std::set<std::string> alive;
    for (const Node& node : nodes)
        known.insert(node.site);
    for (const Judged& judged : all)
        if (judged.fits() || judged.verdict == Verdict::full) alive.insert(judged.node->site);
    const auto needs = fmt::format("needs {} distinct sites, ", request.replicas);
    const auto failed = name_failed(all, request);
    if (known.size() < request.replicas)
        return fail(Errc::precondition_failed,
                    fmt::format("{}the cluster has {}{}", needs, known.size(), failed),
                    "add a site" + or_fewer(known.size()));
    if (alive.size() < request.replicas)
        return fail(Errc::unavailable, fmt::format("{}only {} are up{}", needs, alive.size(), failed),
                    "bring a node back" + or_fewer(usable));
    return fail(Errc::resource_exhausted,
                fmt::format("{}only {} have space for {} bytes{}", needs, usable, request.bytes, failed),
                "free or add capacity" + or_fewer(usable));
}

} // namespace

std::vector<NodeVerdict> explain(std::span<const Node> nodes, const Request& request) {
    std::vector<NodeVerdict> verdicts;
    for (const Judged& judged : judge_all(nodes, request))
        verdicts.push_back({judged.node->name, judged.node->site,
                            judged.fits() ? std::optional(judged.score) : std::nullopt,
                            reason_of(judged, request)});
    return verdicts;
}

Result<Placement> place(std::span<const Node> nodes, const Request& request) {
    if (request.replicas == 0)
        return fail(Errc::invalid_argument, "a placement of 0 replicas stores nothing",
                    "ask for at least 1 replica");
    const std::vector<Judged> all = judge_all(nodes, request);
    Placement placement;
    std::set<std::string> sites;
    for (const Judged& judged : all) {
        if (!judged.fits() || placement.nodes.size() == request.replicas) break;
        if (sites.insert(judged.node->site).second) placement.nodes.push_back(judged.node->name);
    }
    if (placement.nodes.size() < request.replicas) return explain_failure(nodes, request, all, sites.size());
    return placement;
}

} // namespace dwcp::allocator
