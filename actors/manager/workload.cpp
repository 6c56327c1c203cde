#include "actors/manager/workload.hpp"

#include "protocols/breaker/retry.hpp"

#include <algorithm>

namespace dwcp::manager {

Workload::Workload(NodeName self, std::vector<NodeName> placement, WorkloadTiming timing, std::uint64_t seed)
    : self_(std::move(self)), placement_(std::move(placement)), timing_(timing), random_(seed) {
    for (const auto& peer : placement_) {
        if (peer != self_) replicas_[peer];
    }
}

Duration Workload::backoff(std::uint32_t failures) {
    return breaker::Backoff{timing_.retry_min, timing_.retry_max}.delay(failures, random_);
}

void Workload::try_replica(const NodeName& peer, Replica& replica, Actions& actions) {
    replica.state = Replica::State::busy;
    replica.shipped = false;
    actions.emplace_back(ConfirmReplica{peer});
}

void Workload::retry_later(Replica& replica, TimePoint now, Actions& actions) {
    replica.state = Replica::State::waiting;
    if (!replica.failing_since) replica.failing_since = now;
    replica.retry_at = now + backoff(replica.failures++);
    actions.emplace_back(WakeAt{replica.retry_at});
}

void Workload::advance(Actions& actions) {
    if (phase_ != Phase::replicating || rerouting_) return;
    const auto settled = [](const auto& item) {
        return !item.second.wanted || item.second.state == Replica::State::complete;
    };
    if (!std::ranges::all_of(replicas_, settled)) return;
    phase_ = Phase::committing;
    actions.emplace_back(CommitManifest{});
}

/// The replica whose answer this may be: late ones of a finished question, and of strangers, are nobody's.
Workload::Replica* Workload::find_busy(const NodeName& peer) {
    const auto found = replicas_.find(peer);
    if (found == replicas_.end() || found->second.state != Replica::State::busy) return nullptr;
    if (found->second.wanted) return &found->second;
    replicas_.erase(found);
    return nullptr;
}

Actions Workload::start(TimePoint) {
    Actions actions;
    for (auto& [peer, replica] : replicas_)
        try_replica(peer, replica, actions);
    advance(actions);
    return actions;
}

Actions Workload::confirmed(const NodeName& peer, const std::vector<Hash256>& missing, TimePoint now) {
    Actions actions;
    Replica* replica = find_busy(peer);
    if (replica == nullptr) return actions;
    if (missing.size() < replica->missing) {
        replica->failing_since.reset();
        replica->failures = 0;
    }
    const bool lost_again = replica->shipped && missing.size() >= replica->missing;
    replica->missing = missing.size();
    replica->shipped = false;
    if (missing.empty()) {
        replica->state = Replica::State::complete;
        advance(actions);
    } else if (lost_again) {
        // It took the blocks and has them not: without a pause the same megabytes would go round and round.
        retry_later(*replica, now, actions);
    } else {
        actions.emplace_back(ShipBlocks{peer, missing});
    }
    return actions;
}

Actions Workload::shipped(const NodeName& peer, TimePoint) {
    Actions actions;
    Replica* replica = find_busy(peer);
    if (replica == nullptr) return actions;
    replica->shipped = true;
    actions.emplace_back(ConfirmReplica{peer});
    return actions;
}

Actions Workload::peer_failed(const NodeName& peer, TimePoint now) {
    Actions actions;
    if (Replica* replica = find_busy(peer)) retry_later(*replica, now, actions);
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
    try_replica(peer, found->second, actions);
    return actions;
}

Actions Workload::rerouted(const std::vector<NodeName>& placement, TimePoint now) {
    Actions actions;
    if (!rerouting_) return actions;
    rerouting_ = false;
    reroute_not_before_ = now + timing_.reroute_after;
    if (placement != placement_) {
        placement_ = placement;
        for (auto& [peer, replica] : replicas_)
            replica.wanted = false;
        for (const auto& peer : placement_) {
            if (peer != self_) replicas_[peer].wanted = true;
        }
        std::erase_if(replicas_, [](const auto& item) {
            return !item.second.wanted && item.second.state != Replica::State::busy;
        });
        actions.emplace_back(JournalPlacement{});
        for (auto& [peer, replica] : replicas_) {
            if (replica.state == Replica::State::waiting) try_replica(peer, replica, actions);
        }
    }
    advance(actions);
    return actions;
}

Actions Workload::reroute_failed(TimePoint now) {
    Actions actions;
    if (!rerouting_) return actions;
    rerouting_ = false;
    reroute_not_before_ = now + timing_.reroute_after;
    advance(actions);
    return actions;
}

Actions Workload::committed() {
    phase_ = Phase::done;
    return {};
}

Actions Workload::commit_failed(TimePoint now) {
    if (phase_ != Phase::committing || commit_waiting_) return {};
    commit_waiting_ = true;
    commit_at_ = now + backoff(commit_failures_++);
    return {WakeAt{commit_at_}};
}

Actions Workload::ask_again(TimePoint) {
    Actions actions;
    if (phase_ != Phase::replicating) return actions;
    std::erase_if(replicas_, [](const auto& item) { return !item.second.wanted; });
    for (auto& [peer, replica] : replicas_) {
        if (replica.state == Replica::State::busy) try_replica(peer, replica, actions);
    }
    advance(actions);
    return actions;
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
        const bool away = replica.failing_since && now - *replica.failing_since >= timing_.reroute_after;
        if (away && !rerouting_ && now >= reroute_not_before_) {
            rerouting_ = true;
            actions.emplace_back(Reroute{peer});
        }
        try_replica(peer, replica, actions);
    }
    return actions;
}

} // namespace dwcp::manager
