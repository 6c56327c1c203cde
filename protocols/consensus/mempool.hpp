// Commands that wait to be ordered, in the order in which they came, and those that were ordered lately, so
// that copies which were forwarded twice are not ordered again.
//
// Two commands are the same if client and sequence are. A leader takes from here what goes into its blocks; a
// member that does not lead asks it what to forward, and whom nobody orders. Bounded by kMempoolCommandsMax,
// kMempoolBytesMax and kRecentMax. A pure value; every answer depends only on what it was told.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/consensus/block.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::consensus {

/// Ordered commands that are remembered. Twice a full mempool: copies of a command are about no longer.
inline constexpr std::size_t kRecentMax = 32'768;
/// A command that nobody here waits for is given up after this, or the copies that others forwarded to a
/// leader that was none would stay for ever.
inline constexpr Duration kUnwatchedFor = std::chrono::seconds(30);

/// (client, sequence).
using CommandKey = std::pair<std::string, std::uint64_t>;
CommandKey key_of(const Command& command);

/// Errc::invalid_argument, too_large: cannot be ordered by anybody.
Result<void> check_transaction(const Transaction& transaction);

class Mempool {
  public:
    Mempool(std::size_t commands_max, std::size_t bytes_max, Duration view_timeout);

    enum class Added : std::uint8_t {
        fresh,
        known,   ///< Waits here already.
        differs, ///< Another payload under the same client and sequence waits here.
        ordered, ///< Was ordered lately: see ordered().
        full,
    };
    enum class Origin : std::uint8_t {
        here,      ///< A client of this replica waits for it.
        waited_on, ///< Another replica waited for long, so this one waits as well.
        passed_on, ///< Nobody here waits.
    };
    Added add(Transaction transaction, Origin origin, TimePoint now);

    struct Ordered {
        Height height = 0;
        std::uint32_t position = 0;
        Hash256 payload; ///< SHA-256.
    };
    /// nullptr: not lately.
    const Ordered* ordered(const CommandKey& key) const;
    /// A block was decided: its commands leave.
    void decided(const Block& block);
    /// Takes out those that `unwanted` names, and says which they were.
    std::vector<CommandKey> drop_if(const std::function<bool(const Transaction&)>& unwanted);
    /// No client waits any more.
    void abandon(const CommandKey& key, TimePoint now);

    // --- for the leader
    bool has_ready() const { return !ready_.empty(); }
    std::size_t ready_commands() const { return ready_.size(); }
    std::size_t ready_bytes() const { return ready_bytes_; }
    /// When the oldest command that is in no block came.
    std::optional<TimePoint> ready_since() const;
    /// The oldest that fit, at least one, and none after a change of the committee, which ends a block; not
    /// given again until begin_view().
    std::vector<Transaction> take(std::size_t bytes_max, std::size_t commands_max);
    /// What was taken and not decided may be taken again, and everybody's patience begins anew: another
    /// leader.
    void begin_view(TimePoint now);

    // --- for those that do not lead
    bool has_unsent() const { return !unsent_.empty(); }
    /// Commands of this replica's clients that the leader was not told; then they count as told.
    std::vector<Transaction> take_unsent(std::size_t bytes_max);
    /// Those that wait for longer than the view timeout, to be told to all; again after twice that.
    std::vector<Transaction> take_slow(std::size_t bytes_max, TimePoint now);
    std::optional<TimePoint> slow_at() const;

    /// Somebody here waits for something.
    bool watched() const { return !watched_.empty(); }
    /// Since when the one that waited longest does in this view.
    std::optional<TimePoint> watched_since() const;
    /// The leader orders commands and lets one wait: for twice the view timeout while commands that came a
    /// view timeout later were ordered, or for eight of them while anything was.
    bool overtaken(TimePoint now) const;
    std::optional<TimePoint> overtaken_at() const;

    void expire(TimePoint now);
    std::optional<TimePoint> expires_at() const;

    std::size_t size() const { return entries_.size(); }

  private:
    using Arrival = std::uint64_t;
    using Timed = std::set<std::pair<TimePoint, Arrival>>;
    struct Entry {
        Transaction transaction;
        std::size_t bytes = 0;
        TimePoint came{};
        Origin origin = Origin::passed_on;
        TimePoint since{}; ///< Watched: since when in this view.
        TimePoint due{};   ///< Of a client here: when to tell all. Unwatched: when to give up.
        bool taken = false;
    };
    using Entries = std::map<Arrival, Entry>;

    void watch(Entries::iterator at, Origin origin, TimePoint now);
    void unwatch(Entries::iterator at);
    void erase(Entries::iterator at);
    void remember(const Transaction& transaction, Height height, std::uint32_t position);

    std::size_t commands_max_;
    std::size_t bytes_max_;
    Duration view_timeout_;
    Arrival next_ = 0;
    Entries entries_;
    std::map<CommandKey, Arrival> by_key_;
    std::size_t bytes_ = 0;
    std::set<Arrival> ready_;
    std::size_t ready_bytes_ = 0;
    std::set<Arrival> unsent_;
    Timed watched_;   ///< By `since`.
    Timed slow_;      ///< By `due`, of clients here.
    Timed unwatched_; ///< By `due`.
    /// Latest arrival among what was ordered in this view; and whether anything was.
    std::optional<TimePoint> latest_ordered_;
    bool anything_ordered_ = false;
    std::map<CommandKey, Ordered> recent_;
    std::deque<CommandKey> recent_order_;
};

} // namespace dwcp::consensus
