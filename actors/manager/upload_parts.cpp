#include "actors/manager/upload_parts.hpp"

#include "actors/compression/codec.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace dwcp::manager {
namespace {

/// (upload, part's number in five digits) -> UploadPart; in Family::state.
constexpr std::string_view kPrefix = "part/";

std::string prefix_of(const WorkloadId& upload) { return fmt::format("{}{}/", kPrefix, upload); }

std::string key_of(const WorkloadId& upload, std::uint32_t number) {
    return fmt::format("{}{:05}", prefix_of(upload), number);
}

/// The upload that a key belongs to; empty: it is no key of ours.
WorkloadId upload_of(std::string_view key) {
    const auto end = key.rfind('/');
    if (!key.starts_with(kPrefix) || end < kPrefix.size()) return {};
    return WorkloadId(key.substr(kPrefix.size(), end - kPrefix.size()));
}

Result<void> check_blocks(const wire::UploadPart& part, const WorkloadId& upload, BlockKeeper& keeper) {
    for (const auto& ref : part.blocks) {
        if (auto possible = wire::check_block_ref(ref); !possible) return possible;
        if (!compression::is_known(ref.codec))
            return fail(Errc::invalid_argument, "block reference with an unknown codec");
        if (!keeper.pin(ref.hash, upload))
            return fail(Errc::precondition_failed, "block " + ref.hash.hex() + " was never put",
                        "put every block of a part before its end");
    }
    return {};
}

} // namespace

Result<void> UploadParts::keep(const WorkloadId& upload, const wire::UploadPart& part,
                               BlockKeeper& keeper) const {
    if (auto here = check_blocks(part, upload, keeper); !here) return here;
    const bool bulk = std::ranges::any_of(
        part.blocks, [](const auto& ref) { return ref.stored_bytes >= kBulkBlockBytesMin; });
    // Small blocks went through the log and become durable with the record.
    if (bulk)
        if (auto flushed = keeper.flush(); !flushed) return flushed;
    store::Batch batch;
    batch.put(store::Family::state, key_of(upload, part.number), wire::encode(part));
    return store_->write(batch, store::Sync::yes);
}

Result<std::vector<wire::UploadPart>> UploadParts::of(const WorkloadId& upload) const {
    std::vector<wire::UploadPart> parts;
    const auto prefix = prefix_of(upload);
    std::size_t damaged = 0;
    const auto scanned = store_->scan(
        store::Family::state, prefix, prefix,
        [&](std::string_view key, ByteView value) {
            if (auto part = wire::decode_upload_part(value))
                parts.push_back(std::move(*part));
            else
                log::error("upload_part_skipped", {{"part", key}, {"why", part.error().message}});
            return true;
        },
        &damaged);
    if (!scanned) return std::unexpected(scanned.error());
    return parts;
}

Result<void> UploadParts::forget(const WorkloadId& upload) const {
    store::Batch batch;
    const auto prefix = prefix_of(upload);
    std::size_t damaged = 0;
    const auto scanned = store_->scan(
        store::Family::state, prefix, prefix,
        [&](std::string_view key, ByteView) {
            batch.erase(store::Family::state, key);
            return true;
        },
        &damaged);
    if (!scanned) return std::unexpected(scanned.error());
    return batch.empty() ? Result<void>() : store_->write(batch, store::Sync::no);
}

Result<PartsByUpload> UploadParts::recover(const std::function<bool(const WorkloadId&)>& is_open,
                                           BlockKeeper& keeper) const {
    PartsByUpload found;
    store::Batch stale;
    std::size_t damaged = 0;
    const auto scanned = store_->scan(
        store::Family::state, kPrefix, kPrefix,
        [&](std::string_view key, ByteView value) {
            const auto upload = upload_of(key);
            if (!is_open(upload)) {
                stale.erase(store::Family::state, key);
            } else if (auto part = wire::decode_upload_part(value)) {
                for (const auto& ref : part->blocks)
                    keeper.pin(ref.hash, upload);
                found[upload].insert_or_assign(part->number, std::move(*part));
            } else {
                log::error("upload_part_skipped", {{"part", key}, {"why", part.error().message}});
            }
            return true;
        },
        &damaged);
    if (!scanned) return std::unexpected(scanned.error());
    if (!stale.empty())
        if (auto written = store_->write(stale, store::Sync::no); !written)
            log::warn("upload_parts_not_erased", {{"why", written.error().message}});
    return found;
}

} // namespace dwcp::manager
