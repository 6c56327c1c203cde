// What goes into a supervisor's decision core and what comes out of it.
//
// A life of a child is named by its incarnation: 1, 2, ... while its supervisor lives. It begins with the
// action Recover or Start and is over with the event Ended. For each life that was begun the shell owes one
// Ended, whatever became of it: an actor that went down, one that could not be made, a recovery that failed
// or was dropped. More than one does no harm.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/supervision/spec.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace dwcp::supervision {

// Events. Those that name a life other than the child's present one, or an unknown child, are dropped and
// counted as stale.

/// Start the children. The first event; later ones are dropped.
struct Begin {};

/// The child's state is restored (or there was none): answer to Recover.
struct Recovered {
    std::string child;
    std::uint64_t incarnation = 0;
};

/// The child said that it is ready: answer to Start.
struct Ready {
    std::string child;
    std::uint64_t incarnation = 0;
};

enum class Exit : std::uint8_t { normal, abnormal };

/// This life is over: nothing of it runs any more.
struct Ended {
    std::string child;
    std::uint64_t incarnation = 0;
    Exit exit = Exit::normal;
    std::string reason; ///< For people. At most kReasonMax bytes are kept.
};

/// The time of a WakeAt has come. One that a later WakeAt replaced is dropped.
struct Wake {
    std::uint64_t generation = 0;
};

/// What an operator may ask for. Supervisor::check() says whether it is possible now; step() drops what is
/// not. None of them counts against intensity or the node's budget, but the restart after a kill.
enum class Verb : std::uint8_t {
    kill,    ///< End it by force. It comes back as it would after a crash; a stop or restart that is under
             ///< way goes on, faster.
    restart, ///< Stop it with grace and start it at once; together with those whom the strategy takes along.
    quarantine, ///< Stop it with grace and keep it down, whatever else asks for it, until resume.
    resume,     ///< End a quarantine: start it at once, with a clean record.
    stop,       ///< Stop it with grace; it stays down, whatever its siblings do, until start or restart.
    start,      ///< Start one that is down, or waits to be restarted, at once.
};

struct Command {
    std::string child;
    Verb verb = Verb::restart;
    std::string who;    ///< Of a quarantine: "who: reason" is shown while it lasts.
    std::string reason; ///< Of a quarantine.
};

/// The release that the child's next life runs; restarts nothing by itself. The record of crashes starts
/// afresh, so the new release is judged by its own deaths.
struct NewRelease {
    std::string child;
    std::string release;
    bool on_trial =
        false; ///< However calmly it runs, it becomes no last good one; told again when that ends.
};

/// Stop all children in reverse order, then Finished{normal}.
struct Shutdown {
    bool leave_stuck = false; ///< For the root, whose process ends next: do not wait for a child that
                              ///< survives Kill for kKillPatience.
};

using Event = std::variant<Begin, Recovered, Ready, Ended, Wake, Command, NewRelease, Shutdown>;

// Actions. To be performed in their order. What happens while one is performed (an actor that cannot be made)
// is fed as a new event after the last of them.

/// Restore the child's state from the store, then Recovered; or Ended if that fails. A life begins.
struct Recover {
    std::string child;
    std::uint64_t incarnation = 0;
    std::string release; ///< That the life will run.
};

/// Create the child, then Ready once it said so; or Ended. A life begins, unless Recover began it.
struct Start {
    std::string child;
    std::uint64_t incarnation = 0;
    std::string release;
};

/// Ask the child to end. The core sends Kill when the grace is over. A life that was not started yet, because
/// it recovers or has recovered after its end was decided: drop it, Ended.
struct Stop {
    std::string child;
    std::uint64_t incarnation = 0;
    Duration grace{}; ///< How long it has.
};

/// End the child by force. One that was not started yet: as for Stop.
struct Kill {
    std::string child;
    std::uint64_t incarnation = 0;
};

/// Arm a timer that sends Wake{generation} at this time. Replaces the one before; a core has one timer.
struct WakeAt {
    TimePoint at{};
    std::uint64_t generation = 0;
};

/// An automatic restart was decided: the event and counter that operators see.
struct Report {
    std::string child;
    std::uint64_t incarnation = 0; ///< Of the life that ended.
    std::uint64_t restarts = 0; ///< Of this child by its own deaths since the core was made, this included.
    Duration delay{};           ///< Before it starts.
    std::string reason;         ///< Why the life ended.
    std::vector<std::string> along; ///< Siblings that are restarted with it, in start order.
};

/// The node's restart budget is empty: the restart that was reported waits until then, at least. Told once a
/// restart.
struct Delayed {
    std::string child;
    TimePoint until{};
};

/// The child crash-loops on release `from`; its next life runs `to`, its last good one. Do what a change of
/// release needs besides Start (switch parameters and state), before the Start that follows; if that fails,
/// report the new life as Ended.
struct RollBack {
    std::string child;
    std::string from;
    std::string to;
    std::string reason;
};

/// The child is down, or being stopped, until an operator resumes it.
struct Quarantined {
    std::string child;
    std::string reason; ///< With who asked for it, where that was an operator.
};

/// The child still lives kKillPatience after Kill: it is busy and does not look at its mailbox. The core
/// waits on, since a second life beside it would be worse. Told once a life.
struct Stuck {
    std::string child;
    std::uint64_t incarnation = 0;
};

/// One restart too many. What is done about it has begun (Stop and Kill follow by themselves; Finished after
/// the last); the shell tells the operators.
struct Escalate {
    Escalation how = Escalation::parent;
    std::string child; ///< Whose death it was.
    std::string reason;
};

/// The start is through: no child waits any more to be ready for the first time (nor for a sibling's
/// restart); some may have ended, or be stopped or quarantined. The supervisor is ready, as a child of its
/// parent. Also told when it is given up with `stop` before. Told once.
struct Up {};

/// All children have ended: end the supervisor. The last action; whatever comes after it is dropped.
struct Finished {
    Exit exit = Exit::normal; ///< What the parent is told: Ended{this}. Normal after Shutdown alone.
    std::string reason;
    bool exit_process = false; ///< Exit with `exit_code`; children that are stuck are left to that.
    int exit_code = 0;
};

using Action = std::variant<Recover, Start, Stop, Kill, WakeAt, Report, Delayed, RollBack, Quarantined, Stuck,
                            Escalate, Up, Finished>;

/// Reasons come from whatever failed; longer ones are cut.
inline constexpr std::size_t kReasonMax = 500;

/// How long a killed child may take to be gone before it is called stuck.
inline constexpr Duration kKillPatience = milliseconds(5000);

} // namespace dwcp::supervision
