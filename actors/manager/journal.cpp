#include "actors/manager/journal.hpp"

#include "actors/compression/codec.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <mutex>
#include <set>
#include <unordered_set>

namespace dwcp::manager {
namespace {

using State = wire::JournalRecord::State;

/// Whether the workload can be completed with these blocks; pins them, though they were pinned when they
/// came, unless it was in an earlier life of this node.
Result<void> check_blocks(const std::vector<BlockRef>& blocks, const WorkloadId& workload,
                          BlockKeeper& keeper) {
    if (blocks.size() > wire::kObjectBlocksMax) {
        return fail(Errc::too_large,
                    "an object of " + std::to_string(blocks.size()) + " blocks, at most " +
                        std::to_string(wire::kObjectBlocksMax) + " are possible",
                    "send full blocks, or split it");
    }
    for (const auto& ref : blocks) {
        if (auto ok = wire::check_block_ref(ref); !ok) return ok;
        if (!compression::is_known(ref.codec)) {
            return fail(Errc::invalid_argument, "block reference with an unknown codec");
        }
        if (!keeper.pin(ref.hash, workload)) {
            return fail(Errc::precondition_failed, "block " + ref.hash.hex() + " was never put",
                        "put every block before the seal");
        }
    }
    return {};
}

/// Cuts a long block list into index blocks and takes these in like any other block.
Result<std::vector<BlockRef>> make_index(const std::vector<BlockRef>& blocks, const WorkloadId& workload,
                                         BlockKeeper& keeper) {
    std::vector<BlockRef> index;
    for (std::size_t begin = 0; begin < blocks.size(); begin += wire::kRefsPerIndexBlock) {
        const auto end = std::min(blocks.size(), begin + wire::kRefsPerIndexBlock);
        auto raw = share(wire::encode_block_list({blocks.begin() + static_cast<std::ptrdiff_t>(begin),
                                                  blocks.begin() + static_cast<std::ptrdiff_t>(end)}));
        auto block = compression::encode({Codec::none, 0}, raw, crypto::sha256(*raw));
        if (!block) return std::unexpected(block.error());
        if (auto taken = keeper.take_in(*block, workload); !taken) return std::unexpected(taken.error());
        index.push_back(
            {block->hash, block->codec, block->raw_bytes, static_cast<std::uint32_t>(block->bytes->size())});
    }
    return index;
}

} // namespace

Result<void> Journal::write(const wire::JournalRecord& record, store::Sync sync) const {
    const auto& id = record.manifest.workload;
    // Held over look and write, by workload; not one lock for all, or synced writes could not share an fsync.
    static std::array<std::mutex, 64> locks;
    const std::lock_guard lock(locks[std::hash<std::string>{}(id) % locks.size()]);
    const auto before = store_->get(store::Family::journal, id);
    if (before && *before) {
        const auto now = wire::decode_journal_record(**before);
        const bool ended = now && now->state >= State::committed;
        if (now && (now->state > record.state || (ended && now->state != record.state))) {
            return fail(Errc::precondition_failed, "workload " + id + " is already further");
        }
    }
    store::Batch batch;
    batch.put(store::Family::journal, id, wire::encode(record));
    return store_->write(batch, sync);
}

Result<void> Journal::forget(const WorkloadId& id) const {
    store::Batch batch;
    batch.erase(store::Family::journal, id);
    return store_->write(batch, store::Sync::no);
}

Result<SealedWorkload> Journal::seal(wire::JournalRecord record, std::vector<BlockRef> blocks,
                                     BlockKeeper& keeper) const {
    if (auto complete = check_blocks(blocks, record.manifest.workload, keeper); !complete)
        return std::unexpected(complete.error());
    SealedWorkload sealed;
    sealed.all_blocks.reserve(blocks.size());
    for (const auto& ref : blocks) {
        sealed.all_blocks.push_back(ref.hash);
        record.totals.add(ref);
    }
    bool bulk =
        std::ranges::any_of(blocks, [](const auto& ref) { return ref.stored_bytes >= kBulkBlockBytesMin; });
    if (blocks.size() <= wire::kInlineBlocksMax) {
        record.manifest.blocks = std::move(blocks);
    } else {
        auto index = make_index(blocks, record.manifest.workload, keeper);
        if (!index) return std::unexpected(index.error());
        for (const auto& ref : *index) {
            sealed.all_blocks.push_back(ref.hash);
            bulk = bulk || ref.stored_bytes >= kBulkBlockBytesMin;
        }
        record.manifest.index_blocks = std::move(*index);
    }
    // A block that occurs twice is asked for once.
    std::unordered_set<Hash256> seen;
    std::erase_if(sealed.all_blocks, [&](const Hash256& hash) { return !seen.insert(hash).second; });
    // Small blocks went through the log and become durable with the record itself: one fsync for both.
    if (bulk) {
        if (auto flushed = keeper.flush(); !flushed) return std::unexpected(flushed.error());
    }
    if (auto written = write(record, store::Sync::yes); !written) return std::unexpected(written.error());
    sealed.record = std::move(record);
    return sealed;
}

Result<SealedWorkload> Journal::with_blocks(wire::JournalRecord record, BlockKeeper& keeper) const {
    SealedWorkload sealed;
    for (const auto& ref : record.manifest.blocks)
        sealed.all_blocks.push_back(ref.hash);
    for (const auto& ref : record.manifest.index_blocks) {
        auto raw = keeper.read(ref.hash);
        if (!raw) return std::unexpected(raw.error());
        auto listed = wire::decode_block_list(**raw);
        if (!listed) return std::unexpected(listed.error());
        for (const auto& block : *listed)
            sealed.all_blocks.push_back(block.hash);
        sealed.all_blocks.push_back(ref.hash);
    }
    std::unordered_set<Hash256> seen;
    std::erase_if(sealed.all_blocks, [&](const Hash256& hash) { return !seen.insert(hash).second; });
    for (const auto& hash : sealed.all_blocks)
        keeper.pin(hash, record.manifest.workload);
    sealed.record = std::move(record);
    return sealed;
}

Result<Recovered> Journal::recover(const std::function<bool(const std::string& key)>& is_mine,
                                   BlockKeeper& keeper) const {
    std::vector<wire::JournalRecord> records;
    std::set<WorkloadId> open_uploads; // whoever's they are
    const auto scanned =
        store_->scan(store::Family::journal, {}, {}, [&](std::string_view id, ByteView value) {
            auto record = wire::decode_journal_record(value);
            if (record && record->state == State::open && record->is_multipart())
                open_uploads.insert(record->manifest.workload);
            if (!record)
                log::error("journal_record_skipped", {{"workload", id}, {"why", record.error().message}});
            else if (is_mine(record->manifest.key))
                records.push_back(std::move(*record));
            return true;
        });
    // A damaged record has been reported with its key; the others are still good.
    if (!scanned && scanned.error().code != Errc::corrupted) return std::unexpected(scanned.error());
    std::ranges::sort(records, {}, &wire::JournalRecord::updated_ms);
    Recovered recovered;
    // Parts of a record that was damaged stay for a later start.
    const bool all_known = scanned.has_value();
    auto parts = UploadParts(*store_).recover(
        [&](const WorkloadId& upload) { return !all_known || open_uploads.contains(upload); }, keeper);
    if (!parts) return std::unexpected(parts.error());
    recovered.parts = std::move(*parts);
    for (auto& record : records) {
        if (record.state == State::open) {
            recovered.open.push_back(std::move(record));
        } else if (record.state == State::sealed) {
            const WorkloadId id = record.manifest.workload;
            auto sealed = with_blocks(record, keeper);
            if (sealed) {
                recovered.sealed.push_back(std::move(*sealed));
                continue;
            }
            keeper.hold_sweeps();
            log::error("sealed_workload_unreadable", {{"why", sealed.error().message}}, {.trace = id});
            record.state = State::failed;
            record.reason = "its block list cannot be read: " + sealed.error().message;
            recovered.finished.push_back(std::move(record));
        } else {
            recovered.finished.push_back(std::move(record));
        }
    }
    return recovered;
}

} // namespace dwcp::manager
