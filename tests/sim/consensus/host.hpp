// A simulated host: runs a consensus::Replica, the very object that a node runs, and carries out its effects
// as replica.hpp asks of a driver. What leaves the replica waits until what it persisted is on the disk;
// commits are applied as they become durable; a crash forgets the rest.
//
// One object for the whole run, crashes included. A host with a Behaviour is Byzantine: its replica is a
// puppet, and what it sends is the behaviour's to change.
#pragma once

#include "protocols/consensus/replica.hpp"
#include "tests/sim/consensus/host_disk.hpp"
#include "tests/sim/consensus/plan.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::sim {

class World;
class Behaviour;

class Host {
  public:
    /// `body` is its number in the world, `id` that of its identity (twins share one).
    Host(World& world, std::size_t body, std::size_t id);
    ~Host();

    std::size_t body() const { return body_; }
    std::size_t id() const { return id_; }
    const consensus::ReplicaName& name() const { return name_; }
    bool up() const { return replica_ != nullptr; }
    std::uint32_t life() const { return life_; }
    bool correct() const { return correct_; }
    void set_byzantine(std::unique_ptr<Behaviour> behaviour);
    void set_not_correct() { correct_ = false; }
    Behaviour* behaviour() { return behaviour_.get(); }
    const consensus::Signer& signer() const { return *signer_; }

    void set_clock(Moment offset, std::int64_t drift_ppm) { offset_ = offset, drift_ppm_ = drift_ppm; }
    void jump_wall_clock(std::int64_t ms) { wall_ms_ += ms; }
    consensus::Now now() const;

    void boot();
    void crash();
    HostDisk& disk() { return disk_; }
    void slow_disk(std::uint32_t factor) { disk_factor_ = factor; }
    void fill_disk(Moment until) { full_until_ = until; }
    /// What was wrong with it, and planned to go wrong, is over.
    void heal();
    /// Dies at its `count`-th write from now; see FaultKind::crash_at_write. Boots again after `away`.
    void die_at_write(std::uint64_t count, std::uint32_t when, Moment away);

    void receive(std::size_t from, consensus::MessageRef message);
    void submit(consensus::ClientToken token, consensus::Transaction transaction, Moment patience);
    void peer(std::size_t host, bool up);
    void wake();
    void synced(std::uint64_t number);
    void loaded(std::uint64_t ticket);
    void snapshot_read(std::uint64_t ticket);

    /// While up.
    consensus::ReplicaStatus status() const { return replica_->status(now().time); }
    consensus::Height applied() const { return disk_.applied(); }
    const std::vector<consensus::Evidence>& evidence() const { return replica_->evidence(); }
    std::size_t held() const { return held_.size(); }
    std::uint64_t refused() const { return refused_; }
    std::uint64_t invalid() const { return invalid_; }

  private:
    struct Held {
        std::uint64_t until_write = 0;
        consensus::Send send;
    };
    void step(consensus::Event event);
    void carry_out(consensus::Effects effects);
    void write(consensus::Effects& effects);
    void install(const consensus::InstallSnapshot& install);
    void written(std::uint64_t number);
    void start_sync();
    void send(consensus::Send send);
    void release();
    void leave(const consensus::Send& send);
    void note(const consensus::Message& message, bool said) const;
    void look_at_lane();
    void set_wake(const std::optional<TimePoint>& wake);
    void die_for(Moment away);

    World& world_;
    const std::size_t body_;
    const std::size_t id_;
    const consensus::ReplicaName name_;
    bool correct_ = true;
    std::unique_ptr<Behaviour> behaviour_;
    const consensus::Signer* signer_ = nullptr;

    Moment offset_ = 0;
    std::int64_t drift_ppm_ = 0;
    std::int64_t wall_ms_ = 0;

    HostDisk disk_;
    std::uint32_t disk_factor_ = 1;
    Moment full_until_ = 0;
    bool syncing_ = false;
    std::string doubt_; ///< Found at a boot, and true until the replica votes again.

    std::uint32_t life_ = 0;
    std::unique_ptr<consensus::Replica> replica_;
    std::optional<consensus::Verifier> verifier_;
    std::uint64_t hold_until_ = 0; ///< Number of the last write that messages must wait for.
    std::deque<Held> held_;
    std::map<std::uint64_t, consensus::Load> loads_;
    std::map<std::uint64_t, consensus::ReadSnapshot> reads_;
    Registers::Pairs arriving_; ///< Of the snapshot that is being installed.
    Moment wake_at_ = 0;        ///< 0: none.
    Moment wake_event_at_ = 0;  ///< Of the event that is queued; 0: none.

    std::uint64_t die_in_writes_ = 0; ///< 0: not planned.
    std::uint32_t die_when_ = 0;
    Moment die_away_ = 0;
    std::uint64_t die_at_sync_ = 0;
    std::uint64_t refused_ = 0;
    std::uint64_t invalid_ = 0;
};

} // namespace dwcp::sim
