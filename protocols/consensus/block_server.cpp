#include "protocols/consensus/block_server.hpp"

#include <algorithm>

namespace dwcp::consensus {

std::size_t bytes_of(const DecidedBlock& block) {
    constexpr std::size_t kHeaderBytes = 512;
    constexpr std::size_t kVoteBytes = 64 + 80 + 32;
    auto bytes = kHeaderBytes + block.proof.votes.size() * kVoteBytes;
    for (const auto& transaction : (*block.block)->transactions)
        bytes += transaction.bytes();
    return bytes;
}

void BlockServer::decided(const DecidedBlock& block) {
    decided_ = (*block.block)->height;
    recent_.push_back({block, bytes_of(block)});
    recent_bytes_ += recent_.back().bytes;
    applied(applied_);
}

void BlockServer::applied(Height height) {
    applied_ = std::max(applied_, height);
    while (recent_bytes_ > kRecentBytesMax && (*recent_.front().block.block)->height <= applied_) {
        recent_bytes_ -= recent_.front().bytes;
        recent_.pop_front();
    }
}

void BlockServer::restart(Height decided) {
    recent_.clear();
    recent_bytes_ = 0;
    decided_ = decided;
    applied_ = decided;
}

Blocks BlockServer::from_memory(const FetchBlocks& what) const {
    Blocks answer{.blocks = {}, .tip = decided_, .earliest = earliest_};
    const auto limit = std::min(what.bytes_max, kFetchBytesMax);
    std::size_t bytes = 0;
    const auto first = (*recent_.front().block.block)->height;
    for (auto at = what.from - first; at < recent_.size(); ++at) {
        bytes += recent_[at].bytes;
        if (!answer.blocks.empty() && bytes > limit) break;
        answer.blocks.push_back(recent_[at].block);
    }
    return answer;
}

std::uint64_t BlockServer::take_ticket(std::map<ReplicaName, std::uint64_t>& by_peer,
                                       const ReplicaName& peer) {
    const auto ticket = next_ticket_++;
    if (const auto old = by_peer.find(peer); old != by_peer.end()) tickets_.erase(old->second);
    by_peer[peer] = ticket;
    tickets_[ticket] = peer;
    return ticket;
}

BlockServer::Plan BlockServer::ask(const ReplicaName& peer, const FetchBlocks& what, TimePoint now) {
    if (what.from == 0) return {};
    if (what.from > decided_) {
        if (waiting_.contains(peer) || waiting_.size() < kPeersMax) waiting_[peer] = {what, now};
        return {};
    }
    waiting_.erase(peer);
    if (!recent_.empty() && what.from >= (*recent_.front().block.block)->height)
        return {.now = from_memory(what), .load = {}};
    if (!loading_.contains(peer) && loading_.size() >= kPeersMax) return {};
    return {.now = {},
            .load = Load{.ticket = take_ticket(loading_, peer),
                         .from = what.from,
                         .upto = applied_,
                         .bytes_max = std::min(what.bytes_max, kFetchBytesMax)}};
}

std::optional<BlockServer::Reply> BlockServer::loaded(Loaded&& loaded) {
    const auto ticket = tickets_.find(loaded.ticket);
    if (ticket == tickets_.end()) return std::nullopt;
    auto peer = ticket->second;
    tickets_.erase(ticket);
    loading_.erase(peer);
    earliest_ = loaded.earliest;
    return Reply{std::move(peer),
                 {.blocks = std::move(loaded.blocks), .tip = decided_, .earliest = loaded.earliest}};
}

std::vector<BlockServer::Reply> BlockServer::due(Duration patience, TimePoint now) {
    std::vector<Reply> replies;
    for (auto at = waiting_.begin(); at != waiting_.end();) {
        const auto& [what, since] = at->second;
        const bool here =
            what.from <= decided_ && !recent_.empty() && what.from >= (*recent_.front().block.block)->height;
        if (!here && now < since + patience) {
            ++at;
            continue;
        }
        // Gone from memory already: told how far this replica is, it asks again.
        replies.push_back({at->first, here ? from_memory(what)
                                           : Blocks{.blocks = {}, .tip = decided_, .earliest = earliest_}});
        at = waiting_.erase(at);
    }
    return replies;
}

std::optional<TimePoint> BlockServer::wake(Duration patience) const {
    std::optional<TimePoint> at;
    for (const auto& [peer, waiting] : waiting_)
        at = std::min(at.value_or(waiting.since + patience), waiting.since + patience);
    return at;
}

std::optional<ReadSnapshot> BlockServer::ask(const ReplicaName& peer, const FetchSnapshot& what) {
    if (!reading_.contains(peer) && reading_.size() >= kPeersMax) return std::nullopt;
    return ReadSnapshot{.ticket = take_ticket(reading_, peer), .what = what};
}

std::optional<ReplicaName> BlockServer::snapshot_read(std::uint64_t ticket) {
    const auto found = tickets_.find(ticket);
    if (found == tickets_.end()) return std::nullopt;
    auto peer = found->second;
    tickets_.erase(found);
    reading_.erase(peer);
    return peer;
}

BlockRef BlockServer::find(Height height, const Hash256& digest) const {
    if (recent_.empty()) return nullptr;
    const auto first = (*recent_.front().block.block)->height;
    if (height < first || height - first >= recent_.size()) return nullptr;
    const auto& block = recent_[height - first].block.block;
    return block->digest() == digest ? block : nullptr;
}

} // namespace dwcp::consensus
