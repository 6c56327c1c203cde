// The ramp's decision core: takes a plan from its first step to the hand-over, or back. Deterministic:
// (state, event, now) -> effects; no clock, no I/O. The simulator and the node run this object.
//
// Life cycle. Everything that must survive is a Record of the journal (the control lane). A host, the one
// node that drives the ramp now, makes a Ramp from the records so far and feeds it events; it performs the
// effects in order. A step of the ramp goes:
//
//   event -> effect Journal{record} -> the record is committed -> event Committed{record} -> effects Direct,
//   Exercise, Tell, ...
//
// apply() is the only thing that changes the durable state, so every node that applies the same records is in
// the same state. Each record carries seq (last + 1) and the host's term; one that does not fit is dropped
// everywhere alike: no transition happens twice, and a host that was replaced cannot go on. After a crash the
// new Ramp issues the effects of the last record again; all of them are idempotent: directives and exercises
// by seq.
//
// Rollback is the one effect that does not wait for its record: Direct with all weights 0 goes out first
// (weights may always fall), the record follows. Time is the host's Unix clock, since it must survive the
// host.
#pragma once

#include "protocols/ramp/judge.hpp"

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace dwcp::ramp {

enum class Phase : std::uint8_t {
    idle,     ///< No plan was started, or the last one ended.
    soaking,  ///< A stage's weight is in force and its time runs.
    gate,     ///< The time is over; waits until the gate passes (or fails).
    approval, ///< Waits for an approval before the next step.
    paused,   ///< By an operator, or because a gate stayed inconclusive too long. Weights stay.
    review, ///< A manual-review trigger fired; its clock runs. promote or resume ends it, its end rolls back.
    rolling_back, ///< Weights are 0; waits until every node has drained and was verified.
    rolled_back,  ///< Ended: stable everywhere.
    completed,    ///< Ended: hand-over; the canaries are the new stables.
    aborted,      ///< Ended by an operator before anything was shifted, or after a rollback it asked for.
};
std::string_view to_string(Phase phase);

/// Weights for every node. A node keeps the highest (term, seq) that it was given; at equal ones the same
/// content.
struct Directive {
    std::uint64_t term = 0;
    std::uint64_t seq = 0; ///< Also names the window of measurement that begins with it.
    struct Weight {
        System system;
        double percent = 0;
        std::vector<NodeName> nodes; ///< Who runs the canary; others 0.
        bool shadow = false;         ///< Mirrors to the canary without answering from it.
    };
    std::vector<Weight> weights; ///< Systems that are not named: 0.
    std::uint64_t recent_ms = 60'000;
    std::uint64_t lease_ms = 10'000; ///< A node that hears nothing for so long goes to 0 by itself.
    bool promoted = false;           ///< After the hand-over: the canaries at 100 are kept without a lease.
    bool kill_switch = false;        ///< Stable everywhere, whatever else is said.
    std::string reason;
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
        took_over, ///< `node` is the host from now on (term + 1).
        started,   ///< With the plan's digest and text.
        step_begun,
        step_skipped,
        stage_begun,
        gate_reached,
        gate_judged,
        stage_passed,
        approved,
        attested,
        overridden,
        exercise_done,
        paused,
        resumed,
        review_begun,
        rollback_begun,
        rolled_back,
        aborted,
        completed,
        kill_switch,
    } kind = Kind::started;
    std::uint32_t step = 0;
    std::uint32_t stage = 0;
    NodeName node;
    std::string plan_toml; ///< Of started: the text, so that every host has the same plan.
    std::uint64_t day_ms = 0;
    Directive directive; ///< In force from this record on, where weights change.
    std::vector<Verdict> verdicts;
    std::optional<Alarm> alarm;
    std::optional<ExerciseResult> exercise;
    std::optional<Attestation> attestation;
    Caller by; ///< An operator, or "ramp".
    std::string reason;
    bool on = false; ///< Of kill_switch.
};

// Events.

struct Tick {};
struct Observed {
    Observation observation;
};
/// The record is in the log; it was made by this host or another one.
struct Committed {
    Record record;
};
/// It could not be committed now; the ramp proposes again when it still wants it.
struct NotCommitted {
    std::uint64_t seq = 0;
    std::string why;
};
struct ExerciseEnded {
    std::uint64_t seq = 0;
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
    Caller by;
    std::string plan_toml;    ///< start
    std::uint64_t day_ms = 0; ///< start; 0: as the plan says
    std::string subject; ///< override: criterion; approve: step; attest: what; promote: "full" skips the rest
                         ///< of the soak
    std::uint64_t expires_ms = 0; ///< of an approval or attestation
    bool on = false;
};
using Event = std::variant<Tick, Observed, Committed, NotCommitted, ExerciseEnded, Command>;

// Effects, in order.

struct Journal {
    Record record;
};
struct Direct {
    Directive directive;
};
struct StartExercise {
    std::uint64_t seq = 0;
    Check what = Check::recovery;
    System system;
    NodeName node;
};
/// An operator event: name, subject, fields.
struct Tell {
    std::string name, subject;
    std::map<std::string, std::string> fields;
};
/// Keep what the verdicts of this phase rest on.
struct KeepEvidence {
    std::uint64_t seq = 0;
    std::string phase;
    Evidence evidence;
    std::vector<Verdict> verdicts;
};
/// The answer to a Command: done, or refused with reason and remedy.
struct Answer {
    Result<std::string> outcome;
};
using Effect = std::variant<Journal, Direct, StartExercise, Tell, KeepEvidence, Answer>;

/// Which nodes have which systems' canaries: what the host knows of its members, from their reports.
struct State {
    Phase phase = Phase::idle;
    std::uint64_t seq = 0, term = 0;
    NodeName host;
    std::optional<Plan> plan;
    std::uint32_t step = 0, stage = 0;
    UnixMillis stage_since_ms = 0;
    UnixMillis phase_since_ms = 0;
    std::optional<UnixMillis> review_until_ms;
    Phase paused_from = Phase::idle;
    Directive directive;
    std::string reason;
    bool kill_switch = false;
    std::vector<Verdict> verdicts; ///< The last of the gate at hand.
    std::optional<Alarm> alarm;
    std::map<std::string, std::string> skipped; ///< Step -> why.
    std::vector<Attestation> attestations;
    std::map<std::string, Attestation> approvals; ///< Step -> who.
    std::map<std::string, Caller> overrides;      ///< Criterion of the gate at hand -> who.
    std::vector<ExerciseResult> exercises;        ///< Of this stage, and what was seen during the ramp.
};

class Ramp {
  public:
    explicit Ramp(NodeName self);

    /// Takes a committed record over; false: it does not fit and was dropped. Records of the journal are
    /// replayed with this.
    bool apply(const Record& record);
    const State& state() const;
    bool is_host() const;
    /// Effects of the last record again, for a host that has just begun.
    std::vector<Effect> take_up(UnixMillis now_ms);
    std::vector<Effect> step(const Event& event, UnixMillis now_ms);
    /// The latest look's verdicts for the gate at hand, judged without waiting for its time: `ramp status`,
    /// `ramp explain`.
    std::vector<Verdict> preview() const;

  private:
    State state_;
};

} // namespace dwcp::ramp
