// What a simulated host has on its disk: what its replica persisted, its part of the lane's log, the state
// and its snapshots. Writes go through a log in order; several that wait share one sync.
//
// A crash keeps what was synced and any number of whole writes after it; the one after those may be torn,
// which its checksum shows, so it counts as not written. Records of the replica carry a checksum over key and
// value: a flipped bit or a record in another's place is found when the host boots.
#pragma once

#include "protocols/base/random.hpp"
#include "protocols/consensus/replica.hpp"
#include "tests/sim/consensus/registers.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::sim {

/// The lane's state after a height.
struct Kept {
    consensus::Height height = 0;
    Hash256 root;
    std::optional<consensus::Certificate> proof; ///< Once the checkpoint is stable.
    std::shared_ptr<const Registers::Pairs> pairs;
};

class HostDisk {
  public:
    struct Write {
        std::uint64_t number = 0;
        consensus::Persist persist;
        std::optional<consensus::Commit> commit;
        std::optional<Kept> installed;
        std::optional<consensus::Committee> installed_next;
        Hash256 installed_chain;
    };
    /// What became durable and somebody waits for.
    struct Durable {
        consensus::Height height = 0;
        Hash256 root;
        bool installed = false;
        std::size_t effects = 0; ///< Commands of the block that took effect.
        consensus::BlockRef block;
    };

    /// Returns the write's number.
    std::uint64_t write(Write write);
    std::uint64_t last_written() const { return last_written_; }
    std::uint64_t synced() const { return synced_; }
    /// Makes the writes up to `number` durable, one after the other.
    std::vector<Durable> sync(std::uint64_t number);

    /// The process died: keeps what `random` says of the writes that were not synced.
    void crash(Random& random);
    /// While crashed.
    void damage(Random& random);
    void empty() { *this = HostDisk{}; }

    /// What a life starts with.
    consensus::ReplicaMemory remember() const;

    // Reading, of what is durable.
    consensus::Height applied() const { return applied_; }
    /// Of the next height; nullopt: the first.
    const std::optional<consensus::Committee>& committee() const { return committee_; }
    const Registers& state() const { return state_; }
    consensus::Loaded load(const consensus::Load& what) const;
    consensus::SnapshotRead read(const consensus::ReadSnapshot& what) const;
    std::size_t records() const { return records_.size(); }
    std::size_t record_bytes() const;

    /// The state at every so many heights is kept until a later one is stable.
    void keep_every(consensus::Height interval) { interval_ = interval; }
    void stable(consensus::Height height, const consensus::Certificate& proof);

  private:
    struct Record {
        Bytes value;
        std::uint32_t checksum = 0;
    };
    void apply(const consensus::Persist& persist);
    Durable apply(const consensus::Commit& commit);
    Durable install(const Write& write);

    std::deque<Write> pending_;
    std::uint64_t last_written_ = 0;
    std::uint64_t synced_ = 0;
    std::map<std::string, Record> records_;
    Registers state_;
    consensus::Height applied_ = 0;
    Hash256 chain_;
    std::optional<consensus::Committee> committee_;
    std::deque<consensus::DecidedBlock> log_;
    consensus::Height log_first_ = 1;
    consensus::Height interval_ = 16;
    std::map<consensus::Height, Kept> kept_;
    /// Stable before it was applied here.
    std::optional<std::pair<consensus::Height, consensus::Certificate>> awaited_;
};

} // namespace dwcp::sim
