#include "actors/allocator/allocator_actor.hpp"

#include "actors/allocator/least_allocated.hpp"
#include "actors/allocator/messages.hpp"
#include "runtime/metrics/metrics.hpp"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>

namespace dwcp::allocator {
namespace {

constexpr Duration kAskEvery = std::chrono::seconds(1);
constexpr Duration kAskDeadline = std::chrono::seconds(2);

class AllocatorActor final : public actor::Actor {
  public:
    AllocatorActor(caf::actor_config& config, actor::ActorContext context, AllocatorOptions options,
                   links::ControlLinks* links)
        : Actor(config, std::move(context)), options_(std::move(options)), links_(*links) {}

  protected:
    caf::behavior handlers() override {
        ask_everybody();
        return {on<PlaceReplicas>([this](const PlaceReplicas& request) { return place_replicas(request); }),
                on<PlanPlacements>([this](const PlanPlacements& request) { return plan(request); }),
                on<QueryDecisions>([this](const QueryDecisions& request) { return recent(request); })};
    }

  private:
    /// Space as last heard, plus what this node has placed there since.
    struct Known {
        wire::NodeSpace space;
        std::uint64_t placed_bytes = 0;
        bool heard = false;
    };

    void ask_everybody() {
        for (const auto& peer : links_.peers()) {
            if (!peer.up) continue;
            links_.request(peer.name, kSpaceService, {}, kAskDeadline, {},
                           [this, post = poster(), name = peer.name](Result<Bytes> answer) {
                               post([this, name, answer = std::move(answer)] { heard(name, answer); });
                           });
        }
        after(kAskEvery, [this] { ask_everybody(); });
    }

    void heard(const NodeName& name, const Result<Bytes>& answer) {
        if (!answer) return; // the link's own state says whether the peer is up
        if (const auto space = wire::decode_node_space(*answer)) known_[name] = Known{*space, 0, true};
    }

    std::vector<Node> nodes() {
        const auto own = options_.own_space();
        std::vector<Node> nodes{
            {options_.self, options_.site, own.capacity_bytes, own.used_bytes, true, own.draining}};
        for (const auto& peer : links_.peers()) {
            const auto& known = known_[peer.name];
            // A peer that is up but was never heard has unknown room: it takes part once it has told.
            nodes.push_back({peer.name, peer.site, known.space.capacity_bytes,
                             known.space.used_bytes + known.placed_bytes, peer.up && known.heard,
                             known.space.draining});
        }
        return nodes;
    }

    Result<ReplicasPlaced> place_replicas(const PlaceReplicas& request) {
        auto placement =
            place(nodes(), {request.bytes, request.replicas, options_.self, {}, request.without});
        metrics::counter("dwcp_allocator_placements_total", "Placement requests, by outcome.",
                         {{"outcome", placement ? "placed" : "refused"}})
            .add();
        remember({unix_now_ms(), request.workload, request.bytes, request.replicas,
                  placement ? placement->nodes : std::vector<NodeName>{},
                  placement ? std::string() : placement.error().message});
        if (!placement) return std::unexpected(placement.error());
        for (const auto& name : placement->nodes) {
            if (name != options_.self) known_[name].placed_bytes += request.bytes;
        }
        return ReplicasPlaced{std::move(placement->nodes)};
    }

    Result<PlacementsPlanned> plan(const PlanPlacements& plan) {
        PlacementsPlanned planned;
        auto candidates = nodes();
        for (Request request : plan.requests) {
            if (request.ingest.empty()) request.ingest = options_.self;
            planned.list.push_back({place(candidates, request), explain(candidates, request)});
            const auto& placement = planned.list.back().placement;
            for (auto& node : candidates)
                if (placement && std::ranges::find(placement->nodes, node.name) != placement->nodes.end())
                    node.used_bytes += std::min(request.bytes, UINT64_MAX - node.used_bytes);
        }
        return planned;
    }

    void remember(Decision decision) {
        if (decisions_.size() == kDecisionsKept) decisions_.pop_back();
        decisions_.push_front(std::move(decision));
    }

    Result<RecentDecisions> recent(const QueryDecisions& request) const {
        const auto count = static_cast<std::ptrdiff_t>(std::min(request.limit, decisions_.size()));
        return RecentDecisions{{decisions_.begin(), decisions_.begin() + count}};
    }

    const AllocatorOptions options_;
    links::ControlLinks& links_;
    std::map<NodeName, Known> known_;
    std::deque<Decision> decisions_; ///< Latest first.
};

} // namespace

caf::actor spawn_allocator(caf::actor_system& system, actor::ActorContext context, AllocatorOptions options,
                           links::ControlLinks& links) {
    return system.spawn<AllocatorActor>(std::move(context), std::move(options), &links);
}

} // namespace dwcp::allocator
