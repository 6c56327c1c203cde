// A small cluster that plays a rollout plan: nodes that run the ramp's decision core and an agent that obeys
// directives and reports what its releases did, and the journal between them. One thread, its own clock; the
// same seed gives the same run.
//
// The world watches the ramp while it runs: `violations` says what must never happen and did.
#pragma once

#include "protocols/base/random.hpp"
#include "protocols/ramp/ramp.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace dwcp::ramp::sim {

/// Where the host dies at one of its journal writes.
enum class CrashPoint { before_sent, committed_unknown, known_without_effects };

struct Crash {
    std::size_t write = 0; ///< The first is 0.
    CrashPoint point = CrashPoint::before_sent;
    bool other_takes_over = false; ///< Else the same node comes back and goes on.
};

/// What goes wrong by chance; nothing by default.
struct Chaos {
    double refuse = 0;    ///< A write is not committed.
    double lose_word = 0; ///< It is committed, but the proposer is told that it was not.
    double twice = 0;     ///< It is committed twice.
    double lag = 0;       ///< A node does not hear of commits in a tick.
    double crash = 0;     ///< Of each node in a tick.
    double silence = 0;   ///< A node does not answer for a while.
    double usurp = 0;     ///< A node takes the host's part although the host lives.
    double command = 0;   ///< An operator asks for something in a tick.
};

class World {
  public:
    static constexpr UnixMillis kTickMs = 1'000;
    static constexpr std::uint64_t kDayMs = 8'000;

    explicit World(std::uint64_t seed);

    void crash_at(Crash crash) { crash_ = crash; }
    void set_chaos(Chaos chaos) { chaos_ = chaos; }
    /// From the first stage of that step on the canaries of this system fail every second request.
    void spoil(const System& system, std::uint32_t step) { spoiled_[system] = step; }
    /// Its nodes report nothing from now on.
    void silence_all() { all_silent_ = true; }
    void give_canary(const System& system) { canaries_.insert(system); }
    void keep_starting(std::string plan_toml) { plan_toml_ = std::move(plan_toml); }

    void tick();
    /// Until the plan has ended, at most so many ticks; false: it has not.
    bool run(std::size_t ticks_max);
    /// To the node that hosts, if there is one. True: it was given to one.
    bool command(Command command);

    /// What the log says, as everybody who applied it has it.
    const State& state() const { return truth_.state(); }
    /// Records that were taken, in order.
    const std::vector<Record>& history() const { return history_; }
    std::size_t writes() const { return writes_; }
    UnixMillis now_ms() const { return now_ms_; }
    /// The highest share that any live node gives a canary now.
    double percent_at_nodes() const;
    std::vector<Answer> answers() const { return answers_; }

    std::vector<std::string> violations;

  private:
    struct Agent {
        Directive directive;
        UnixMillis since_ms = 0;
        UnixMillis heard_ms = 0;
        std::map<System, std::array<double, 2>> requests; ///< Stable, canary, in this window.
        std::map<System, double> errors;
    };
    struct Node {
        NodeName name;
        Ramp ramp;
        Agent agent;
        bool alive = true;
        std::size_t delivered = 0; ///< Of the log.
        UnixMillis back_ms = 0;
        UnixMillis silent_until_ms = 0;
    };
    struct Proposal {
        Record record;
        std::size_t proposer = 0;
    };

    void live_agents();
    NodeReport report_of(const Node& node) const;
    bool answers_looks(const Node& node) const;
    void host_tick(std::size_t index);
    void perform(std::size_t index, const Effects& effects);
    void write(std::size_t index, const Record& record);
    void obey(Node& node, const Directive& directive);
    void watch_directive(const Node& node, const Directive& directive);
    void commit(const Proposal& proposal);
    void watch_record(const Record& record, const State& before);
    void deliver(std::size_t index);
    void end_exercises();
    void fail(std::size_t index, UnixMillis back_after_ms);
    void restart(std::size_t index);
    void take_over_if_orphaned();
    void random_trouble();
    void random_command();
    std::size_t host_index() const;
    bool chance(double share) { return share > 0 && random_.unit() < share; }
    void violated(const std::string& what);

    Random random_;
    UnixMillis now_ms_ = 1'700'000'000'000;
    std::vector<Node> nodes_;
    std::vector<Proposal> log_;
    Ramp truth_;
    std::vector<Record> history_;
    std::size_t writes_ = 0;
    std::optional<Crash> crash_;
    bool crashed_on_purpose_ = false;
    Chaos chaos_;
    std::map<System, std::uint32_t> spoiled_;
    std::set<System> canaries_{"manager", "selector"};
    bool all_silent_ = false;
    std::string plan_toml_;
    std::map<std::pair<std::uint64_t, Check>, UnixMillis> exercises_; ///< When each ends.
    std::map<std::pair<std::uint64_t, std::uint64_t>, Directive> directives_;
    bool may_rise_ = false; ///< A gate was passed, or the plan has just begun.
    std::vector<Answer> answers_;
    std::set<std::uint64_t> answered_;
    std::uint64_t next_command_ = 1;
};

/// The shipped plan.
std::string shipped_plan();

} // namespace dwcp::ramp::sim
