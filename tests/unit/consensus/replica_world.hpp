// A lane of real replicas with their real engines in one thread: a network with delays, cuts and a clock of
// its own, disks that are behind by a moment and lose that in a crash, a small key-value state. Every message
// is encoded, decoded and verified on its way. After each commit all replicas are held to agree.
#pragma once

#include "protocols/base/random.hpp"
#include "protocols/consensus/replica.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

namespace dwcp::consensus::test {

/// Signatures that cost a hash. Nobody in these tests forges one.
class HashSigner final : public Signer {
  public:
    explicit HashSigner(PublicKey key) : key_(key) {}
    crypto::Signature sign(ByteView message) const override;
    crypto::VrfResult vrf_prove(ByteView) const override { return {}; }

  private:
    PublicKey key_;
};
class HashChecker final : public Checker {
  public:
    bool verify(const PublicKey& key, ByteView message, const crypto::Signature& signature) override;
    std::optional<crypto::VrfOutput> verify_vrf(const PublicKey&, ByteView,
                                                const crypto::VrfProof&) override {
        return std::nullopt;
    }
};

using State = std::map<std::string, Bytes>;
Hash256 root_of(const State& state);

/// What survives a crash.
struct Disk {
    std::map<std::string, Bytes> persisted;
    std::map<Height, DecidedBlock> log;
    Height applied = 0;
    Hash256 chain;
    State state;
    std::optional<Committee> committee;
    std::map<Height, State> points; ///< State at checkpoints.
    Height snapshot = 0;            ///< The stable one of those; blocks up to it may be gone.
    std::string doubt;
};

class World {
  public:
    explicit World(std::vector<ReplicaName> founders, std::uint64_t seed = 1);

    ReplicaOptions options; ///< Of the replicas that are made from now on.
    Duration delay = milliseconds(1);
    Duration disk_delay = milliseconds(1);
    bool collect_blocks = false; ///< Blocks go when a checkpoint above them is stable.
    /// True: the message is lost.
    std::function<bool(const Message&, const ReplicaName& to)> lose;
    /// Changes what a replica's state is after a block.
    std::function<void(const ReplicaName& at, Height height, State& state)> spoil;

    static PublicKey key_of(const std::string& name);
    static Committee committee_of(const std::vector<ReplicaName>& names, Epoch epoch = 1);

    void boot(const ReplicaName& name);
    void boot(const std::vector<ReplicaName>& names);
    void crash(const ReplicaName& name);
    bool up(const ReplicaName& name) const { return nodes_.contains(name) && nodes_.at(name).replica; }
    void cut(const ReplicaName& name) { cut_.insert(name); }
    void heal(const ReplicaName& name) { cut_.erase(name); }
    Disk& disk(const ReplicaName& name) { return disks_[name]; }

    ClientToken submit(const ReplicaName& at, const std::string& id, std::uint64_t sequence,
                       const std::string& payload, Duration within = std::chrono::seconds(60));
    ClientToken submit(const ReplicaName& at, const Command& command,
                       Duration within = std::chrono::seconds(60));
    /// An operator wants another leader.
    void suspect_leader(const ReplicaName& at) { give(at, SuspectLeader{}); }
    const Result<Answer::Place>* answer(ClientToken client) const;
    bool committed(ClientToken client) const { return answer(client) && *answer(client); }

    void run(Duration time);
    /// False: it did not come true in time.
    bool run_until(const std::function<bool()>& true_at_last, Duration limit = std::chrono::seconds(60));
    ReplicaStatus status(const ReplicaName& name) const { return nodes_.at(name).replica->status(now_.time); }
    const std::vector<Evidence>& evidence(const ReplicaName& name) const {
        return nodes_.at(name).replica->evidence();
    }
    Now now() const { return now_; }
    std::uint64_t sent() const { return sent_; }
    std::uint64_t steps() const { return steps_; }
    /// Hash over everything that was done, in order.
    const Hash256& trace() const { return trace_; }

  private:
    struct Node {
        std::unique_ptr<Replica> replica;
        std::unique_ptr<HashSigner> signer;
        std::uint64_t life = 0;
        std::optional<TimePoint> wake;
        std::map<Height, State> installing;
        State incoming;
    };
    struct Event {
        TimePoint at{};
        std::uint64_t number = 0;
        std::function<void()> run;
        bool operator>(const Event& other) const {
            return std::tie(at, number) > std::tie(other.at, other.number);
        }
    };
    void at(TimePoint time, std::function<void()> run);
    void give(const ReplicaName& name, consensus::Event event);
    void take(const ReplicaName& name, Effects effects);
    void flush(const ReplicaName& name, const Effects& effects);
    void apply(const ReplicaName& name, const Commit& commit);
    void install(const ReplicaName& name, const InstallSnapshot& part);
    SnapshotPart read_snapshot(const ReplicaName& name, const FetchSnapshot& what);
    void carry(const ReplicaName& from, const Send& send);
    void note(ByteView bytes);

    Random random_;
    HashChecker checker_;
    std::map<ReplicaName, Disk> disks_;
    std::map<ReplicaName, Node> nodes_;
    std::set<ReplicaName> cut_;
    std::map<std::pair<ReplicaName, ReplicaName>, TimePoint> last_; ///< Links keep order.
    std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
    std::uint64_t next_event_ = 0;
    ClientToken next_client_ = 1;
    std::map<ClientToken, Result<Answer::Place>> answers_;
    std::map<Height, Hash256> chains_; ///< What everybody must agree on.
    std::uint64_t lives_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t steps_ = 0;
    Hash256 trace_;
    Now now_{TimePoint{} + std::chrono::hours(1), 1'700'000'000'000};
};

} // namespace dwcp::consensus::test
