// What a manager is asked. Managers live at "manager/0", "manager/1", ...; a workload stays with the one its
// key hashes to. Every request may arrive twice (a restarted manager is asked again): the workload id and
// block hashes make that harmless.
//
// A request may carry the client's deadline: what has not been begun by then is refused with
// Errc::deadline_exceeded. Work that is under way beyond recall (a journaled seal, a submitted command) goes
// on to its end whatever the deadline.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/health/urgency.hpp"
#include "protocols/wire/block.hpp"
#include "protocols/wire/manifest.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::manager {

/// Admits a workload, places its replicas and journals it. Errors: resource_exhausted (rate, bulkhead,
/// capacity), precondition_failed (placement impossible), invalid_argument.
struct PutBegun {
    std::vector<NodeName> placement;
};
struct BeginPut {
    using Reply = PutBegun;
    WorkloadId id;
    std::string key;
    std::string content_type;
    std::optional<std::uint64_t> size_bytes; ///< As announced by the client.
    std::uint32_t replicas = 0;              ///< 0: the node's default.
    std::optional<CodecChoice> codec;        ///< Pins the codec; nullopt: the selector chooses per block.
    wire::Condition condition{};             ///< Must hold of the object when this one is committed.
    /// Not 0: a multi-part upload. It stays open, across restarts of the node, until it is sealed, aborted or
    /// this time has come. resource_exhausted: too many are open.
    UnixMillis expires_ms = 0;
    health::Urgency urgency{};
};

/// Takes a block in: hash, choose a codec, encode, store here, start shipping to the replicas.
struct BlockAccepted {
    BlockRef ref;
};
struct PutBlock {
    using Reply = BlockAccepted;
    WorkloadId id;
    std::uint32_t index = 0;
    SharedBytes raw; ///< 1..kBlockBytes.
    TimePoint deadline = health::kNoDeadline;
};

/// All blocks are in: make them durable here, complete the replicas, commit the manifest. Errors: what the
/// workload failed with, condition_failed among them; every repetition gets the same.
struct PutReceipt {
    wire::Manifest manifest; ///< Without its block list, which may be long.
    std::uint64_t index = 0; ///< Position in the metadata lane.
    std::uint64_t stored_bytes = 0;
    std::uint64_t blocks = 0;
    std::map<std::string, std::uint64_t> blocks_by_codec;
    std::string releases{}; ///< "manager=canary, selector=stable"; empty: not known any more.
};
struct SealPut {
    using Reply = PutReceipt;
    WorkloadId id;
    std::vector<BlockRef> blocks;
    std::uint64_t size_bytes = 0;
    Hash256 sha256;
    /// Of a multi-part upload, instead of the one at its begin.
    std::optional<wire::Condition> condition{};
    TimePoint deadline = health::kNoDeadline;
};

struct Acknowledged {};
/// The client went away or its data was wrong: forget the workload and report it as failed.
struct AbortPut {
    using Reply = Acknowledged;
    WorkloadId id;
    std::string reason;
};

/// A part of a multi-part upload begins: it holds a place of the bulkhead, and takes a token of the rate,
/// until KeepPart or EndPart. Its blocks come as PutBlock under the upload's id. Errors: not_found,
/// precondition_failed (it is complete or ended), too_large, resource_exhausted.
struct BeginPart {
    using Reply = Acknowledged;
    WorkloadId upload;
    WorkloadId attempt;           ///< Names this try of the part.
    std::uint64_t size_bytes = 0; ///< As announced; 0: unknown.
    health::Urgency urgency{};
};
/// All blocks of the part are in: after the answer it outlives a crash. One of the same number is replaced.
struct KeepPart {
    using Reply = Acknowledged;
    WorkloadId upload;
    WorkloadId attempt;
    wire::UploadPart part;
};
/// The part will not come; its blocks stay pinned until the upload ends, for the next try.
struct EndPart {
    using Reply = Acknowledged;
    WorkloadId upload;
    WorkloadId attempt;
};

/// What is known of a part without its blocks.
struct PartReport {
    std::uint32_t number = 0;
    std::uint64_t size_bytes = 0;
    Hash256 sha256;
    UnixMillis updated_ms = 0;
};
struct UploadReport {
    WorkloadId id;
    std::string key;
    std::string content_type;
    std::string state; ///< As a workload's.
    UnixMillis created_ms = 0;
    UnixMillis expires_ms = 0;
    std::vector<NodeName> placement;
    std::vector<PartReport> parts; ///< By number; only if asked for by id, while open.
    std::uint64_t size_bytes = 0;  ///< Of its parts.
};
struct UploadReports {
    std::vector<UploadReport> list;
};
/// The open multi-part uploads, oldest first; with `id` that one, also if it has ended (empty: unknown).
struct QueryUploads {
    using Reply = UploadReports;
    WorkloadId id{};
};

/// An open upload's parts with their blocks, by number.
struct PartsRead {
    std::vector<wire::UploadPart> list;
};
struct ReadParts {
    using Reply = PartsRead;
    WorkloadId upload;
};

struct ObjectDeleted {
    bool existed = false;
    std::uint64_t index = 0;
};
struct DeleteObject {
    using Reply = ObjectDeleted;
    WorkloadId id; ///< Makes it exactly-once, like a put's.
    std::string key;
    wire::Condition condition{}; ///< Errc::condition_failed if it does not hold.
    TimePoint deadline = health::kNoDeadline;
};

/// A block's raw content, verified: from the store here, else from a replica; a corrupt copy here is repaired
/// on the way.
struct BlockFetched {
    SharedBytes raw;
};
struct FetchBlock {
    using Reply = BlockFetched;
    BlockRef ref;
    std::vector<NodeName> replicas;
    WorkloadId trace;
    TimePoint deadline = health::kNoDeadline;
};

/// Being placed, and not in the journal yet: a node that dies now forgets it.
inline constexpr const char* kStarting = "starting";

struct WorkloadReport {
    WorkloadId id;
    std::string key;
    std::string state; ///< kStarting, "open", "sealed", "committed", "failed".
    std::string reason;
    std::string manager;
    UnixMillis updated_ms = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t index = 0;
    bool resumed = false; ///< Taken up again from the journal after a restart.
};
struct WorkloadReports {
    std::vector<WorkloadReport> list;
    std::map<std::string, std::size_t> counts; ///< By state, of all that match: the list is cut to its limit.
};
/// Reports in one answer.
inline constexpr std::size_t kReportsMax = 1000;
/// Newest first; with `id` just that one (empty list: unknown).
struct QueryWorkloads {
    using Reply = WorkloadReports;
    WorkloadId id{};
    std::string state{};             ///< Only those in this state; empty: all.
    std::size_t limit = kReportsMax; ///< At most kReportsMax.
};

} // namespace dwcp::manager
