// What a replica may vote for after a restart. Before the first vote of a life it asks the others how far
// they are and what they last had of it. It votes if its memory accounts for that; a replica without memory
// votes in epochs that begin after it is back, and in one in which nothing was decided and nobody had a vote
// of it. Otherwise it is silent: until a stable checkpoint passes every slot that it may have voted for, two
// windows above what was decided when it came back, and after that in no view that it promised to leave.
//
// A pure value; what must be remembered is in memory() and must be durable before the first vote.
#pragma once

#include "protocols/consensus/message.hpp"

#include <compare>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace dwcp::consensus {

/// Total order of what a replica signs for its engine, as it comes about in an honest life: views only rise,
/// and slots within a view. Checkpoints, wishes and commands bind nobody and are not counted.
struct Said {
    Epoch epoch = 0;
    View view = 0;
    Height slot = 0;
    std::uint8_t kind = 0;

    static std::optional<Said> of(const Statement& statement);
    auto operator<=>(const Said&) const = default;
};

class Rejoin {
  public:
    /// What the disk has: keys kBorn, kSaid, kSilent, kDiverged among `persisted`.
    Rejoin(const std::map<std::string, Bytes>& persisted, std::string doubt);

    static constexpr const char* kBorn = "r/born";     ///< First epoch that the memory covers.
    static constexpr const char* kSaid = "r/said";     ///< Highest that was said.
    static constexpr const char* kSilent = "r/silent"; ///< Height that must be stable first, earliest view.
    static constexpr const char* kDiverged = "r/diverged";

    enum class State : std::uint8_t { starting, voting, silent, diverged };
    State state() const { return state_; }
    /// In words, for people; empty while it votes.
    std::string note() const;

    /// Another member answered in this life.
    void heard(const ReplicaName& member) { answered_.insert(member); }
    std::size_t answers() const { return answered_.size(); }
    bool answered(const ReplicaName& member) const { return answered_.contains(member); }
    /// Somebody showed a statement of this replica, its signature checked. True: the memory does not account
    /// for it.
    bool shown(const Statement& statement);
    /// Says in words why the memory cannot be trusted.
    void distrust(std::string why);

    /// Whether it must first know everything that is decided before it can conclude.
    bool must_catch_up() const { return !covered_from_ || !doubt_.empty(); }
    /// Enough answered (and it caught up, if it must). `begun`: something is decided in the current epoch.
    void conclude(Epoch current, bool begun, Height decided, Height window);
    /// An epoch begins, or a checkpoint is stable. True: it may vote from now on.
    bool advance(Epoch current, Height stable);
    void diverge(Height height);

    /// What it says now; true if it is the highest yet and must be remembered.
    bool say(const Statement& statement);
    /// In no earlier view of this epoch.
    View earliest_view(Epoch epoch) const;
    /// The engine's memory of the epoch is whole.
    bool covers(Epoch epoch) const { return covered_from_ && epoch >= *covered_from_ && doubt_.empty(); }

    std::map<std::string, std::optional<Bytes>> memory() const;

  private:
    State state_ = State::starting;
    std::string doubt_;
    std::optional<Epoch> covered_from_;
    Said said_;
    Said shown_; ///< Highest that others showed.
    std::optional<Height> silent_until_;
    Height diverged_at_ = 0;
    std::set<ReplicaName> answered_;
};

} // namespace dwcp::consensus
