// What a replica fetches from others: blocks that it has not decided, and where those are gone, a snapshot.
// From one peer at a time; one that does not answer, or wrongly, is left alone for a while.
//
// A pure value: it decides whom to ask for what; the replica checks what comes and reports.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/consensus/message.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>

namespace dwcp::consensus {

/// Bytes of blocks that one answer carries: several full blocks, and far below the largest message.
inline constexpr std::uint32_t kFetchBytesMax = 1U << 20;

class CatchUp {
  public:
    /// `moment`: how long a height may be decided elsewhere before it is fetched; `answer_within`: how long
    /// a peer has to answer.
    CatchUp(Duration moment, Duration answer_within) : moment_(moment), answer_within_(answer_within) {}

    /// A peer says how far it is.
    void stands(const ReplicaName& peer, Height tip, Height decided, TimePoint now);
    void forget(const ReplicaName& peer);
    /// The highest height that somebody claims who was not found wrong lately.
    Height claimed(TimePoint now) const;

    struct Ask {
        ReplicaName peer;
        std::variant<FetchBlocks, FetchSnapshot> what;
    };
    /// What to ask now. `follow`: blocks are wanted the moment they exist, so somebody is asked for the next
    /// one in advance; `at_once`: without waiting a moment.
    std::optional<Ask> next(Height decided, bool follow, bool at_once, TimePoint now);
    std::optional<TimePoint> wake(Height decided) const;

    /// Whether blocks, or a part of a snapshot, of this peer are awaited.
    bool awaits_blocks(const ReplicaName& peer) const;
    bool awaits_part(const ReplicaName& peer, const SnapshotPart& part) const;
    /// It answered as it should.
    void answered() { asked_.reset(); }
    /// It did not, or with what does not hold.
    void wrong(const ReplicaName& peer, TimePoint now);
    /// Its blocks begin above what is needed: its snapshot next.
    void begin_snapshot(const ReplicaName& peer);
    /// A good part came; the next one goes on after it.
    void part_came(const SnapshotPart& part);
    /// All parts are here, or the attempt is given up.
    void end_snapshot();
    bool in_snapshot() const { return snapshot_.has_value(); }
    /// Whose it is; empty: none under way.
    ReplicaName snapshot_peer() const { return snapshot_ ? snapshot_->peer : ReplicaName{}; }

  private:
    struct Peer {
        Height tip = 0;
        std::optional<TimePoint> left_alone_until;
    };
    struct Asked {
        ReplicaName peer;
        bool snapshot = false;
        TimePoint at{};
    };
    struct Snapshot {
        ReplicaName peer;
        Height height = 0;
        std::string after;
    };
    struct Target {
        Height height = 0;
        TimePoint since{};
    };
    std::optional<ReplicaName> choose(Height above, TimePoint now) const;
    static bool usable(const Peer& peer, TimePoint now);

    Duration moment_;
    Duration answer_within_;
    std::map<ReplicaName, Peer> peers_;
    ReplicaName last_; ///< Whom it asked last.
    std::optional<Asked> asked_;
    std::optional<Snapshot> snapshot_;
    std::optional<Target> target_;
};

} // namespace dwcp::consensus
