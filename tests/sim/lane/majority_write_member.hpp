// The adapter of the engine MajorityWrite: carries out its effects on the simulated world.
#pragma once

#include "protocols/consensus/majority_write.hpp"
#include "tests/sim/lane/member.hpp"

#include <map>

namespace dwcp::sim {

/// Bugs to put in, each of which the invariants must catch.
enum class Mutation : std::uint8_t {
    none,
    quorum_minus_one,     ///< The core counts one member too few.
    ack_before_durable,   ///< The disk says done before it is.
    forget_ids,           ///< A restarted sequencer does not remember which ids are in its log.
    applied_not_together, ///< The applied index is written apart from the effects.
};

class MajorityWriteMember : public Member {
  public:
    MajorityWriteMember(Surroundings world, Observer observer, consensus::MajorityWriteOptions options,
                        Mutation mutation = Mutation::none);

    const NodeName& name() const override { return options_.self; }
    bool is_up() const override { return core_ != nullptr; }
    void boot() override;
    void crash() override;
    void peer_changed(const NodeName& peer, bool up) override { step(consensus::PeerLink{peer, up}); }
    void submit(consensus::Command command, TimePoint deadline, Submitted done) override;
    consensus::LogIndex committed() const override { return core_->committed(); }
    std::optional<consensus::Entry> durable_entry(consensus::LogIndex index) const override;
    consensus::LogIndex durable_upto() const override;
    consensus::LogIndex applied_upto() const override;
    std::uint64_t effects_of(const std::string& id) const override;

    consensus::Status status() const { return core_->status(world_.clock.now()); }
    Disk& disk() { return world_.disk; }

  private:
    consensus::Recovered recover() const;
    consensus::Now now() const;
    void step(consensus::Event event);
    void carry_out(consensus::Effects effects);
    void persist(consensus::Persist& persist);
    void apply(const std::vector<consensus::RecordRef>& records);
    void load(const consensus::Load& load);
    void receive(const NodeName& from, const Bytes& datagram);
    /// Runs `task` after `delay` if this life still lasts.
    void later(Duration delay, std::function<void()> task);

    Surroundings world_;
    Observer observer_;
    consensus::MajorityWriteOptions options_;
    Mutation mutation_;
    std::unique_ptr<consensus::MajorityWrite> core_;
    std::uint64_t life_ = 0;
    std::uint64_t last_client_ = 0;
    std::map<consensus::ClientId, Submitted> clients_;
    std::map<consensus::Tag, NodeName> open_tags_;
    consensus::Tag last_tag_ = 0;
    std::optional<TimePoint> wake_;
    // Asked after every event, so decoded once a change.
    mutable std::uint64_t durable_version_ = 0;
    mutable consensus::LogIndex durable_upto_ = 0;
};

} // namespace dwcp::sim
