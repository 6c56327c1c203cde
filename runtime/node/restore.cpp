#include "runtime/node/restore.hpp"

#include "actors/compression/codec.hpp"
#include "actors/manager/metadata.hpp"
#include "protocols/wire/lane.hpp"
#include "runtime/node/tree.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::node {
namespace {

using store::Family;

/// What the lanes made of their logs; learned again when these are replayed.
constexpr const char* kLanePrefixes[] = {"lane/", "ref/", "tx/", "metadata/", "ramp/"};
/// Keys removed in one write.
constexpr std::size_t kEraseBatch = 10'000;
/// More would only repeat what the first ones say.
constexpr std::size_t kProblemsMax = 100;
constexpr std::size_t kMemoryBytes = 64U << 20;

std::string hard_key(const std::string& lane) { return "lane/" + lane + "/hard"; }

class Problems {
  public:
    explicit Problems(std::vector<std::string>& list) : list_(list) {}
    void add(std::string text) {
        if (list_.size() < kProblemsMax) list_.push_back(std::move(text));
    }
    void add(const Result<void>& outcome) {
        if (!outcome) add(outcome.error().message);
    }

  private:
    std::vector<std::string>& list_;
};

/// The blocks that an object needs, its index blocks included.
Result<std::vector<Hash256>> blocks_of(const wire::Manifest& manifest, const store::Store& copy) {
    std::vector<Hash256> hashes;
    for (const auto& ref : manifest.blocks)
        hashes.push_back(ref.hash);
    for (const auto& ref : manifest.index_blocks) {
        hashes.push_back(ref.hash);
        const auto block = copy.get_block(ref.hash);
        if (!block) return std::unexpected(block.error());
        const auto raw = compression::decode_verified(*block);
        if (!raw) return std::unexpected(raw.error());
        const auto listed = wire::decode_block_list(**raw);
        if (!listed) return std::unexpected(listed.error());
        for (const auto& listed_ref : *listed)
            hashes.push_back(listed_ref.hash);
    }
    return hashes;
}

void check_object(const std::string& key, ByteView value, const NodeName& node, const store::Store& copy,
                  Problems& problems) {
    const auto stored = manager::Metadata::decode_stored(value);
    if (!stored) return problems.add(fmt::format("object {}: {}", key, stored.error().message));
    if (std::ranges::find(stored->manifest.replicas, node) == stored->manifest.replicas.end()) return;
    const auto hashes = blocks_of(stored->manifest, copy);
    if (!hashes) return problems.add(fmt::format("object {}: {}", key, hashes.error().message));
    for (const Hash256& hash : *hashes)
        if (!copy.has_block(hash))
            problems.add(fmt::format("object {}: block {} is missing", key, hash.hex()));
}

Result<void> check_store(const std::string& path, const backup::Backup& backup, Verification& found,
                         const backup::Progress& progress) {
    const auto copy = store::Store::open({path + "/store", kMemoryBytes, true});
    if (!copy) return std::unexpected(copy.error());
    const store::Store& store = **copy;
    Problems problems(found.problems);
    problems.add(store.scan(Family::manifests, "", "", [&](std::string_view key, ByteView value) {
        ++found.objects;
        check_object(std::string(key), value, backup.node, store, problems);
        return true;
    }));
    for (const Family family : {Family::journal, Family::state})
        problems.add(store.scan(family, "", "", [](std::string_view, ByteView) { return true; }));
    bool stopped = false;
    problems.add(store.scan_blocks([&](const Hash256& hash, std::uint32_t stored_bytes) {
        ++found.blocks;
        const auto block = store.get_block(hash);
        const auto raw = block ? compression::decode_verified(*block) : std::unexpected(block.error());
        if (!raw) problems.add(raw.error().message);
        stopped = progress && !progress(stored_bytes);
        return !stopped;
    }));
    if (stopped) return fail(Errc::cancelled, "stopped before it was complete");
    return {};
}

Result<void> erase_all(store::Store& store, Family family, const std::string& prefix) {
    for (;;) {
        store::Batch batch;
        std::size_t keys = 0;
        const auto scanned = store.scan(family, prefix, prefix, [&](std::string_view key, ByteView) {
            batch.erase(family, key);
            return ++keys < kEraseBatch;
        });
        if (!scanned && scanned.error().code != Errc::corrupted) return scanned;
        if (keys == 0) return scanned;
        if (auto written = store.write(batch, store::Sync::no); !written) return written;
    }
}

/// Whether the copy knows something that the sequencer's does not.
bool is_ahead(const backup::Backup& backup) {
    return std::ranges::any_of(backup.cut, [&](const auto& cut) {
        const auto own = backup.lanes.find(cut.first);
        return own != backup.lanes.end() &&
               (own->second.last > cut.second.last || own->second.epoch > cut.second.epoch);
    });
}

Result<void> adjust_store(const std::string& directory, const backup::Backup& backup, bool give_up_lanes) {
    auto opened = store::Store::open({directory, kMemoryBytes});
    if (!opened) return std::unexpected(opened.error());
    store::Store& store = **opened;
    if (give_up_lanes) {
        if (auto erased = erase_all(store, Family::manifests, ""); !erased) return erased;
        for (const char* prefix : kLanePrefixes)
            if (auto erased = erase_all(store, Family::state, prefix); !erased) return erased;
    }
    const auto metadata = backup.cut.find("metadata");
    const std::uint64_t until = give_up_lanes && metadata != backup.cut.end() ? metadata->second.last : 0;
    store::Batch batch;
    if (until > 0) batch.put(Family::state, kReplayKey, as_bytes(std::to_string(until)));
    return store.write(batch, store::Sync::yes);
}

} // namespace

Result<backup::LaneEnds> lane_ends(const store::Store& store) {
    backup::LaneEnds ends;
    for (const std::string lane : kLanes) {
        const auto value = store.get(Family::state, hard_key(lane));
        if (!value) return std::unexpected(value.error());
        if (!*value) continue;
        const auto hard = wire::decode_lane_hard_state(**value);
        if (!hard) return std::unexpected(hard.error());
        ends[lane] = {hard->last, hard->epoch};
    }
    return ends;
}

Result<Verification> verify_backup(const std::string& path, const backup::Progress& progress) {
    const auto backup = backup::read_backup(path);
    if (!backup) return std::unexpected(backup.error());
    Verification found;
    found.files = backup->files.size();
    auto problems = backup::verify_files(path, *backup, progress);
    if (!problems) return std::unexpected(problems.error());
    found.problems = std::move(*problems);
    // RocksDB trusts its files more than we do: a store with a wrong one is not opened.
    if (!found.problems.empty()) return found;
    if (auto checked = check_store(path, *backup, found, progress); !checked) {
        if (checked.error().code == Errc::cancelled) return std::unexpected(checked.error());
        found.problems.push_back(checked.error().message);
    }
    return found;
}

Result<Restored> restore_node(const config::NodeConfig& config, const std::string& path,
                              const backup::Progress& progress) {
    auto backup = backup::read_backup(path);
    if (!backup) return std::unexpected(backup.error());
    if (backup->node != config.name || backup->cluster != config.cluster_id)
        return fail(Errc::precondition_failed,
                    fmt::format("the backup is of node {} of cluster {}, the configuration is of node {} of "
                                "cluster {}",
                                backup->node, backup->cluster, config.name, config.cluster_id),
                    "give that node's configuration, or another backup");
    const bool give_up_lanes = is_ahead(*backup);
    const auto restored =
        backup::restore_files(path, *backup, config.data_dir, progress, [&](const std::string& store) {
            return adjust_store(store, *backup, give_up_lanes);
        });
    if (!restored) return std::unexpected(restored.error());
    return Restored{std::move(*backup), give_up_lanes};
}

} // namespace dwcp::node
