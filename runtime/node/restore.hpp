// Building a node's data directory from a backup, and proving that a backup is good. Both work on files
// alone, without a running node: `dwcp-node --config FILE --restore BACKUP`, `dwcp-node --verify-backup
// BACKUP`, and the verb `backup verify`.
//
// A backup of a whole cluster is one backup a node with the same set. The sequencer's copy was taken first,
// so the others may hold entries and objects that it lacks; whoever does gives its copy of the lanes up at
// the restore and learns them again from the sequencer, while its blocks stay. What was acknowledged before
// the backup began is there afterwards; what came later may be gone.
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/backup/backup.hpp"
#include "runtime/config/config.hpp"
#include "runtime/store/store.hpp"

#include <string>
#include <vector>

namespace dwcp::node {

/// Set in a restored store: no block may be swept before the lanes have caught up to what it says, because
/// nobody knows until then which blocks are needed.
inline constexpr const char* kReplayKey = "restore/replay";

struct Verification {
    std::vector<std::string> problems; ///< Empty: the backup is good.
    std::uint64_t files = 0;
    std::uint64_t objects = 0; ///< Manifests that were read.
    std::uint64_t blocks = 0;  ///< Decoded, and compared with their SHA-256.
};

/// Reads every byte: each file against its SHA-256, each record against its checksum, each block's content
/// against its hash, and that each block is there that a manifest places on this node.
Result<Verification> verify_backup(const std::string& path, const backup::Progress& progress);

struct Restored {
    backup::Backup backup;
    bool lanes_given_up = false; ///< They will be learned from the sequencer.
};

/// Errors: the backup is another node's or cluster's than the configuration says, is damaged, or
/// config.data_dir holds a node already.
Result<Restored> restore_node(const config::NodeConfig& config, const std::string& path,
                              const backup::Progress& progress);

/// Where the lanes of a store end.
Result<backup::LaneEnds> lane_ends(const store::Store& store);

} // namespace dwcp::node
