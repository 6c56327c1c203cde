#include "actors/manager/metadata.hpp"

#include "protocols/consensus/majority_write.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <utility>

namespace dwcp::manager {
namespace {

constexpr std::size_t kIndexBytes = sizeof(consensus::LogIndex);

/// Where the index of the last applied entry is kept, for the next life.
constexpr std::string_view kAppliedKey = "metadata/applied";

Bytes answer(Metadata::Outcome outcome, std::string_view found = {}) {
    return to_bytes(std::string(1, static_cast<char>(outcome)).append(found));
}

bool holds(const wire::Manifest& manifest, const NodeName& node) {
    return std::ranges::find(manifest.replicas, node) != manifest.replicas.end();
}

/// The answer to a command whose condition does not hold; nullopt: it does.
std::optional<Bytes> decide(const wire::Condition& condition,
                            const Result<std::optional<StoredManifest>>& before) {
    if (condition.kind == wire::Condition::Kind::none) return std::nullopt;
    if (!before) {
        log::error("condition_undecided", {{"why", before.error().message}});
        return answer(Metadata::Outcome::undecided);
    }
    const auto current = *before ? std::optional((*before)->manifest.sha256) : std::nullopt;
    if (wire::holds(condition, current)) return std::nullopt;
    return answer(Metadata::Outcome::condition_failed, wire::describe_failure(condition, current));
}

/// The common prefix that a key falls under; empty: none.
std::string_view group_of(std::string_view key, const ListRequest& request) {
    if (request.delimiter.empty() || !key.starts_with(request.prefix)) return {};
    const auto at = key.find(request.delimiter, request.prefix.size());
    return at == std::string_view::npos ? std::string_view() : key.substr(0, at + request.delimiter.size());
}

/// The least key after all that begin with `prefix`; empty: there is none.
std::string after_prefix(std::string_view prefix) {
    std::string next(prefix);
    while (!next.empty() && static_cast<unsigned char>(next.back()) == 0xff)
        next.pop_back();
    if (!next.empty()) next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
    return next;
}

} // namespace

Metadata::Metadata(NodeName self, store::Store& store, BlockKeeper& keeper)
    : self_(std::move(self)), store_(store), keeper_(keeper) {
    const auto value = store_.get(store::Family::state, kAppliedKey);
    consensus::LogIndex index = 0;
    if (value && *value && (*value)->size() == kIndexBytes)
        std::memcpy(&index, (*value)->data(), kIndexBytes);
    last_applied_ = index;
}

Bytes Metadata::encode_stored(const StoredManifest& stored) {
    const Bytes manifest = wire::encode(stored.manifest);
    Bytes value(kIndexBytes + manifest.size());
    std::memcpy(value.data(), &stored.index, kIndexBytes);
    std::memcpy(value.data() + kIndexBytes, manifest.data(), manifest.size());
    return value;
}

Result<StoredManifest> Metadata::decode_stored(ByteView bytes) {
    if (bytes.size() < kIndexBytes) return fail(Errc::corrupted, "manifest record is torn");
    StoredManifest stored;
    std::memcpy(&stored.index, bytes.data(), kIndexBytes);
    auto manifest = wire::decode_manifest(bytes.subspan(kIndexBytes));
    if (!manifest) return std::unexpected(manifest.error());
    stored.manifest = std::move(*manifest);
    return stored;
}

Result<Metadata::Verdict> Metadata::read_answer(ByteView answer) {
    if (answer.empty() || answer[0] > static_cast<Byte>(Outcome::undecided))
        return fail(Errc::internal, "the metadata lane gave an answer of no known kind");
    return Verdict{static_cast<Outcome>(answer[0]), std::string(as_text(answer.subspan(1)))};
}

Result<void> Metadata::check(const consensus::Command& command) const {
    auto decoded = wire::decode_metadata_command(command.payload);
    if (!decoded) return std::unexpected(decoded.error());
    return {};
}

Result<std::vector<Hash256>> Metadata::all_blocks(const wire::Manifest& manifest) const {
    std::vector<Hash256> hashes;
    for (const auto& ref : manifest.blocks)
        hashes.push_back(ref.hash);
    for (const auto& ref : manifest.index_blocks) {
        hashes.push_back(ref.hash);
        auto raw = keeper_.read(ref.hash);
        if (!raw) return std::unexpected(raw.error());
        auto listed = wire::decode_block_list(**raw);
        if (!listed) return std::unexpected(listed.error());
        for (const auto& block : *listed)
            hashes.push_back(block.hash);
    }
    return hashes;
}

void Metadata::drop_references(const wire::Manifest& manifest, store::Batch& batch) {
    if (!holds(manifest, self_)) return;
    auto hashes = all_blocks(manifest);
    if (!hashes) {
        // Its blocks stay: a leak is better than a guess at which they were.
        log::error("references_kept", {{"key", manifest.key}, {"why", hashes.error().message}});
        return;
    }
    for (const auto& hash : *hashes) {
        batch.erase(store::Family::state, BlockKeeper::reference_key(hash, manifest.workload));
        dropped_.push_back(hash);
    }
}

Bytes Metadata::apply(const consensus::Entry& entry, store::Batch& batch) {
    dropped_.clear();
    references_unknown_ = false;
    Bytes index(kIndexBytes);
    std::memcpy(index.data(), &entry.index, kIndexBytes);
    batch.put(store::Family::state, kAppliedKey, index);
    const auto command = wire::decode_metadata_command(entry.command.payload);
    if (!command) {
        // check() keeps these out; a log written by a newer version may still hold one.
        log::error("metadata_entry_skipped", {{"index", entry.index}, {"why", command.error().message}});
        return {};
    }
    if (!command->erase && entry.index > command->base + consensus::kDedupeEntries) {
        return answer(Outcome::expired);
    }
    const auto before = find(command->key);
    if (auto refusal = decide(command->condition, before)) return *refusal;
    const bool existed = before && before->has_value();
    const Bytes outcome = answer(existed ? Outcome::replaced : Outcome::created);
    if (existed) drop_references((*before)->manifest, batch);
    if (command->erase) {
        if (existed) batch.erase(store::Family::manifests, command->key);
        return outcome;
    }
    batch.put(store::Family::manifests, command->key, encode_stored({command->manifest, entry.index}));
    if (holds(command->manifest, self_)) {
        const auto hashes = all_blocks(command->manifest);
        references_unknown_ = !hashes;
        if (!hashes)
            log::error("references_unknown", {{"key", command->key}, {"why", hashes.error().message}});
        for (const auto& hash : hashes.value_or(std::vector<Hash256>{})) {
            batch.put(store::Family::state, BlockKeeper::reference_key(hash, command->manifest.workload), {});
        }
    }
    return outcome;
}

void Metadata::applied(const consensus::Entry& entry) {
    {
        const std::lock_guard lock(applied_mutex_);
        last_applied_ = entry.index;
    }
    applied_changed_.notify_all();
    if (!references_unknown_) keeper_.release(entry.command.id);
    keeper_.collect_later(std::exchange(dropped_, {}));
    log::debug("metadata_applied", {{"index", entry.index}}, {.trace = entry.command.id});
}

consensus::LogIndex Metadata::last_applied() const {
    const std::lock_guard lock(applied_mutex_);
    return last_applied_;
}

bool Metadata::wait_until_applied(consensus::LogIndex index, TimePoint deadline) const {
    std::unique_lock lock(applied_mutex_);
    return applied_changed_.wait_until(lock, deadline, [&] { return last_applied_ >= index; });
}

Result<std::optional<StoredManifest>> Metadata::find(const std::string& key) const {
    auto value = store_.get(store::Family::manifests, key);
    if (!value) return std::unexpected(value.error());
    if (!*value) return std::nullopt;
    auto stored = decode_stored(**value);
    if (!stored) return std::unexpected(stored.error());
    return std::move(*stored);
}

Result<std::string> Metadata::list_some(const ListRequest& request, const std::string& from,
                                        Listing& page) const {
    std::string resume;
    const auto visit = [&](std::string_view key, ByteView value) {
        const auto group = group_of(key, request);
        if (page.objects.size() + page.common_prefixes.size() == request.limit) {
            page.next = page.objects.empty() ? "" : page.objects.back().manifest.key;
            if (!page.common_prefixes.empty()) page.next = std::max(page.next, page.common_prefixes.back());
            return false;
        }
        if (!group.empty()) {
            page.common_prefixes.emplace_back(group);
            resume = after_prefix(group);
            return false;
        }
        if (auto stored = decode_stored(value)) {
            page.objects.push_back(std::move(*stored));
        } else {
            ++page.damaged;
            log::error("manifest_unreadable", {{"key", key}, {"why", stored.error().message}});
        }
        return true;
    };
    const auto scanned = store_.scan(store::Family::manifests, request.prefix, from, visit, &page.damaged);
    if (!scanned) return std::unexpected(scanned.error());
    return resume;
}

Result<Listing> Metadata::list(const ListRequest& request) const {
    Listing page;
    if (request.limit == 0) return page;
    std::string from = request.prefix;
    if (!request.after.empty()) {
        const auto group = group_of(request.after, request);
        const std::string next = group.empty() ? request.after + '\0' : after_prefix(group);
        if (next.empty()) return page;
        from = std::max(from, next);
    }
    for (;;) {
        auto resume = list_some(request, from, page);
        if (!resume) return std::unexpected(resume.error());
        if (resume->empty()) return page;
        from = std::move(*resume);
    }
}

} // namespace dwcp::manager
