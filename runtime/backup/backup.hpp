// Backups of a node: whole, self-contained copies in directories of their own.
//
//   DIRECTORY/20261124-085512-site-a/backup.json     what it is, and every file with its SHA-256; written
//   last
//                                    store/...       the store as it was at one moment
//                                    node.key ...    the node's identity and whom it trusts (mode 0600)
//
// A backup without backup.json was cut short and is not one. A file that is the same as in the node's newest
// backup before is a hard link to it, so backups of little change cost little space. Nodes may share a
// directory: each removes its own backups alone.
//
// Life cycle: Backups is made when needed and keeps no state but the path; one create() at a time of a
// node. All calls block on the disk. Used by the node (create, list, verify) and by `dwcp-node
// --restore`.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/ids.hpp"
#include "protocols/base/result.hpp"
#include "runtime/backup/files.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::backup {

/// Of backup.json. A newer one is refused.
inline constexpr std::uint32_t kFormatVersion = 1;
/// A backup.json holds some 150 bytes a file, and a store of 100 TB has about 400,000 files.
inline constexpr std::uint64_t kManifestBytesMax = 256U << 20;

/// Where a lane's log ended.
struct LaneEnd {
    std::uint64_t last = 0;
    std::uint64_t epoch = 0;
    bool operator==(const LaneEnd&) const = default;
};
using LaneEnds = std::map<std::string, LaneEnd>;

struct File {
    std::string path; ///< Relative to the backup's directory.
    std::uint64_t bytes = 0;
    Hash256 sha256;
};

struct Backup {
    std::string id;
    std::string set; ///< Of the backup of a whole cluster that it is part of; empty: of this node alone.
    NodeName node;
    std::string site;
    std::string cluster;
    std::string public_key; ///< The node's, hex.
    std::string version;    ///< Of dwcp-node.
    UnixMillis created_ms = 0;
    double pause_ms = 0; ///< How long writers waited while the moment was fixed.
    LaneEnds lanes;      ///< In this copy.
    LaneEnds cut;        ///< In the sequencer's copy of the same set; empty: this is it, or there is no set.
    std::vector<File> files;

    std::uint64_t bytes() const;
};

std::string to_json(const Backup& backup);
/// Errc::corrupted, with what is wrong; precondition_failed for a newer format.
Result<Backup> parse_backup(std::string_view json);

/// What a backup of a node that is taken now is called.
std::string backup_id(UnixMillis now_ms, const std::string& of);

/// Where the copy comes from.
struct Source {
    std::string store;                        ///< A checkpoint; its files are not changed.
    std::map<std::string, std::string> files; ///< Name in the backup -> path; those that exist are taken.
};

class Backups {
  public:
    explicit Backups(std::string directory) : directory_(std::move(directory)) {}

    /// backup_id() of this second, or of the next one that has no backup yet.
    std::string free_id(UnixMillis now_ms, const std::string& of) const;
    /// Copies; `backup` says all but the files. Leaves nothing complete behind when it fails.
    Result<Backup> create(Backup backup, const Source& source, const Progress& progress) const;
    /// Complete ones, oldest first. What is damaged is left out and named in `problems`.
    Result<std::vector<Backup>> list(std::vector<std::string>* problems = nullptr) const;
    Result<Backup> find(const std::string& id) const;
    std::string path_of(const std::string& id) const { return directory_ + "/" + id; }
    /// The newest complete one of this node.
    Result<std::optional<Backup>> newest(const NodeName& node, const std::string& cluster) const;
    /// Removes a node's oldest complete ones beyond `keep`, and those of it that were cut short. Returns the
    /// ids removed.
    Result<std::vector<std::string>> prune(std::size_t keep, const NodeName& node,
                                           const std::string& cluster) const;

  private:
    const std::string directory_;
};

/// Reads a backup by its directory.
Result<Backup> read_backup(const std::string& path);

/// Every file is there, as long as it says and with its SHA-256, and no other is in the store. Returns what
/// is wrong; empty: nothing.
Result<std::vector<std::string>> verify_files(const std::string& path, const Backup& backup,
                                              const Progress& progress);

/// Copies a backup's files into `data_dir`, checking each against its SHA-256, so that a node finds them at
/// its start: the store, which `adjust` then gets to change, the identity, and node.id last. Without it the
/// directory is no node's, so a restore that was cut short is simply done again. Errc::precondition_failed
/// if a node's state is there already.
Result<void> restore_files(const std::string& path, const Backup& backup, const std::string& data_dir,
                           const Progress& progress,
                           const std::function<Result<void>(const std::string& store)>& adjust);

} // namespace dwcp::backup
