// A lane on this node: one actor at "consensus/<lane>" that runs the engine (protocols/consensus) on the
// node's store, control links and state machine. What it is asked is in messages.hpp; peers reach it as
// service "lane/<lane>".
//
// Life cycle: the supervisor starts it with spawn_lane() as often as needed, one life at a time (the next one
// after the actor system reported the end of the last). A life reads from the store where the lane stands;
// until it has, commands wait. Commands that were under way in a life that ended are refused with
// Errc::unavailable: ask again with the same id. A life whose store fails ends with that error. Ending waits
// for a disk operation that is under way, so that nothing of an old life is written into the next one's log.
//
// The state machine's apply() and applied() run on a worker thread, one entry at a time, each entry's effects
// written before the next is applied; check() may run at the same time.
#pragma once

#include "actors/consensus/messages.hpp"
#include "actors/consensus/state_machine.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/caf/actor.hpp"
#include "runtime/store/store.hpp"

#include <string>
#include <vector>

namespace dwcp::consensus {

/// A few state machines and their readers; each costs a read of what it gets.
inline constexpr std::size_t kSubscribersMax = 64;

struct LaneOptions {
    std::string name; ///< "metadata"
    NodeName self;
    std::vector<NodeName> members; ///< The same on every node.
    NodeName sequencer;
};

/// `pool` is for disk work: each lane keeps at most one write, one apply batch and a read for each peer and
/// subscriber there. The services must outlive the actor. PeerChanged messages to the actor are welcome but
/// not needed: they only save it a heartbeat's time.
caf::actor spawn_lane(caf::actor_system& system, actor::ActorContext context, LaneOptions options,
                      store::Store& store, WorkerPool& pool, links::ControlLinks& links,
                      StateMachine& machine);

} // namespace dwcp::consensus
