#include "actors/manager/block_keeper.hpp"

#include "actors/compression/codec.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

#include <chrono>
#include <cstring>

namespace dwcp::manager {
namespace {

constexpr std::string_view kReferencePrefix = "ref/";
/// (first hash of a confirmation, workload) -> its hashes, one after the other; in Family::state.
constexpr std::string_view kPinPrefix = "pin/";

store::BlockWrite how_to_write(const EncodedBlock& block) {
    return block.bytes->size() >= kBulkBlockBytesMin ? store::BlockWrite::bulk : store::BlockWrite::logged;
}

std::string key_of(std::string_view prefix, const Hash256& hash, const WorkloadId& workload) {
    std::string key(prefix);
    key.append(as_text(hash.view()));
    return key + workload;
}

std::vector<Hash256> hashes_in(ByteView value) {
    std::vector<Hash256> hashes(value.size() / sizeof(Hash256));
    std::memcpy(hashes.data(), value.data(), hashes.size() * sizeof(Hash256));
    return hashes;
}

TimePoint now() { return std::chrono::steady_clock::now(); }

/// Blocks of peers and of this disk that do not decode to what their hash says.
metrics::Counter decode_errors() {
    return metrics::counter("dwcp_compression_errors_total", "Blocks that could not be coded, by operation.",
                            {{"operation", "decode"}});
}

Result<SharedBytes> decode_counted(const EncodedBlock& block) {
    auto raw = compression::decode_verified(block);
    if (!raw) decode_errors().add();
    return raw;
}

} // namespace

BlockKeeper::BlockKeeper(NodeName self, store::Store& store, EventRing& events)
    : self_(std::move(self)), store_(store), events_(events) {
    decode_errors(); // there from the start, at 0
    load_confirmed_pins();
}

void BlockKeeper::load_confirmed_pins() {
    store::Batch stale;
    const auto scanned =
        store_.scan(store::Family::state, kPinPrefix, kPinPrefix, [&](std::string_view key, ByteView value) {
            const auto hashes = hashes_in(value);
            if (hashes.empty() || key.size() < kPinPrefix.size() + sizeof(Hash256)) return true;
            const WorkloadId workload(key.substr(kPinPrefix.size() + sizeof(Hash256)));
            if (is_applied(hashes.front(), workload)) {
                stale.erase(store::Family::state, key); // its release did not reach the disk
                return true;
            }
            for (const auto& hash : hashes)
                pin(hash, workload);
            by_workload_[workload].confirmed.insert(hashes.front());
            return true;
        });
    if (!scanned) log::error("pins_unreadable", {{"why", scanned.error().message}});
    if (stale.empty()) return;
    if (auto written = store_.write(stale, store::Sync::no); !written) {
        log::warn("pins_not_erased", {{"why", written.error().message}});
    }
}

std::string BlockKeeper::reference_key(const Hash256& hash, const WorkloadId& workload) {
    return key_of(kReferencePrefix, hash, workload);
}

Result<void> BlockKeeper::accept(const EncodedBlock& block, const WorkloadId& workload,
                                 const NodeName& from) {
    if (auto raw = decode_counted(block); !raw) {
        log::warn("block_refused", {{"peer", from}, {"why", raw.error().message}}, {.trace = workload});
        if (raw.error().code == Errc::corrupted)
            events_.record("block_received_corrupt", from, {{"why", raw.error().message}}, workload);
        return std::unexpected(raw.error());
    }
    return take_in(block, workload);
}

Result<void> BlockKeeper::take_in(const EncodedBlock& block, const WorkloadId& workload) {
    // A copy that is here already is only as good as it reads: whoever sends a block again may do so because
    // this one is damaged.
    if (pin(block.hash, workload)) {
        const auto here = store_.get_block(block.hash);
        if (!here && here.error().code == Errc::corrupted) return store_.replace_block(block);
    }
    return store_.put_block(block, how_to_write(block));
}

Result<std::vector<Hash256>> BlockKeeper::make_durable(const std::vector<Hash256>& hashes,
                                                       const WorkloadId& workload) {
    // A sender that came back asks again about a workload that is committed here: its references hold.
    const bool applied = !hashes.empty() && is_applied(hashes.front(), workload);
    std::vector<Hash256> missing;
    for (const auto& hash : hashes) {
        // Pinned first, so that what is found is not collected before the manifest refers to it. What is
        // missing is pinned when it comes: a peer that asks for blocks of its fancy occupies nothing here.
        const bool here = applied ? store_.has_block(hash) : pin(hash, workload);
        if (here) continue;
        if (!applied) unpin(hash, workload);
        missing.push_back(hash);
    }
    if (!missing.empty() || hashes.empty()) return missing;
    if (!applied) {
        if (auto confirmed = confirm_pins(hashes, workload); !confirmed)
            return std::unexpected(confirmed.error());
    }
    if (auto flushed = store_.make_blocks_durable(); !flushed) return std::unexpected(flushed.error());
    log::debug("replica_durable", {{"blocks", hashes.size()}}, {.trace = workload});
    return missing;
}

Result<void> BlockKeeper::confirm_pins(const std::vector<Hash256>& hashes, const WorkloadId& workload) {
    Bytes value(hashes.size() * sizeof(Hash256));
    std::memcpy(value.data(), hashes.data(), value.size());
    store::Batch batch;
    batch.put(store::Family::state, key_of(kPinPrefix, hashes.front(), workload), value);
    // Synced: small blocks, which went through the log, become durable with it, for one fsync.
    if (auto written = store_.write(batch, store::Sync::yes); !written) return written;
    const std::lock_guard lock(mutex_);
    by_workload_[workload].confirmed.insert(hashes.front());
    return {};
}

Result<EncodedBlock> BlockKeeper::load(const Hash256& hash) { return store_.get_block(hash); }

Result<SharedBytes> BlockKeeper::read(const Hash256& hash) {
    auto block = store_.get_block(hash);
    if (!block) return std::unexpected(block.error());
    return decode_counted(*block);
}

Result<void> BlockKeeper::repair(const EncodedBlock& block, const NodeName& from) {
    if (auto replaced = store_.replace_block(block); !replaced) return replaced;
    events_.record("block_repaired", block.hash.hex(), {{"from", from}});
    return {};
}

bool BlockKeeper::pin(const Hash256& hash, const WorkloadId& workload) {
    {
        const std::lock_guard lock(mutex_);
        auto& pinned = by_workload_[workload];
        pinned.used = now();
        if (pinned.hashes.insert(hash).second) ++pins_[hash];
    }
    return store_.has_block(hash);
}

void BlockKeeper::unpin(const Hash256& hash, const WorkloadId& workload) {
    const std::lock_guard lock(mutex_);
    const auto found = by_workload_.find(workload);
    if (found == by_workload_.end() || found->second.hashes.erase(hash) == 0) return;
    drop_pin(hash);
    if (found->second.hashes.empty()) by_workload_.erase(found);
}

void BlockKeeper::drop_pin(const Hash256& hash) {
    if (auto pins = pins_.find(hash); pins != pins_.end() && --pins->second == 0) pins_.erase(pins);
}

void BlockKeeper::renew(const WorkloadId& workload) {
    const std::lock_guard lock(mutex_);
    if (const auto found = by_workload_.find(workload); found != by_workload_.end())
        found->second.used = now();
}

void BlockKeeper::release(const WorkloadId& workload) {
    Pinned released;
    {
        const std::lock_guard lock(mutex_);
        auto node = by_workload_.extract(workload);
        if (node.empty()) return;
        released = std::move(node.mapped());
        for (const auto& hash : released.hashes)
            drop_pin(hash);
    }
    store::Batch batch;
    for (const auto& first : released.confirmed)
        batch.erase(store::Family::state, key_of(kPinPrefix, first, workload));
    if (!batch.empty()) {
        if (auto written = store_.write(batch, store::Sync::no); !written)
            log::warn("pins_not_erased", {{"why", written.error().message}}, {.trace = workload});
    }
    collect({released.hashes.begin(), released.hashes.end()});
}

bool BlockKeeper::is_applied(const Hash256& hash, const WorkloadId& workload) const {
    const auto reference = store_.get(store::Family::state, reference_key(hash, workload));
    return reference && reference->has_value();
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

void BlockKeeper::collect_later(std::vector<Hash256> hashes) {
    const std::lock_guard lock(mutex_);
    if (hashes.empty() || dropped_hashes_ + hashes.size() > kCollectLaterMax) return;
    dropped_hashes_ += hashes.size();
    dropped_.push_back({now(), std::move(hashes)});
}

void BlockKeeper::collect_due(TimePoint now) {
    for (;;) {
        std::vector<Hash256> due;
        {
            const std::lock_guard lock(mutex_);
            if (dropped_.empty() || now - dropped_.front().when < kReadersGrace) return;
            due = std::move(dropped_.front().hashes);
            dropped_.pop_front();
            dropped_hashes_ -= due.size();
        }
        collect(due);
    }
}

void BlockKeeper::expire_pins(TimePoint now) {
    std::vector<WorkloadId> expired;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [workload, pinned] : by_workload_) {
            const auto expiry = pinned.confirmed.empty() ? kPinExpiry : kConfirmedPinExpiry;
            if (now - pinned.used > expiry) expired.push_back(workload);
        }
    }
    for (const auto& workload : expired)
        release(workload);
}

void BlockKeeper::sweep(TimePoint now) {
    expire_pins(now);
    if (sweeps_held_) return;
    const auto scanned = store_.scan_blocks([&](const Hash256& hash, std::uint32_t) {
        erase_if_unused(hash);
        return sweeping_.load();
    });
    if (!scanned) log::warn("sweep_incomplete", {{"why", scanned.error().message}});
}

} // namespace dwcp::manager
