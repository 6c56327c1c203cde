// A supervisor: starts its children in order, publishes each life in the resolver, and brings back what ends.
// protocols/supervision decides; this actor performs. Supervisors nest: the root lives at "supervisor", the
// others at "supervisor/NAME".
//
// Life cycle: the node spawns the root from a Plan; each supervisor spawns those below it as its children. A
// child counts as started when it answers AwaitReady (runtime/caf/actor.hpp), a supervisor when all below it
// have been. An orderly exit (user_shutdown) ends the children one by one in reverse order, each after the
// one before has ended, and then the supervisor: whoever waits for it knows that nothing below runs any more.
//
// A nested supervisor that ends otherwise is one more death for its parent, which ends what it left behind
// before it starts it again. The root's own unexpected end, or its escalation, is the end of the node:
// `on_lost` is called so that the process stops and its service manager starts it afresh.
//
// What the tree remembers across lives of nested supervisors (restarts, quarantines, good releases) is in
// TreeMemory.
#pragma once

#include "actors/supervisor/board.hpp"
#include "actors/supervisor/offspring_actor.hpp"
#include "protocols/supervision/restart_budget.hpp"
#include "protocols/supervision/spec.hpp"
#include "runtime/base/events.hpp"
#include "runtime/caf/actor.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace dwcp::supervisor {

struct Plan;

struct Child {
    supervision::ChildSpec spec; ///< spec.id is the path.
    /// Spawns the actor. An exception or an empty handle counts as a life that ended at once. Not for a
    /// nested supervisor.
    std::function<caf::actor(actor::ActorContext)> start{};
    /// Restores, before each start, the state that the actor will work on; empty: nothing is to be restored.
    /// Must not block: it calls `done` once, from any thread, within spec.recovery_timeout; what comes later
    /// is dropped, and recovery may have begun anew by then.
    std::function<void(std::function<void(Result<void>)> done)> recover{};
    /// The release that a life started now would run; empty: it has no releases. Called often, must be quick.
    std::function<std::string()> release{};
    /// Whether that release is only being tried: it then becomes no last good one. Empty: it never is.
    std::function<bool()> on_trial{};
    /// Goes back to `to` because the actor crash-loops on `from`, before it is started again: release() says
    /// `to` from then on.
    std::function<Result<void>(const std::string& from, const std::string& to, const std::string& reason)>
        roll_back{};
    /// Not null: this child is a supervisor.
    std::shared_ptr<const Plan> below{};
};

/// A supervisor with all that is below it.
struct Plan {
    supervision::SupervisorSpec spec; ///< spec.children is filled from `children`.
    std::vector<Child> children;      ///< In start order.
};

/// As the child of another. It is given the time that its children may need to stop.
Child nested(std::shared_ptr<const Plan> plan, supervision::Backoff backoff);

/// Of all actors of the tree that are no supervisors, in start order.
std::vector<std::string> workers_of(const Plan& plan);

/// What the supervisors of one node share, and what outlives each of them.
struct TreeMemory {
    explicit TreeMemory(supervision::BudgetLimits limits = {}) : budget(limits) {}
    Board board;
    Offspring offspring;
    std::mutex budget_mutex;
    supervision::RestartBudget budget;
};

/// Called from any thread, with the code that the process should exit with.
using OnLost = std::function<void(int exit_code)>;

/// The root.
caf::actor spawn_supervisor(caf::actor_system& system, actor::ActorContext context,
                            std::shared_ptr<const Plan> plan, TreeMemory& memory, EventRing& events,
                            OnLost on_lost);

} // namespace dwcp::supervisor
