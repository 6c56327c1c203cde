// The messages between a lane's members and a lane's records on disk as plain structs, and their Cap'n Proto
// encoding (schema/lane.capnp).
//
// encode() cannot fail. decode() checks every length against its limit before it copies, never throws, and
// returns what owns its memory.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/consensus/lane.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dwcp::wire {

/// A control frame is 64 KiB; this leaves 4 KiB for its envelope and MAC.
inline constexpr std::size_t kLaneMessageBytes = 60U << 10;
inline constexpr std::size_t kLaneIdBytesMax = 64;
inline constexpr std::size_t kLaneTextBytesMax = 512;
/// A state machine's answer may be as large as a command.
inline constexpr std::size_t kLaneResultBytesMax = consensus::kCommandBytes;
/// An entry takes at least 32 bytes, so no message that fits holds more.
inline constexpr std::size_t kLaneEntriesMax = kLaneMessageBytes / 32;

struct LanePropose {
    consensus::Command command;

    bool operator==(const LanePropose&) const = default;
};

enum class ProposeOutcome : std::uint8_t {
    accepted,  ///< In the sequencer's log; not yet committed.
    committed, ///< At `index`: the id was committed before.
    refused,
};

struct LaneProposed {
    std::string id;
    ProposeOutcome outcome = ProposeOutcome::accepted;
    consensus::LogIndex index = 0;
    Errc code = Errc::internal; ///< With `reason`, if refused.
    std::string reason;

    bool operator==(const LaneProposed&) const = default;
};

struct LaneAppend {
    std::uint64_t round = 0; ///< Pairs the answer with this message.
    consensus::LogIndex previous = 0;
    Hash256 chain;                         ///< Digest of the log up to `previous`.
    std::vector<consensus::Entry> entries; ///< previous + 1, previous + 2, ...
    consensus::LogIndex committed = 0;
    bool available = false; ///< Whether the sequencer hears from a quorum.
    std::string note;       ///< Why it refuses to sequence; empty: it does not.

    bool operator==(const LaneAppend&) const = default;
};

struct LaneAppended {
    std::uint64_t round = 0;
    consensus::LogIndex durable = 0;
    std::uint64_t seen_epoch = 0;
    bool diverged = false;

    bool operator==(const LaneAppended&) const = default;
};

struct LaneMessage {
    std::uint64_t epoch = 0; ///< The sequencer's life that this belongs to.
    std::variant<LanePropose, LaneProposed, LaneAppend, LaneAppended> body;

    bool operator==(const LaneMessage&) const = default;
};

/// Texts of our own are cut to kLaneTextBytesMax. An append's entries must be bounded with entry_bytes().
Bytes encode(const LaneMessage& message);
/// Errc::too_large or Errc::invalid_argument.
Result<LaneMessage> decode_lane_message(ByteView bytes);

/// An upper bound of what an entry adds to an append; the rest of it stays below kLaneAppendOverheadBytes.
std::size_t entry_bytes(const consensus::Entry& entry);
inline constexpr std::size_t kLaneAppendOverheadBytes = 1024;

/// An entry on disk. The chain makes two logs that differ anywhere before an index differ at it too.
struct LaneRecord {
    consensus::Entry entry;
    Hash256 chain;

    bool operator==(const LaneRecord&) const = default;
};

Bytes encode(const LaneRecord& record);
/// Errc::corrupted.
Result<LaneRecord> decode_lane_record(ByteView bytes);

/// What a member knows about its log as a whole.
struct LaneHardState {
    std::uint64_t epoch = 0; ///< Sequencer: its current life. Others: the latest they heard of.
    bool formed = false;     ///< Sequencer: the other members confirmed that the lane is new.
    consensus::LogIndex last = 0;
    Hash256 chain; ///< Digest of the log up to `last`.

    bool operator==(const LaneHardState&) const = default;
};

Bytes encode(const LaneHardState& state);
/// Errc::corrupted.
Result<LaneHardState> decode_lane_hard_state(ByteView bytes);

struct LaneOutcome {
    std::string id;
    std::uint64_t time_ms = 0;
    Bytes result;

    bool operator==(const LaneOutcome&) const = default;
};

Bytes encode(const LaneOutcome& outcome);
/// Errc::corrupted.
Result<LaneOutcome> decode_lane_outcome(ByteView bytes);

} // namespace dwcp::wire
