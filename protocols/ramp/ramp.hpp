// The ramp's decision core: takes a plan from its first step to the hand-over, or back. Deterministic:
// (state, event, now) -> effects; no clock, no I/O. The simulator and the node run this object.
//
// Life cycle. Everything that must survive is a Record of the journal (the control lane). A host, the one
// node that drives the ramp now, makes a Ramp, apply()s the records so far, calls take_up() and feeds it
// events; it performs the effects in order. A step of the ramp goes:
//
//   event -> effect Journal{record} -> the record is committed -> event Committed{record} -> effects Direct,
//   Tell, Answer, ...
//
// At most one record is proposed at a time. apply() is the only thing that changes the durable state, so
// every node that applies the same records is in the same state. Each record carries seq (last + 1) and the
// host's term; one that does not fit is dropped everywhere alike: no transition happens twice, and a host
// that was replaced cannot go on. Nothing is lost with a host: the next one finds the directive in the
// state, the window at the nodes, and begins an exercise again that has no result in the journal.
//
// Rollback is the one effect that does not wait for its record: Direct with all weights 0 goes out first
// (weights may always fall), the record follows with the very same directive. If the host dies in between,
// its successor sees nodes with a directive that no record has, and rolls back: a withdrawn canary stays
// withdrawn. Time is the host's Unix clock, since it must survive the host.
//
// A host that has just begun gives a directive with weights only after it has looked at the nodes once.
#pragma once

#include "protocols/ramp/history.hpp"
#include "protocols/ramp/judge.hpp"
#include "protocols/ramp/weights.hpp"

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace dwcp::ramp {

/// What `started` may carry: it must fit a lane's command with room for the rest of the record.
inline constexpr std::size_t kPlanTextBytesMax = 24U << 10;
/// Commands that wait for the record under way; more are refused.
inline constexpr std::size_t kCommandsWaitingMax = 16;
/// A gate must fail in so many looks, one after the other, before it counts as failed: a health check that
/// flickers once is not a verdict.
inline constexpr std::uint32_t kFailLooks = 3;
/// What was seen longer ago than this decides nothing.
inline constexpr std::uint64_t kLookAgeMaxMs = 10'000;
/// Approvals, attestations and overrides that are kept; the oldest goes.
inline constexpr std::size_t kVouchersMax = 64;

enum class Phase : std::uint8_t {
    idle,     ///< No plan was ever started.
    starting, ///< The next stage or step begins as soon as all nodes were seen.
    approval, ///< Waits for an approval before the next step.
    soaking,  ///< A stage's weight is in force and its time runs.
    gate,     ///< The time is over; waits until the gate passes.
    paused,   ///< By an operator, or because a gate stayed without a verdict too long. Weights stay.
    review,   ///< A manual-review trigger fired or a gate failed; the clock runs. promote or resume ends it,
              ///< its end rolls back.
    rolling_back, ///< Weights are 0; waits until every node has drained and was verified.
    rolled_back,  ///< Ended: stable everywhere.
    completed,    ///< Ended: hand-over; the canaries are the new stables.
    aborted,      ///< Ended by an operator before anything was shifted, or after a rollback it asked for; or
                  ///< nothing could be ramped.
};
inline constexpr Phase kPhaseLast = Phase::aborted;
std::string_view to_string(Phase phase);
/// idle, rolled_back, completed, aborted: nothing is under way, `start` may come.
bool is_at_rest(Phase phase);

/// Weights for every node. A node keeps the highest (term, seq) that it was given; at equal ones the content
/// is the same.
struct Directive {
    std::uint64_t term = 0;
    std::uint64_t seq = 0; ///< Counts directives, not records. Names the window that begins with it.
    using Weight = ramp::Weight;
    std::vector<Weight> weights; ///< Systems that are not named: 0.
    std::uint64_t recent_ms = 60'000;
    std::uint64_t lease_ms = 10'000; ///< A node that hears nothing for so long goes to 0 by itself.
    bool promoted = false;           ///< After the hand-over: the canaries at 100 are kept without a lease.
    bool kill_switch = false;        ///< Stable everywhere, whatever else is said.
    std::string reason;

    bool shifts() const; ///< Any weight above 0.
    bool operator==(const Directive&) const = default;
};

/// Who a command comes from. Roles were checked at the edge.
struct Caller {
    std::string name;
    std::string role;
    std::string reason;
};

/// A journal record: one transition or one fact that decides transitions.
struct Record {
    std::uint64_t seq = 0;
    std::uint64_t term = 0;
    UnixMillis at_ms = 0;
    enum class Kind : std::uint8_t {
        took_over,       ///< `node` is the host from now on (term + 1).
        started,         ///< With the plan's text. -> starting
        step_skipped,    ///< `reason`: none of its systems has a canary. -> starting, next step
        approval_wanted, ///< -> approval
        approved,        ///< attestation.subject is the step; in time, or ahead of it.
        stage_begun,     ///< With the directive. -> soaking
        gate_reached,    ///< -> gate
        gate_judged,     ///< The gate's verdicts came out otherwise than the last time.
        stage_passed, ///< With the verdicts, or by an operator; `on`: straight to the last step. -> starting
        attested,
        overridden,    ///< attestation.subject is the criterion; in rolling_back a node that is given up.
        exercise_done, ///< With its result.
        paused,
        resumed,        ///< With a directive: the stage begins anew, in a new window.
        review_begun,   ///< By a trigger (alarm) or a failed gate (verdicts).
        rollback_begun, ///< With the directive; `on`: ends as aborted.
        rolled_back,    ///< `reason`: what was restored.
        aborted,
        completed,   ///< With the directive: promoted.
        kill_switch, ///< `on` or off, with the directive; on rolls back what is under way.
    } kind = Kind::started;
    std::uint32_t step = 0;
    std::uint32_t stage = 0;
    NodeName node;
    std::string plan_toml; ///< Of started: the text, so that every host has the same plan.
    std::uint64_t day_ms = 0;
    std::optional<Directive> directive; ///< In force from this record on.
    std::vector<Verdict> verdicts;
    std::optional<Alarm> alarm;
    std::optional<ExerciseResult> exercise;
    std::optional<Attestation> attestation; ///< Also of approved and overridden.
    Caller by;                              ///< An operator, or kRampItself.
    std::string reason;
    bool on = false;
};
inline constexpr Record::Kind kRecordKindLast = Record::Kind::kill_switch;
inline constexpr const char* kRampItself = "ramp";
std::string_view to_string(Record::Kind kind);

// Events.

struct Tick {};
struct Observed {
    Observation observation;
};
/// The record is in the log; it was made by this host or another one. Each one once, in order; apply() is
/// called inside.
struct Committed {
    Record record;
};
/// It could not be committed, or nobody knows whether it was; the ramp decides anew at the next tick.
struct NotCommitted {
    std::uint64_t seq = 0;
    std::string why;
};
struct ExerciseEnded {
    std::uint64_t seq = 0; ///< Of StartExercise.
    ExerciseResult result;
};
struct Command {
    enum class Verb : std::uint8_t {
        start,
        pause,
        resume,
        promote,
        abort,
        rollback,
        override_,
        approve,
        attest,
        kill_switch
    } verb = Verb::start;
    std::uint64_t id = 0; ///< The answer carries it; the caller's choice.
    Caller by;
    std::string plan_toml;    ///< start
    std::uint64_t day_ms = 0; ///< start; 0: as the plan says
    std::string subject;      ///< override: criterion, or while rolling back a silent node that is gone for
                              ///< good; approve: step, empty: the one at hand; attest: what is vouched for;
                              ///< promote: "full" goes straight to the last step
    std::uint64_t expires_ms = 0; ///< Of an approval or attestation: Unix time; 0: in a day.
    bool on = false;              ///< kill_switch
};
std::string_view to_string(Command::Verb verb); ///< As the shell's verb: "kill-switch", "override".
using Event = std::variant<Tick, Observed, Committed, NotCommitted, ExerciseEnded, Command>;

// Effects, in order.

struct Journal {
    Record record;
};
/// Give it to every node now. The host repeats Ramp::directive() with every look besides, so that nodes which
/// were away get it too.
struct Direct {
    Directive directive;
};
/// Idempotent by (seq, what): one that runs or has ended here is not begun again, its end is reported again.
struct StartExercise {
    std::uint64_t seq = 0; ///< The directive's of the stage.
    Check what = Check::recovery;
    System system;
    NodeName node;
};
/// An operator event: name ("ramp_stage_begun", ...: "ramp_" and the record's kind), subject, fields.
struct Tell {
    std::string name, subject;
    std::map<std::string, std::string> fields;
};
/// Keep what the verdicts of this phase rest on; comes before the record that rests on it, and may come again
/// with the same seq: the last one counts.
struct KeepEvidence {
    std::uint64_t seq = 0; ///< The record's.
    std::string phase;     ///< "manager-10/0/stage_passed": step, stage, record.
    Evidence evidence;
    std::vector<Verdict> verdicts;
};
/// The answer to a Command, after what it asked for is in the journal: done, or refused with reason and
/// remedy. Every Command gets exactly one.
struct Answer {
    std::uint64_t id = 0;
    Result<std::string> outcome;
};
using Effect = std::variant<Journal, Direct, StartExercise, Tell, KeepEvidence, Answer>;
using Effects = std::vector<Effect>;

/// Reads a plan's text; runtime/release/plan_file.hpp has it. The same text gives the same plan.
using PlanReader = std::function<Result<Plan>(const std::string& toml)>;

/// What the records say: the same at every node that applied the same ones.
struct State {
    Phase phase = Phase::idle;
    std::uint64_t seq = 0, term = 0;
    NodeName host;
    std::optional<Plan> plan; ///< Scaled to its day.
    std::string plan_toml;
    std::uint32_t step = 0, stage = 0;
    UnixMillis stage_since_ms = 0;
    UnixMillis phase_since_ms = 0;
    std::optional<UnixMillis> review_until_ms;
    Phase back_to = Phase::idle; ///< From paused or review.
    Directive directive;         ///< In force, of the term that wrote it; Ramp::directive() is what to send.
    std::string reason;          ///< Of the phase.
    bool kill_switch = false;
    bool ends_as_aborted = false;               ///< Of rolling_back.
    bool was_rolled_back = false;               ///< By the last plan that ended: `start` wants a reason.
    std::uint32_t troubles = 0;                 ///< Reviews within the stage.
    UnixMillis judged_ms = 0;                   ///< When the gate's verdicts were last written down.
    std::vector<Verdict> verdicts;              ///< The last of the gate at hand.
    std::optional<Alarm> alarm;                 ///< The last trigger that mattered in this plan.
    std::map<std::string, std::string> skipped; ///< Step -> why.
    std::vector<Attestation> attestations;
    std::map<std::string, Attestation> approvals; ///< Step -> who.
    std::map<std::string, Attestation> overrides; ///< Criterion of the gate at hand -> who.
    std::vector<ExerciseResult> exercises;        ///< Of this stage.
    std::set<NodeName> given_up;                  ///< Of rolling_back: nodes that an operator wrote off.

    const Step* step_at_hand() const;   ///< Null: none.
    const Stage* stage_at_hand() const; ///< Null: none.
    /// The criteria of the gate at hand; empty: none.
    const std::vector<Criterion>& gate_at_hand() const;
    std::uint64_t stage_ms() const; ///< How long the stage at hand soaks.
};

class Ramp {
  public:
    Ramp(NodeName self, PlanReader read_plan);

    /// Takes a committed record over; false: its seq or term does not fit and it was dropped. One that fits
    /// but makes no sense in the phase only takes its number. Records of the journal are replayed with this.
    bool apply(const Record& record);
    const State& state() const { return state_; }
    bool is_host() const { return state_.term > 0 && state_.host == self_; }
    /// Proposes this node as the host. The caller knows that the former host is gone or that it is time.
    Effects take_over(UnixMillis now_ms, std::string reason);
    /// For a host that begins (anew) with the replayed state.
    Effects take_up(UnixMillis now_ms);
    Effects step(const Event& event, UnixMillis now_ms);

    /// What the nodes are to be told now, with every look; nothing: this node is not the host, or has not yet
    /// seen the nodes.
    std::optional<Directive> directive() const;
    /// The latest look's verdicts for the gate at hand, judged without waiting for its time: `ramp status`,
    /// `ramp explain`.
    std::vector<Verdict> preview(UnixMillis now_ms) const;
    /// One sentence: what the ramp waits for and what comes then.
    std::string explain(UnixMillis now_ms) const;
    /// Members that did not answer the latest look.
    std::vector<NodeName> silent() const;

    /// Nodes that a rollback still waits for: silent, not drained, or not yet told.
    std::vector<NodeName> still_open() const;

  private:
    /// A record that was proposed and, where one asked for it, the command.
    struct Pending {
        Record record;
        std::optional<Command> command;
        std::string done; ///< What to answer when it is committed.
    };
    /// All weights are 0 at the nodes already; the record that says so is still to come.
    struct Withdrawal {
        Directive directive;
        Record record; ///< Without seq.
        std::vector<Command> commands;
        std::optional<Evidence> evidence;
        std::uint64_t kept_seq = 0; ///< The record's that the evidence was kept for.
    };

    // ramp.cpp: events
    void committed(const Record& record, UnixMillis now_ms, Effects& effects);
    void settle(const Record& record, Effects& effects);
    void not_committed(const NotCommitted& event, Effects& effects);
    void exercise_ended(const ExerciseEnded& event);
    void observed(Observation observation, UnixMillis now_ms, Effects& effects);
    void look_at_triggers(UnixMillis now_ms, Effects& effects);
    void lose_host(Effects& effects);
    void forget_what_was_seen();
    void propose(Record record, Effects& effects, std::optional<Command> command = {}, std::string done = {});
    void withdraw(Record record, UnixMillis now_ms, Effects& effects);
    Record blank(Record::Kind kind, UnixMillis now_ms) const;
    Directive next_directive(std::vector<Weight> weights, std::string reason) const;
    Evidence evidence(UnixMillis now_ms, bool of_stage) const;
    Strictness strictness() const;
    bool has_fresh_look(UnixMillis now_ms) const;
    std::unexpected<Error> not_host() const;

    // drive.cpp: what the ramp does by itself
    void drive(UnixMillis now_ms, Effects& effects);
    void drive_starting(UnixMillis now_ms, Effects& effects);
    void begin_stage(UnixMillis now_ms, Effects& effects);
    void finish_plan(UnixMillis now_ms, Effects& effects);
    void drive_soaking(UnixMillis now_ms, Effects& effects);
    void drive_gate(UnixMillis now_ms, Effects& effects);
    void judge_now(UnixMillis now_ms, Effects& effects);
    void start_exercises(UnixMillis now_ms, Effects& effects);
    void drive_review(UnixMillis now_ms, Effects& effects);
    void drive_rolling_back(UnixMillis now_ms, Effects& effects);
    void pause_by_itself(UnixMillis now_ms, std::string why, std::vector<Verdict> verdicts, Effects& effects);
    void keep(const Record& record, const Evidence& evidence, Effects& effects) const;
    bool has_waited_enough(UnixMillis now_ms) const;
    std::vector<Verdict> judged(const Evidence& evidence) const;

    // commands.cpp
    void command(const Command& command, UnixMillis now_ms, Effects& effects);
    bool stop(const Command& command, UnixMillis now_ms, Effects& effects);
    void take(const Command& command, UnixMillis now_ms, Effects& effects);

    NodeName self_;
    PlanReader read_plan_;
    State state_;

    // What only the host knows, and can do without.
    std::optional<Pending> pending_;
    std::optional<Withdrawal> withdrawal_;
    std::deque<Command> waiting_;
    std::optional<Observation> look_;
    bool look_is_new_ = false;
    History history_;                    ///< Of the window.
    bool seen_ = false;                  ///< The nodes, since take_up().
    std::uint64_t highest_seen_seq_ = 0; ///< Of a directive, at a node.
    std::uint32_t fail_looks_ = 0;
    std::optional<Alarm> review_alarm_;
    std::map<Check, UnixMillis> exercises_running_; ///< Since when.
    std::map<Check, ExerciseResult> exercises_ended_;
};

} // namespace dwcp::ramp
