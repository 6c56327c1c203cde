// What a lane's actor is asked. Lane actors live at "consensus/<lane>": "consensus/metadata",
// "consensus/bulk".
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/consensus/lane.hpp"
#include "runtime/links/control/control_links.hpp"

#include <memory>
#include <string>
#include <vector>

namespace dwcp::consensus {

/// The answer to SubmitCommand: the command is on disk on a quorum and applied on this node.
struct CommandCommitted {
    LogIndex index = 0;
    std::uint64_t time_ms = 0;
    bool duplicate = false; ///< The id had been committed before; this is the earlier outcome.
    Bytes result;           ///< What the state machine answered.
};

/// Any member takes commands; it forwards to the sequencer and answers when the entry is committed and
/// applied here. Errors: unavailable (no sequencer or no quorum before the deadline; it may still commit: ask
/// again with the same id), too_large, invalid_argument, or what the state machine refused.
struct SubmitCommand {
    using Reply = CommandCommitted;
    Command command;
    Duration deadline{};
    WorkloadId trace;
};

struct LaneStatus {
    Status status;
};
struct QueryLane {
    using Reply = LaneStatus;
};

/// Committed entries after `after`, in order, each once per subscription; sent to the actor at `subscriber`
/// as EntriesCommitted requests, one in flight at a time. A subscriber that restarts subscribes again from
/// the last index it handled.
struct Subscribed {};
struct Subscribe {
    using Reply = Subscribed;
    std::string subscriber;
    LogIndex after = 0;
};
struct EntriesCommitted {
    using Reply = Subscribed;
    std::string lane;
    std::vector<Entry> entries;
};

/// A peer of the control links went up or down.
struct PeerChanged {
    using Reply = Subscribed;
    links::PeerState peer;
};

} // namespace dwcp::consensus
