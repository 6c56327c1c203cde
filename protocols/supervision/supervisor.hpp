// The decision core of a supervisor: which of its children is started, stopped and restarted when, and when
// is that no use?
//
// Pure: (state, event, now) -> actions; the same events, times and seed give the same actions. The actor that
// owns it feeds it every event of its children and performs the actions in their order. It starts nothing by
// itself: the first event is Begin. Supervisors nest: a supervisor is a child like any other, begun by Start,
// ready with Up, over with Finished (which its shell reports to the parent as Ended).
//
// The rules.
//
// Start. In order of declaration, each after the one before has been ready (or will not be: it ended for
// good, was stopped or quarantined). A child that `recovers` is sent Recover, then Start. One that is not
// Recovered or Ready in time is killed; that is a death like any other. A child that crash-loops at the start
// holds up those after it until it is ready, quarantined or escalated.
//
// Stop. In reverse order, each after the one behind it has ended: Stop, after its grace Kill. A restart of
// one child under one_for_one waits for no sibling.
//
// Death: an end that nobody asked for, or a start that failed. Restart types say whether a restart follows;
// if none does, the child is `ended` and its siblings are left as they are. Otherwise, in this order:
//  1. The death is counted in the child's record and in the supervisor's. Where that completes `roll_back`,
//     completes `poison` or exceeds the intensity, and the life ran the child's current release, and
//     `roll_back` is set, and a last good release is known that is another: RollBack. The child's records
//     (deaths, its share of the intensity, delay) start afresh, and it is restarted on the last good release.
//  2. It completes `poison`: the child is quarantined. Its siblings are left as they are.
//  3. It exceeds the intensity: Escalate. `quarantine` clears the child's share of the supervisor's record.
//  4. A restart: Report. The siblings that the strategy takes along are stopped in reverse order (those that
//     are down already, or die meanwhile, count as stopped, and their deaths for nothing). When all have
//     ended and the delay is over and the node's budget grants a token, they are started in order with the
//     child. Temporary siblings are stopped and not started again; transient ones that had ended are started
//     (OTP); stopped and quarantined ones stay down.
// A death on the way (a start that fails again) is one more death, to which all of this applies.
//
// Delay. The first is backoff.min; each further one doubles, up to backoff.max, and is prolonged by jitter;
// after a life that was ready for reset_after it starts over. A restart takes one token of the node's budget
// when it starts; while there is none it waits. Commands wait for neither.
//
// Release. A release on which a life was ready for reset_after becomes last_good when that life ends, unless
// it is on trial.
//
// Escalation. stop and the two that end the supervisor first stop all children in reverse order. While that
// lasts, commands are refused. After `stop` the children are given_up: start, restart and resume bring back
// the one they name, with clean records.
//
// Memory is bounded by the specs: kRecordMax times a record, kReasonMax bytes a reason.
#pragma once

#include "protocols/base/random.hpp"
#include "protocols/base/result.hpp"
#include "protocols/supervision/messages.hpp"
#include "protocols/supervision/restart_budget.hpp"
#include "protocols/supervision/spec.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::supervision {

enum class ChildState : std::uint8_t {
    waiting,     ///< For its turn in the order of starts, or (a restart) for siblings to stop.
    recovering,  ///< Recover was asked for.
    starting,    ///< Start was asked for; not ready yet.
    running,     ///< Ready.
    stopping,    ///< Stop or Kill was asked for.
    backing_off, ///< Waiting for the time of its restart, or for the node's budget.
    ended,       ///< By itself, for good: its restart type wants no other life.
    stopped,     ///< By command, or not begun yet, or with its supervisor.
    quarantined, ///< Down until resume.
    given_up,    ///< The supervisor escalated with `stop`.
};

std::string_view to_string(ChildState state);

/// What the tree shows of a child.
struct ChildStatus {
    std::string id;
    RestartType type = RestartType::permanent;
    ChildState state = ChildState::stopped;
    TimePoint since{};                   ///< When it came into this state.
    std::uint64_t incarnation = 0;       ///< Of its latest life; 0: it had none.
    std::optional<TimePoint> ready_at;   ///< Of the present life, once it was ready.
    std::uint64_t restarts = 0;          ///< Automatic ones, for its own deaths.
    std::string last_reason;             ///< Why its last life ended; empty: none did.
    std::optional<TimePoint> next_start; ///< While backing off.
    std::string quarantine;              ///< Why it is to stay down; set already while it is being stopped.
    std::string release;                 ///< Of its next life; of the present one but after NewRelease.
    bool on_trial = false;               ///< That release.
    std::string last_good;
};

class Supervisor {
  public:
    enum class State : std::uint8_t {
        idle,     ///< Before Begin.
        starting, ///< Before Up.
        running,
        stopping, ///< Shutdown or an escalation is under way.
        given_up, ///< Escalated with `stop`: all are down, commands are obeyed.
        finished,
    };

    /// `seed` of the jitter. A child whose id occurs twice is an error of the one who declares the tree:
    /// the second is dropped.
    Supervisor(SupervisorSpec spec, std::uint64_t seed);

    /// `now` must not go back. `budget` is the node's: held by the caller for the length of the call.
    std::vector<Action> step(const Event& event, TimePoint now, RestartBudget& budget);

    /// Whether the command would be obeyed now: not_found, precondition_failed or unavailable if not. Changes
    /// nothing, so it serves a dry run.
    Result<void> check(const Command& command) const;

    const SupervisorSpec& spec() const { return spec_; }
    State state() const { return state_; }
    /// In start order.
    std::vector<ChildStatus> children() const;
    std::optional<ChildStatus> child(std::string_view id) const;
    /// Events dropped because they told of another life, an unknown child or a replaced timer.
    std::uint64_t stale() const { return stale_; }
    /// Times of deaths and restarts that are held now; bounded by the specs.
    std::size_t remembered() const;
    /// The timer that is armed now: for simulations, which need no timers of their own.
    const std::optional<WakeAt>& armed() const { return armed_; }

  private:
    /// One child: what is wanted of it, its present life, and its record.
    struct Child {
        explicit Child(ChildSpec of);
        bool alive() const { return phase != Phase::none; }
        /// Its end was asked for, or is being forced.
        bool ending() const { return must_stop || end_asked != Asked::nothing; }
        ChildState state() const;

        enum class Phase : std::uint8_t { none, recovering, starting, running };
        enum class Asked : std::uint8_t { nothing, stop, kill };

        ChildSpec spec;

        bool wanted = false;                   ///< To be up.
        ChildState rest = ChildState::stopped; ///< What it is called while it is down and not wanted.
        std::string quarantine;
        bool in_order = false; ///< Waits for those before it that are in order, and holds up those after it.
        TimePoint due{};       ///< Not to be started before.
        bool needs_token = false; ///< Its next start is an automatic restart, not yet paid for.
        bool delayed_told = false;

        Phase phase = Phase::none;
        std::uint64_t incarnation = 0;
        std::string life_release;
        bool life_on_trial = false;
        std::optional<TimePoint> ready_at;
        bool must_stop = false; ///< Its end is asked for, now or when its turn comes: it is no death.
        Asked end_asked = Asked::nothing;
        std::optional<TimePoint> deadline; ///< Of what it was asked last: recovery, start, stop or kill.
        bool stuck = false;
        std::string why_killed; ///< By the core, for being late.

        std::uint64_t restarts = 0;
        std::deque<TimePoint> deaths; ///< On the present release.
        std::optional<Duration> last_delay;
        std::string last_reason;
        std::string release;
        bool on_trial = false;
        std::string last_good;
        ChildState shown = ChildState::stopped;
        TimePoint since{};
    };
    struct Restart {
        TimePoint at;
        std::size_t child;
    };
    struct Ending {
        std::optional<Escalation> how; ///< None: Shutdown.
        std::string reason;
        bool leave_stuck = false;
    };

    void on(const Begin& event, TimePoint now);
    void on(const Recovered& event, TimePoint now);
    void on(const Ready& event, TimePoint now);
    void on(const Ended& event, TimePoint now);
    void on(const Wake& event, TimePoint now);
    void on(const Command& event, TimePoint now);
    void on(const NewRelease& event, TimePoint now);
    void on(const Shutdown& event, TimePoint now);

    Child* find(std::string_view id);
    const Child* find(std::string_view id) const;
    Child* living(const std::string& id, std::uint64_t incarnation);
    std::size_t index_of(const Child& child) const;
    Result<void> check(const Child& child, Verb verb) const;

    void died(Child& child, Exit exit, TimePoint now);
    void remember(Child& child, TimePoint now);
    bool over_intensity(const Child& child, TimePoint now);
    void roll_back(Child& child, const std::string& reason);
    void quarantine(Child& child, std::string reason);
    void escalate(Child& child, const std::string& reason);
    void restart(Child& child, TimePoint now);
    std::vector<std::string> take_along(const Child& child);
    void forget(Child& child);
    Duration take_delay(Child& child);
    void up_at_once(Child& child, TimePoint now);
    void down(Child& child, ChildState rest);
    void stop_all(ChildState rest);

    void start(Child& child, TimePoint now);
    void kill(Child& child, TimePoint now);
    void overdue(Child& child, TimePoint now);

    void advance(TimePoint now, RestartBudget& budget);
    void stop_next(TimePoint now);
    void start_next(TimePoint now, RestartBudget& budget);
    bool may_start(const Child& child, TimePoint now) const;
    bool pay(Child& child, TimePoint now, RestartBudget& budget);
    bool all_down() const;
    void finish();
    void arm(TimePoint now);

    SupervisorSpec spec_;
    Random random_;
    std::vector<Child> children_;
    State state_ = State::idle;
    bool up_told_ = false;
    std::optional<Ending> ending_;
    std::deque<Restart> recent_; ///< Automatic restarts within the intensity's period.
    std::optional<WakeAt> armed_;
    std::uint64_t generation_ = 0;
    std::uint64_t stale_ = 0;
    std::vector<Action> actions_; ///< Of the step under way.
};

std::string_view to_string(Supervisor::State state);

} // namespace dwcp::supervision
