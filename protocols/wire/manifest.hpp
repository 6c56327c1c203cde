// An object as the cluster knows it, the journal's and the transactions' records, and their encodings
// (schema/objects.capnp).
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "protocols/wire/block.hpp"
#include "protocols/wire/condition.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::wire {

/// 255 bytes would suit a file name; keys are paths.
inline constexpr std::size_t kKeyBytesMax = 1024;
inline constexpr std::size_t kContentTypeBytesMax = 255;
inline constexpr std::size_t kReplicasMax = 16;
/// Up to here a manifest lists its blocks itself (12 KiB of a 32 KiB command); above, index blocks hold the
/// list.
inline constexpr std::size_t kInlineBlocksMax = 256;
/// References that fit one index block of 1 MiB.
inline constexpr std::size_t kRefsPerIndexBlock = 20000;
inline constexpr std::size_t kIndexBlocksMax = 64;
/// Blocks of the largest object that a manifest can describe: 1.2 TiB of full blocks.
inline constexpr std::size_t kObjectBlocksMax = kRefsPerIndexBlock * kIndexBlocksMax;
/// Codec choices counted in one record; this version knows a dozen.
inline constexpr std::size_t kCodecsCountedMax = 64;

struct Manifest {
    std::string key;
    WorkloadId workload;
    std::uint64_t size_bytes = 0;
    Hash256 sha256; ///< Of the whole content.
    std::string content_type;
    UnixMillis created_ms = 0;
    std::vector<NodeName> replicas;     ///< Nodes that hold every block, the index blocks included.
    std::vector<BlockRef> blocks;       ///< In order of content; empty if index_blocks is not.
    std::vector<BlockRef> index_blocks; ///< In order; each decodes to a block list.

    bool operator==(const Manifest&) const = default;
};

/// Keys are 1..1024 bytes of UTF-8 without control characters, no empty, "." or ".." segment, no leading or
/// trailing slash.
Result<void> check_key(std::string_view key);

Bytes encode(const Manifest& manifest);
/// Checks every limit and every field; Errc::corrupted or Errc::invalid_argument says which.
Result<Manifest> decode_manifest(ByteView bytes);

/// Errc::invalid_argument: a length of 0 or over its limit, or a codec that this version does not know.
Result<void> check_block_ref(const BlockRef& ref);

Bytes encode_block_list(const std::vector<BlockRef>& blocks);
Result<std::vector<BlockRef>> decode_block_list(ByteView bytes);

/// A command of the metadata lane: either commit (manifest) or erase (key).
struct MetadataCommand {
    bool erase = false;
    std::string key;
    Manifest manifest;
    std::uint64_t base = 0; ///< Of a commit: the lane's index that the proposer had applied at the seal.
    Condition condition{};  ///< Must hold of the object when the command is applied.
};
Bytes encode(const MetadataCommand& command);
/// As decode_manifest(), and the blocks must add up to the object's size.
Result<MetadataCommand> decode_metadata_command(ByteView bytes);

/// What the blocks of a workload add up to.
struct BlockTotals {
    std::uint64_t blocks = 0;
    std::uint64_t stored_bytes = 0;
    std::map<CodecChoice, std::uint64_t> by_codec; ///< Blocks of each.

    void add(const BlockRef& ref);
    bool operator==(const BlockTotals&) const = default;
};

/// One line of the manager's journal: where a workload stands.
struct JournalRecord {
    enum class State : std::uint8_t { open, sealed, committed, failed };
    State state = State::open;
    /// While open only key, workload, content type and creation time are filled; the block lists only while
    /// sealed.
    Manifest manifest;
    BlockTotals totals;              ///< From the seal on.
    std::vector<NodeName> placement; ///< Where the replicas are to be.
    std::string reason;
    UnixMillis updated_ms = 0;
    std::uint64_t base = 0;        ///< The metadata lane's index applied here at the seal.
    std::uint64_t index = 0;       ///< In the metadata lane, once committed.
    Condition condition{};         ///< What the client demands of the object that this one replaces.
    Errc failure = Errc::internal; ///< Of a failed one; internal also if an earlier version wrote it.
    UnixMillis expires_ms = 0;     ///< Of a multi-part upload: its parts are kept until then; 0: it is none.
    std::optional<CodecChoice> pinned{}; ///< The codec that the client chose.

    bool is_multipart() const { return expires_ms != 0; }
    bool operator==(const JournalRecord&) const = default;
};
Bytes encode(const JournalRecord& record);
Result<JournalRecord> decode_journal_record(ByteView bytes);

/// As S3 numbers them: 1 to 10,000.
inline constexpr std::uint32_t kPartNumberMax = 10'000;

/// A part of a multi-part upload that was acknowledged. It has at most kRefsPerIndexBlock blocks: 19 GiB.
struct UploadPart {
    std::uint32_t number = 0; ///< 1..kPartNumberMax.
    std::uint64_t size_bytes = 0;
    Hash256 sha256;
    UnixMillis updated_ms = 0;
    std::vector<BlockRef> blocks;

    bool operator==(const UploadPart&) const = default;
};
Bytes encode(const UploadPart& part);
/// The blocks must add up to the part's size.
Result<UploadPart> decode_upload_part(ByteView bytes);

/// What a node keeps of a committed transaction.
struct TransactionRecord {
    std::uint64_t index = 0;
    std::uint64_t time_ms = 0;
    NodeName proposer;
    std::uint64_t payload_bytes = 0;
    Hash256 payload_sha256;

    bool operator==(const TransactionRecord&) const = default;
};
Bytes encode(const TransactionRecord& record);
Result<TransactionRecord> decode_transaction_record(ByteView bytes);

/// What a node tells the others about its room for blocks.
struct NodeSpace {
    std::uint64_t capacity_bytes = 0;
    std::uint64_t used_bytes = 0;
    bool draining = false;

    bool operator==(const NodeSpace&) const = default;
};
Bytes encode(const NodeSpace& space);
Result<NodeSpace> decode_node_space(ByteView bytes);

} // namespace dwcp::wire
