// What a lane drives: a deterministic state machine whose state lives in the store.
#pragma once

#include "protocols/base/result.hpp"
#include "protocols/consensus/lane.hpp"
#include "runtime/store/store.hpp"

namespace dwcp::consensus {

/// Called by the lane only, in log order, exactly once an entry, on every member; apply() and applied() on a
/// worker thread, one at a time, and check() on the lane's actor, maybe at the same time.
class StateMachine {
  public:
    virtual ~StateMachine() = default;
    /// Whether a command is well-formed; asked before it is proposed, so that nonsense never enters the log.
    virtual Result<void> check(const Command& command) const = 0;
    /// Adds the entry's effects to `batch`, which is written together with the lane's applied index, so an
    /// entry's effects are there exactly if it counts as applied. Returns the answer for the submitter. Must
    /// depend on state and entry alone.
    virtual Bytes apply(const Entry& entry, store::Batch& batch) = 0;
    /// Called after the batch is written; for what is not state: waking waiters, collecting garbage. The
    /// batch is not synced, since the log is: after a power failure the last entries may be applied, and this
    /// called, again, from the state before them.
    virtual void applied(const Entry& entry) = 0;
};

} // namespace dwcp::consensus
