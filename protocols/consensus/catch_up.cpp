#include "protocols/consensus/catch_up.hpp"

#include <algorithm>

namespace dwcp::consensus {
namespace {

/// How long one that was found wrong, or did not answer, is not asked.
constexpr Duration kLeftAlone = std::chrono::seconds(2);

} // namespace

bool CatchUp::usable(const Peer& peer, TimePoint now) {
    return !peer.left_alone_until || now >= *peer.left_alone_until;
}

void CatchUp::stands(const ReplicaName& peer, Height tip, Height decided, TimePoint now) {
    peers_[peer].tip = tip;
    if (tip > decided && !target_) target_ = {tip, now};
}

void CatchUp::forget(const ReplicaName& peer) {
    peers_.erase(peer);
    if (asked_ && asked_->peer == peer) asked_.reset();
    if (snapshot_ && snapshot_->peer == peer) end_snapshot();
}

Height CatchUp::claimed(TimePoint now) const {
    Height highest = 0;
    for (const auto& [name, peer] : peers_)
        if (usable(peer, now)) highest = std::max(highest, peer.tip);
    return highest;
}

std::optional<ReplicaName> CatchUp::choose(Height above, TimePoint now) const {
    const auto fits = [&](const Peer& peer) { return usable(peer, now) && peer.tip >= above; };
    // The one that answered last goes on; else the next by name, around.
    if (const auto at = peers_.find(last_); at != peers_.end() && fits(at->second)) return last_;
    for (auto at = peers_.upper_bound(last_); at != peers_.end(); ++at)
        if (fits(at->second)) return at->first;
    for (const auto& [name, peer] : peers_)
        if (fits(peer)) return name;
    return std::nullopt;
}

std::optional<CatchUp::Ask> CatchUp::next(Height decided, bool follow, bool at_once, TimePoint now) {
    if (asked_) {
        if (now < asked_->at + answer_within_) return std::nullopt;
        wrong(asked_->peer, now);
    }
    if (snapshot_) {
        asked_ = Asked{snapshot_->peer, true, now};
        return Ask{snapshot_->peer, FetchSnapshot{.height = snapshot_->height, .after = snapshot_->after}};
    }
    if (target_ && target_->height <= decided) target_.reset();
    if (const auto highest = claimed(now); !target_ && highest > decided) target_ = {highest, now};
    std::optional<ReplicaName> peer;
    if (target_ && (follow || at_once || now >= target_->since + moment_)) peer = choose(decided + 1, now);
    if (!peer && (follow || at_once)) peer = choose(0, now);
    if (!peer) return std::nullopt;
    last_ = *peer;
    asked_ = Asked{*peer, false, now};
    return Ask{*peer, FetchBlocks{.from = decided + 1, .bytes_max = kFetchBytesMax}};
}

std::optional<TimePoint> CatchUp::wake(Height decided) const {
    if (asked_) return asked_->at + answer_within_;
    if (target_ && target_->height > decided) return target_->since + moment_;
    return std::nullopt;
}

bool CatchUp::awaits_blocks(const ReplicaName& peer) const {
    return asked_ && !asked_->snapshot && asked_->peer == peer;
}

bool CatchUp::awaits_part(const ReplicaName& peer, const SnapshotPart& part) const {
    if (!asked_ || !asked_->snapshot || asked_->peer != peer || !snapshot_) return false;
    return part.after == snapshot_->after && (snapshot_->height == 0 || part.height == snapshot_->height);
}

void CatchUp::wrong(const ReplicaName& peer, TimePoint now) {
    if (asked_ && asked_->peer == peer) asked_.reset();
    if (snapshot_ && snapshot_->peer == peer) snapshot_.reset();
    if (const auto at = peers_.find(peer); at != peers_.end()) at->second.left_alone_until = now + kLeftAlone;
}

void CatchUp::begin_snapshot(const ReplicaName& peer) {
    asked_.reset();
    snapshot_ = Snapshot{.peer = peer, .height = 0, .after = {}};
}

void CatchUp::part_came(const SnapshotPart& part) {
    asked_.reset();
    snapshot_->height = part.height;
    if (!part.pairs.empty()) snapshot_->after = part.pairs.back().key;
}

void CatchUp::end_snapshot() {
    snapshot_.reset();
    asked_.reset();
}

} // namespace dwcp::consensus
