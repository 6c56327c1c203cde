// A lane: an ordered log of commands, applied exactly once to a replicated state machine on every member.
//
// These are the words that every engine shares. The plain engine behind them is MajorityWrite
// (majority_write.hpp); the consensus engines replace it without a change for those who submit and subscribe.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/ids.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace dwcp::consensus {

/// A command must fit a control frame together with its envelope and a few neighbours.
inline constexpr std::size_t kCommandBytes = 32U << 10;

/// Position in a lane's log: 1, 2, 3, ... without gaps.
using LogIndex = std::uint64_t;

/// What a client wants ordered. `id` and `sequence` make it exactly-once: of a client's commands only one
/// with a higher sequence than the last applied is applied; the last one again is answered with its earlier
/// outcome.
struct Command {
    std::string id; ///< Of the client, 1..64 characters, unique in the lane; whoever wants one thing done
                    ///< makes up an id for it.
    Bytes payload;  ///< 1..kCommandBytes, meaningful to the state machine only.
    std::uint64_t sequence = 0; ///< Counts up with each command of the client.

    bool operator==(const Command&) const = default;
};

struct Entry {
    LogIndex index = 0;
    std::uint64_t time_ms = 0; ///< Unix milliseconds as the sequencer saw them: the same on every member.
    NodeName proposer;         ///< The member that took the command in.
    Command command;

    bool operator==(const Entry&) const = default;
};

/// How a lane is doing, in words an operator reads.
struct Status {
    std::string lane;
    std::string engine; ///< e.g. "majority-write (no failover, crash faults only)".
    NodeName sequencer;
    std::vector<NodeName> members;
    std::uint32_t quorum = 0;     ///< Members that must have an entry on disk before it is committed.
    std::uint32_t members_up = 0; ///< Including this node.
    LogIndex last_index = 0;      ///< Highest entry in this node's log.
    LogIndex committed = 0;       ///< Highest entry known committed here.
    LogIndex applied = 0;         ///< Highest entry applied here.
    bool available = false;       ///< Whether a command submitted here now can be committed.
    std::string note;             ///< Why not, or the engine's limits.
};

} // namespace dwcp::consensus
