#include "actors/manager/block_keeper.hpp"

#include "actors/compression/codec.hpp"
#include "runtime/log/log.hpp"

#include <chrono>

namespace dwcp::manager {
namespace {

constexpr std::string_view kReferencePrefix = "ref/";

store::BlockWrite how_to_write(const EncodedBlock& block) {
    return block.bytes->size() >= kBulkBlockBytesMin ? store::BlockWrite::bulk : store::BlockWrite::logged;
}

TimePoint now() { return std::chrono::steady_clock::now(); }

} // namespace

BlockKeeper::BlockKeeper(NodeName self, store::Store& store, EventRing& events)
    : self_(std::move(self)), store_(store), events_(events) {}

std::string BlockKeeper::reference_key(const Hash256& hash, const WorkloadId& workload) {
    std::string key(kReferencePrefix);
    key.append(as_text(hash.view()));
    return key + workload;
}

Result<void> BlockKeeper::accept(const EncodedBlock& block, const WorkloadId& workload,
                                 const NodeName& from) {
    if (auto raw = compression::decode_verified(block); !raw) {
        log::warn("block_refused", {{"peer", from}, {"why", raw.error().message}}, {.trace = workload});
        return std::unexpected(raw.error());
    }
    return take_in(block, workload);
}

Result<void> BlockKeeper::take_in(const EncodedBlock& block, const WorkloadId& workload) {
    pin(block.hash, workload);
    return store_.put_block(block, how_to_write(block));
}

Result<std::vector<Hash256>> BlockKeeper::make_durable(const std::vector<Hash256>& hashes,
                                                       const WorkloadId& workload) {
    std::vector<Hash256> missing;
    for (const auto& hash : hashes) {
        pin(hash,
            workload); // first, so that what is found here is not collected before the manifest refers to it
        if (!store_.has_block(hash)) missing.push_back(hash);
    }
    if (!missing.empty()) return missing;
    if (auto flushed = store_.make_blocks_durable(); !flushed) return std::unexpected(flushed.error());
    return missing;
}

Result<EncodedBlock> BlockKeeper::load(const Hash256& hash) { return store_.get_block(hash); }

Result<SharedBytes> BlockKeeper::read(const Hash256& hash) {
    auto block = store_.get_block(hash);
    if (!block) return std::unexpected(block.error());
    return compression::decode_verified(*block);
}

Result<void> BlockKeeper::repair(const EncodedBlock& block, const NodeName& from) {
    if (auto replaced = store_.replace_block(block); !replaced) return replaced;
    events_.record("block_repaired", block.hash.hex(), {{"from", from}});
    return {};
}

void BlockKeeper::pin(const Hash256& hash, const WorkloadId& workload) {
    const std::lock_guard lock(mutex_);
    auto& pinned = by_workload_[workload];
    if (pinned.hashes.empty()) pinned.since = now();
    if (pinned.hashes.insert(hash).second) ++pins_[hash];
}

void BlockKeeper::release(const WorkloadId& workload) {
    std::vector<Hash256> released;
    {
        const std::lock_guard lock(mutex_);
        const auto found = by_workload_.find(workload);
        if (found == by_workload_.end()) return;
        for (const auto& hash : found->second.hashes) {
            if (auto pins = pins_.find(hash); pins != pins_.end() && --pins->second == 0) pins_.erase(pins);
            released.push_back(hash);
        }
        by_workload_.erase(found);
    }
    collect(released);
}

bool BlockKeeper::is_referenced(const Hash256& hash) const {
    bool found = false;
    const auto prefix = reference_key(hash, {});
    const auto scanned = store_.scan(store::Family::state, prefix, prefix, [&](std::string_view, ByteView) {
        found = true;
        return false;
    });
    return found || !scanned; // what cannot be read is kept
}

void BlockKeeper::erase_if_unused(const Hash256& hash) {
    const std::lock_guard lock(mutex_);
    if (pins_.contains(hash) || is_referenced(hash)) return;
    if (auto erased = store_.erase_block(hash); !erased) {
        log::warn("block_erase_failed", {{"hash", hash.hex()}, {"why", erased.error().message}});
    }
}

void BlockKeeper::collect(const std::vector<Hash256>& hashes) {
    for (const auto& hash : hashes)
        erase_if_unused(hash);
}

void BlockKeeper::expire_pins(TimePoint now) {
    std::vector<WorkloadId> expired;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [workload, pinned] : by_workload_) {
            if (now - pinned.since > kPinExpiry) expired.push_back(workload);
        }
    }
    for (const auto& workload : expired)
        release(workload);
}

void BlockKeeper::sweep() {
    expire_pins(now());
    const auto scanned = store_.scan_blocks([&](const Hash256& hash, std::uint32_t) {
        erase_if_unused(hash);
        return true;
    });
    if (!scanned) log::warn("sweep_incomplete", {{"why", scanned.error().message}});
}

} // namespace dwcp::manager
