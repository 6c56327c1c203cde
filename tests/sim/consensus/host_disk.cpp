#include "tests/sim/consensus/host_disk.hpp"

#include "protocols/wire/crc32c.hpp"

#include <utility>

namespace dwcp::sim {
namespace {

/// Pairs in a part of a snapshot; small, so that snapshots come in several parts.
constexpr std::size_t kPairsInPart = 8;

std::uint32_t checksum(const std::string& key, const Bytes& value) {
    return wire::crc32c(value, wire::crc32c(as_bytes(key)));
}

} // namespace

std::uint64_t HostDisk::write(Write write) {
    write.number = ++last_written_;
    pending_.push_back(std::move(write));
    return last_written_;
}

std::vector<HostDisk::Durable> HostDisk::sync(std::uint64_t number) {
    std::vector<Durable> durable;
    for (; !pending_.empty() && pending_.front().number <= number; pending_.pop_front()) {
        const auto& write = pending_.front();
        apply(write.persist);
        if (write.commit) durable.push_back(apply(*write.commit));
        if (write.installed) durable.push_back(install(write));
        synced_ = write.number;
    }
    return durable;
}

void HostDisk::crash(Random& random) {
    const std::uint64_t kept = synced_ + random.below(pending_.size() + 1);
    sync(kept);
    pending_.clear();
    synced_ = last_written_;
}

void HostDisk::damage(Random& random) {
    if (records_.empty()) return;
    auto victim = std::next(records_.begin(), static_cast<std::ptrdiff_t>(random.below(records_.size())));
    auto other = std::next(records_.begin(), static_cast<std::ptrdiff_t>(random.below(records_.size())));
    if (victim != other && random.below(2) == 0) {
        std::swap(victim->second, other->second);
    } else if (victim->second.value.empty()) {
        victim->second.checksum ^= 1U << random.below(32);
    } else {
        auto& byte = victim->second.value[random.below(victim->second.value.size())];
        byte = static_cast<Byte>(byte ^ 1U << random.below(8));
    }
}

consensus::ReplicaMemory HostDisk::remember() const {
    consensus::ReplicaMemory memory;
    for (const auto& [key, record] : records_) {
        if (checksum(key, record.value) == record.checksum)
            memory.persisted.emplace(key, record.value);
        else
            memory.doubt = "the record " + key + " does not match its checksum";
    }
    memory.applied = applied_;
    memory.chain = chain_;
    memory.state_root = state_.root();
    memory.committee = committee_;
    return memory;
}

consensus::Loaded HostDisk::load(const consensus::Load& what) const {
    consensus::Loaded loaded{.ticket = what.ticket, .blocks = {}, .earliest = log_first_};
    std::size_t bytes = 0;
    for (auto height = what.from; height <= what.upto; ++height) {
        if (height < log_first_ || height - log_first_ >= log_.size()) break;
        const auto& decided = log_[height - log_first_];
        for (const auto& transaction : (*decided.block)->transactions)
            bytes += transaction.bytes();
        bytes += 128 * (1 + decided.proof.votes.size());
        if (!loaded.blocks.empty() && bytes > what.bytes_max) break;
        loaded.blocks.push_back(decided);
    }
    return loaded;
}

consensus::SnapshotRead HostDisk::read(const consensus::ReadSnapshot& what) const {
    consensus::SnapshotRead read{.ticket = what.ticket, .part = {}};
    const Kept* found = nullptr;
    for (const auto& [height, kept] : kept_)
        if (kept.proof && (what.what.height == 0 || height == what.what.height)) found = &kept;
    if (found == nullptr) return read;
    read.part.height = found->height;
    read.part.state_root = found->root;
    read.part.proof = *found->proof;
    read.part.after = what.what.after;
    auto at = what.what.after.empty() ? found->pairs->begin() : found->pairs->upper_bound(what.what.after);
    for (; at != found->pairs->end() && read.part.pairs.size() < kPairsInPart; ++at)
        read.part.pairs.push_back({at->first, at->second});
    read.part.last = at == found->pairs->end();
    return read;
}

std::size_t HostDisk::record_bytes() const {
    std::size_t bytes = 0;
    for (const auto& [key, record] : records_)
        bytes += key.size() + record.value.size();
    return bytes;
}

void HostDisk::stable(consensus::Height height, const consensus::Certificate& proof) {
    const auto found = kept_.find(height);
    if (found == kept_.end()) {
        if (height > applied_) awaited_ = {height, proof};
        return;
    }
    found->second.proof = proof;
    kept_.erase(kept_.begin(), found);
    while (log_first_ <= height && !log_.empty())
        log_.pop_front(), ++log_first_;
}

void HostDisk::apply(const consensus::Persist& persist) {
    for (const auto& [key, value] : persist) {
        if (value)
            records_.insert_or_assign(key, Record{*value, checksum(key, *value)});
        else
            records_.erase(key);
    }
}

HostDisk::Durable HostDisk::apply(const consensus::Commit& commit) {
    const auto& block = commit.decided.block;
    const auto height = (*block)->height;
    if (height <= applied_) return {height, state_.root(), false, 0, block};
    const auto effects = state_.apply(**block);
    applied_ = height;
    chain_ = commit.chain;
    if (commit.next) committee_ = commit.next;
    if (log_.empty()) log_first_ = height;
    log_.push_back(commit.decided);
    const auto root = state_.root();
    if (height % interval_ == 0 || commit.next)
        kept_[height] = {height, root, std::nullopt,
                         std::make_shared<const Registers::Pairs>(state_.pairs())};
    if (awaited_ && awaited_->first == height) stable(height, std::exchange(awaited_, std::nullopt)->second);
    return {height, root, false, effects, block};
}

HostDisk::Durable HostDisk::install(const Write& write) {
    const auto& kept = *write.installed;
    state_ = Registers::of(*kept.pairs);
    applied_ = kept.height;
    chain_ = write.installed_chain;
    committee_ = write.installed_next;
    log_.clear();
    log_first_ = kept.height + 1;
    kept_.clear();
    kept_[kept.height] = kept;
    return {kept.height, kept.root, true, 0, nullptr};
}

} // namespace dwcp::sim
