// What a replica gives to those that lag: recent blocks from memory, older ones from its node's log, and its
// snapshot. Who asks for a block that does not exist yet is answered when it does, or after a while with how
// far this replica is, so that one who follows learns of a block within a round trip.
//
// A pure value, bounded: one request a peer at a time, kPeersMax peers, kRecentBytesMax of blocks.
#pragma once

#include "protocols/consensus/catch_up.hpp"
#include "protocols/consensus/replica.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::consensus {

class BlockServer {
  public:
    /// Peers that may wait for an answer at once: every follower of a large lane.
    static constexpr std::size_t kPeersMax = 1024;
    /// Blocks in memory: what those who are a little behind ask for.
    static constexpr std::size_t kRecentBytesMax = 4U << 20;

    struct Reply {
        ReplicaName to;
        Blocks blocks;
    };

    /// In order of height. Kept at least until applied, since the log has it only then.
    void decided(const DecidedBlock& block);
    void applied(Height height);
    /// Everything up to it came as a snapshot.
    void restart(Height decided);

    /// At most one of the two; neither: it waits, or too many do.
    struct Plan {
        std::optional<Blocks> now;
        std::optional<Load> load;
    };
    Plan ask(const ReplicaName& peer, const FetchBlocks& what, TimePoint now);
    std::optional<Reply> loaded(Loaded&& blocks);
    /// For those that waited for a block that exists now, or longer than `patience`.
    std::vector<Reply> due(Duration patience, TimePoint now);
    std::optional<TimePoint> wake(Duration patience) const;

    std::optional<ReadSnapshot> ask(const ReplicaName& peer, const FetchSnapshot& what);
    /// Who asked; nullopt: nobody.
    std::optional<ReplicaName> snapshot_read(std::uint64_t ticket);

    /// A recent block, null if not here.
    BlockRef find(Height height, const Hash256& digest) const;
    Height tip() const { return decided_; }

  private:
    struct Waiting {
        FetchBlocks what;
        TimePoint since{};
    };
    struct Kept {
        DecidedBlock block;
        std::size_t bytes = 0;
    };
    Blocks from_memory(const FetchBlocks& what) const;
    std::uint64_t take_ticket(std::map<ReplicaName, std::uint64_t>& by_peer, const ReplicaName& peer);

    std::deque<Kept> recent_; ///< Consecutive, up to decided_.
    std::size_t recent_bytes_ = 0;
    Height decided_ = 0;
    Height applied_ = 0;
    Height earliest_ = 1; ///< As the log said last.
    std::map<ReplicaName, Waiting> waiting_;
    std::uint64_t next_ticket_ = 1;
    std::map<ReplicaName, std::uint64_t> loading_;
    std::map<ReplicaName, std::uint64_t> reading_;
    std::map<std::uint64_t, ReplicaName> tickets_;
};

/// Upper bound of its encoded size.
std::size_t bytes_of(const DecidedBlock& block);

} // namespace dwcp::consensus
