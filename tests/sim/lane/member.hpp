// What a lane's simulation asks of an engine. An engine takes part through an adapter that runs its pure core
// on the simulated clock, network and disk, one object a member for the whole run, crashes included.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/consensus/lane.hpp"
#include "tests/sim/world/clock.hpp"
#include "tests/sim/world/disk.hpp"
#include "tests/sim/world/network.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace dwcp::sim {

/// The world's parts as one member sees them.
struct Surroundings {
    Clock& clock;
    Network& network;
    Disk& disk;
};

/// What the members tell whoever watches over the run.
struct Observer {
    std::function<void(const NodeName& member, const consensus::Entry& entry)> applied;
};

/// Whether the entry was committed, and where.
using Submitted = std::function<void(std::optional<consensus::LogIndex> index)>;

class Member {
  public:
    virtual ~Member() = default;

    virtual const NodeName& name() const = 0;
    virtual bool is_up() const = 0;
    /// Starts a life from what the disk has.
    virtual void boot() = 0;
    /// Ends it without warning; the disk crashes with it. Submitters get no answer.
    virtual void crash() = 0;
    /// The link layer's news of another member; may be late, wrong or missing.
    virtual void peer_changed(const NodeName& peer, bool up) = 0;
    virtual void submit(consensus::Command command, TimePoint deadline, Submitted done) = 0;

    /// While up.
    virtual consensus::LogIndex committed() const = 0;
    /// From the disk's durable part, whether up or not: the entry at `index`, and the highest index without a
    /// gap.
    virtual std::optional<consensus::Entry> durable_entry(consensus::LogIndex index) const = 0;
    virtual consensus::LogIndex durable_upto() const = 0;
    /// From the disk: the last entry applied, and how often the command `id` took effect.
    virtual consensus::LogIndex applied_upto() const = 0;
    virtual std::uint64_t effects_of(const std::string& id) const = 0;
};

} // namespace dwcp::sim
