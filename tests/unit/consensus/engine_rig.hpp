// A committee of engines of one kind in one thread: network, disks, clock and crashes in the test's hand.
// Every message is encoded, decoded and verified on its way, and the rig holds at each step what must always
// hold: no slot is decided twice with different blocks, every decision is proven by its certificate, and
// nobody signs two statements that exclude each other, across restarts.
#pragma once

#include "protocols/base/random.hpp"
#include "protocols/consensus/engine.hpp"
#include "protocols/consensus/verifier.hpp"
#include "protocols/wire/consensus.hpp"

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <tuple>
#include <vector>

namespace dwcp::consensus::test {

/// Hash based: quick, and only the holder of a key makes its signatures here by convention.
class QuickSigner final : public Signer {
  public:
    explicit QuickSigner(PublicKey key) : key_(key) {}
    crypto::Signature sign(ByteView message) const override;
    crypto::VrfResult vrf_prove(ByteView alpha) const override;

  private:
    PublicKey key_;
};
class QuickChecker final : public Checker {
  public:
    bool verify(const PublicKey& key, ByteView message, const crypto::Signature& signature) override {
        return QuickSigner(key).sign(message) == signature;
    }
    std::optional<crypto::VrfOutput> verify_vrf(const PublicKey& key, ByteView alpha,
                                                const crypto::VrfProof& proof) override {
        const auto drawn = QuickSigner(key).vrf_prove(alpha);
        if (drawn.proof != proof) return std::nullopt;
        return drawn.output;
    }
};

/// A crash in a step: nothing of it is on disk, or everything is and nothing has left.
enum class Fate { lives, dies_before_disk, dies_after_disk };

struct Rules {
    EngineFactory factory{}; ///< Never empty.
    EngineKind engine = EngineKind::pbft;
    SampleParameters samples{};
    std::uint64_t seed = 1;
    Duration delay_min = milliseconds(1);
    Duration delay_max = milliseconds(1);
    unsigned lose_permille = 0;
    unsigned twice_permille = 0;
    Height checkpoint_every = 0; ///< 0: none.
    bool hellos = true;
    std::function<void(EngineOptions&)> tune{}; ///< May be empty.
};

class EngineRig {
  public:
    EngineRig(std::size_t n, Rules rules);

    struct Node {
        ReplicaId id = 0;
        std::unique_ptr<Engine> engine; ///< Null: down.
        EngineMemory disk;
        std::optional<TimePoint> wake;
        std::map<Height, Hash256> decided; ///< What this life and those before told.
        Height upto = 0;                   ///< All decided up to it, whatever way.
        TimePoint reached_at{};
        unsigned life = 0;
        unsigned persists = 0;
        bool honest = true;

        void reach(Height height, TimePoint now) {
            if (height <= upto && !decided.contains(upto + 1)) return;
            upto = std::max(upto, height);
            while (decided.contains(upto + 1))
                ++upto;
            reached_at = now;
        }
    };

    // What tests do.
    void start();
    /// Ends when `until` holds (true) or the clock has gone on by `most` (false).
    bool run(Duration most, const std::function<bool()>& until);
    void run(Duration most) {
        run(most, [] { return false; });
    }
    /// The slots up to `upto` are wanted; leaders propose blocks for them.
    void want(Height upto);
    bool all_decided(Height upto) const;
    void crash(std::size_t node);
    void restart(std::size_t node);
    void give(std::size_t node, EngineEvent event);
    /// A message signed by `signer`, delivered at once if it verifies (it must).
    void deliver(std::size_t node, ReplicaId signer, Signed said);
    /// Anything that it says, likewise.
    template<class Body>
    void hear(std::size_t node, ReplicaId from, Body body) {
        arrive(node, wire::encode(Message{committee.member(from).name, std::move(body)}));
    }
    Signed sign(ReplicaId signer, Kind kind, View view, Height slot, const Hash256& digest) const;
    Signed propose(ReplicaId signer, View view, const BlockRef& block) const;
    Signed vote(ReplicaId signer, Kind kind, View view, Height slot, const Hash256& digest) const;
    /// Of any statement; ProBFT's votes with the voter's draw.
    Vote signature_of(Statement statement) const;
    /// Whether `who` is in the sample of the voter.
    bool draws(ReplicaId voter, Kind kind, View view, Height slot, ReplicaId who) const;
    Signed change(ReplicaId signer, View view, ViewChange body) const;
    BlockRef block(Height slot, std::string text) const;
    Certificate checkpoint(Height slot) const;
    /// `recipient` for ProBFT alone.
    Certificate prepared(View view, Height slot, const Hash256& digest, std::vector<ReplicaId> voters,
                         std::optional<ReplicaId> recipient = std::nullopt) const;
    /// A second life of `node` with a disk of its own, under the same name: a Byzantine replica.
    std::size_t add_twin(ReplicaId id);

    Engine& engine(std::size_t node) { return *nodes.at(node)->engine; }
    TimePoint time() const { return now_.time; }
    EngineOptions options(ReplicaId id) const;

    // What tests look at and turn.
    Committee committee;
    Domain domain{"test", "metadata", {}};
    std::vector<std::unique_ptr<Node>> nodes; ///< The first n are the committee, in order.
    Rules rules;
    std::function<bool(std::size_t from, std::size_t to, const Message&)> passes; ///< Empty: everything.
    /// Called with a step's effects before anything of them is carried out. Empty: everybody lives.
    std::function<Fate(const Node&, const EngineEffects&)> fate;
    std::map<Kind, std::size_t> sent; ///< Signed messages, one a recipient.
    std::size_t accusations = 0;      ///< Those not signed.
    std::vector<Evidence> evidence;
    std::size_t invalid = 0;
    std::size_t views_failed = 0;
    std::size_t fetched = 0;
    std::map<Height, Hash256> agreed;
    Random random;

  private:
    struct Item {
        TimePoint at;
        std::uint64_t order = 0;
        std::function<void()> what;
        bool operator>(const Item& other) const {
            return std::tie(at, order) > std::tie(other.at, other.order);
        }
    };

    void later(Duration delay, std::function<void()> what);
    Duration delay();
    void perform(std::size_t at, EngineEffects effects);
    void send(std::size_t from, std::size_t to, const MessageRef& message);
    void arrive(std::size_t to, const Bytes& bytes);
    void fetch(std::size_t asker, const FetchContent& what);
    void note_signed(const Node& node, const Statement& what);
    void note_decided(Node& node, const Decision& decision);
    void lead(std::size_t at);
    void hello(std::size_t at);
    void catch_up(std::size_t at, ReplicaId from, const EngineStatus& there);
    void checkpoints();
    void tell_work(std::size_t at);
    bool is_up(std::size_t at) const { return nodes[at]->engine != nullptr; }
    std::vector<std::unique_ptr<QuickSigner>> signers_;
    QuickChecker checker_;
    std::shared_ptr<LaneView> view_ = std::make_shared<LaneView>();
    std::unique_ptr<Verifier> verifier_;
    std::priority_queue<Item, std::vector<Item>, std::greater<>> queue_;
    std::uint64_t order_ = 0;
    Now now_{TimePoint{} + std::chrono::hours(1), 1'000'000};
    Height wanted_ = 0;
    std::map<Height, Certificate> checkpoints_;
    std::map<std::tuple<ReplicaId, Kind, View, Height>, Hash256> said_;
};

} // namespace dwcp::consensus::test
