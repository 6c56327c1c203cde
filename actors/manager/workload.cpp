#include "actors/manager/workload.hpp"

#include <algorithm>

namespace dwcp::manager {

Workload::Workload(NodeName self, std::vector<NodeName> placement, WorkloadTiming timing, std::uint64_t seed)
    : self_(std::move(self)), placement_(std::move(placement)), timing_(timing), random_(seed) {
    for (const auto& peer : placement_) {
        if (peer != self_) replicas_[peer];
    }
}

Duration Workload::backoff(std::uint32_t failures) {
    const auto doubled = timing_.retry_min * (1U << std::min(failures, 10U));
    const auto base = std::min<Duration>(doubled, timing_.retry_max);
    // Half fixed, half random: workloads that failed together do not come back together.
    return base / 2 +
           Duration(static_cast<Duration::rep>(random_.unit() * static_cast<double>(base.count() / 2)));
}

void Workload::try_replica(const NodeName& peer, Actions& actions) {
    replicas_[peer].state = Replica::State::busy;
    actions.emplace_back(ConfirmReplica{peer});
}

void Workload::advance(Actions& actions) {
    if (phase_ != Phase::replicating || rerouting_) return;
    const auto complete = [](const auto& item) { return item.second.state == Replica::State::complete; };
    if (!std::ranges::all_of(replicas_, complete)) return;
    phase_ = Phase::committing;
    actions.emplace_back(CommitManifest{});
}

Actions Workload::start(TimePoint) {
    Actions actions;
    for (auto& [peer, replica] : replicas_)
        try_replica(peer, actions);
    advance(actions);
    return actions;
}

Actions Workload::confirmed(const NodeName& peer, const std::vector<Hash256>& missing, TimePoint) {
    Actions actions;
    const auto found = replicas_.find(peer);
    if (found == replicas_.end() || found->second.state != Replica::State::busy) return actions;
    found->second.failing_since = {};
    if (missing.empty()) {
        found->second.state = Replica::State::complete;
        advance(actions);
    } else {
        actions.emplace_back(ShipBlocks{peer, missing});
    }
    return actions;
}

Actions Workload::shipped(const NodeName& peer, TimePoint) {
    Actions actions;
    const auto found = replicas_.find(peer);
    if (found == replicas_.end() || found->second.state != Replica::State::busy) return actions;
    found->second.failures = 0;
    found->second.failing_since = {};
    actions.emplace_back(ConfirmReplica{peer});
    return actions;
}

Actions Workload::peer_failed(const NodeName& peer, TimePoint now) {
    Actions actions;
    const auto found = replicas_.find(peer);
    if (found == replicas_.end() || found->second.state != Replica::State::busy) return actions;
    auto& replica = found->second;
    replica.state = Replica::State::waiting;
    if (replica.failing_since == TimePoint{}) replica.failing_since = now;
    replica.retry_at = now + backoff(replica.failures++);
    actions.emplace_back(WakeAt{replica.retry_at});
    return actions;
}

Actions Workload::peer_up(const NodeName& peer, TimePoint now) {
    Actions actions;
    if (phase_ == Phase::committing && commit_waiting_) {
        commit_at_ = now;
        return tick(now);
    }
    const auto found = replicas_.find(peer);
    if (found == replicas_.end() || found->second.state != Replica::State::waiting) return actions;
    try_replica(peer, actions);
    return actions;
}

Actions Workload::rerouted(const std::vector<NodeName>& placement, TimePoint) {
    Actions actions;
    rerouting_ = false;
    if (phase_ != Phase::replicating) return actions;
    std::map<NodeName, Replica> kept;
    placement_ = placement;
    for (const auto& peer : placement_) {
        if (peer == self_) continue;
        const auto found = replicas_.find(peer);
        kept[peer] = found == replicas_.end() ? Replica{} : found->second;
    }
    replicas_ = std::move(kept);
    actions.emplace_back(JournalPlacement{});
    for (auto& [peer, replica] : replicas_) {
        if (replica.state == Replica::State::waiting) try_replica(peer, actions);
    }
    advance(actions);
    return actions;
}

Actions Workload::reroute_failed(TimePoint now) {
    rerouting_ = false;
    reroute_not_before_ = now + timing_.reroute_after;
    Actions actions;
    advance(actions);
    return actions;
}

Actions Workload::committed() {
    phase_ = Phase::done;
    return {};
}

Actions Workload::commit_failed(TimePoint now) {
    if (phase_ != Phase::committing) return {};
    commit_waiting_ = true;
    commit_at_ = now + backoff(commit_failures_++);
    return {WakeAt{commit_at_}};
}

Actions Workload::tick(TimePoint now) {
    Actions actions;
    if (phase_ == Phase::committing && commit_waiting_ && now >= commit_at_) {
        commit_waiting_ = false;
        actions.emplace_back(CommitManifest{});
    }
    if (phase_ != Phase::replicating) return actions;
    for (auto& [peer, replica] : replicas_) {
        if (replica.state != Replica::State::waiting || now < replica.retry_at) continue;
        const bool away =
            replica.failing_since != TimePoint{} && now - replica.failing_since >= timing_.reroute_after;
        if (away && !rerouting_ && now >= reroute_not_before_) {
            rerouting_ = true;
            actions.emplace_back(Reroute{peer});
        }
        try_replica(peer, actions);
    }
    return actions;
}

} // namespace dwcp::manager
