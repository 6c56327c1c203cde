// The ramp on this node: the actor at "ramp/0". It follows the journal (ramp_journal.hpp), and on the one
// node that is the ramp's host it drives protocols/ramp's Ramp: it polls every node, feeds what it saw, and
// performs the effects.
//
// Host: whoever was asked for `ramp start` takes over with a took_over record. While a ramp is under way and
// neither this node nor any other that answers it has heard of the host for `takeover_after`, the first by
// name of the nodes that are up takes over with the next term; the second if nobody did for twice as long,
// and so on. A node that is not the host only follows; what it must do about weights it does without this
// actor (runtime/release), so that a rollback needs no actor of the other nodes.
//
// Polls are at the same time how directives reach the nodes and how leases are renewed: a node that missed a
// directive gets it with the next poll. A new directive goes out at once, to all nodes together. A host that
// hears of no majority renews its own lease no more: the others may have another host already.
//
// Life cycle: started by the supervisor as often as needed. Everything durable is in the journal; a new life
// reads it, and if this node is the host it takes the last record up again. Proposals to the control lane are
// the same command when they are made again.
#pragma once

#include "actors/ramp/evidence_store.hpp"
#include "actors/ramp/exercise.hpp"
#include "actors/ramp/messages.hpp"
#include "actors/ramp/ramp_journal.hpp"
#include "runtime/base/events.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/caf/actor.hpp"
#include "runtime/chaos/kill_points.hpp"
#include "runtime/links/control/control_links.hpp"

#include <functional>
#include <vector>

namespace dwcp::ramp {

struct RampOptions {
    NodeName self;
    std::vector<NodeName> members; ///< This node included.
    Duration poll_interval{};
    Duration lease{};
    Duration takeover_after{};
};

/// All of it outlives the actor.
struct RampServices {
    RampJournal& journal;
    EvidenceStore& evidence;
    ExerciseRunner& exercises;
    links::ControlLinks& links;
    WorkerPool& pool;
    EventRing& events;
    chaos::KillPoints& kill_points;
    std::function<void(const Directive&)>
        obey;                           ///< Puts it in force on this node, unless there is a newer one.
    std::function<NodeReport()> report; ///< This node's, without waiting for anybody.
    PlanReader read_plan;
    std::function<TimePoint()> host_heard; ///< When the host last told this node a directive.
    std::function<UnixMillis()> clock = unix_now_ms;
};

caf::actor spawn_ramp(caf::actor_system& system, actor::ActorContext context, RampOptions options,
                      RampServices services);

} // namespace dwcp::ramp
