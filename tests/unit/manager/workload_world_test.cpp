// The Workload state machine in a scripted random world: peers fail, lose what they have and come back, and
// the allocator and the lane refuse now and then. Once the world heals, the workload commits; and on the way:
//   - nothing is committed before every replica of the placement has confirmed;
//   - at most one commit is under way, and at most one question to each peer;
//   - only what a peer named as missing is shipped.
#include "actors/manager/workload.hpp"
#include "protocols/base/random.hpp"
#include "tests/unit/wire/seed.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

using namespace dwcp;
using namespace dwcp::manager;
using namespace std::chrono_literals;

namespace {

const NodeName kSelf = "self";
constexpr Duration kHealsAfter = 60s;
constexpr Duration kDoneWithin = 20s;

struct Peer {
    bool up = true;
    bool keeps = true; ///< False: takes blocks and loses them.
    std::set<Hash256> has;
    bool asked = false;             ///< A question or a shipment is under way.
    bool complete = false;          ///< Has confirmed all, and kept its place since.
    std::vector<Hash256> missing{}; ///< As it said last.
};

class World {
  public:
    explicit World(std::uint64_t seed) : random_(seed) {
        const auto peers = 2 + random_.below(4);
        for (std::uint64_t i = 0; i < peers; ++i)
            peers_["peer-" + std::to_string(i)];
        for (Byte i = 0; i < 1 + random_.below(6); ++i)
            blocks_.push_back(Hash256{{i}});
        for (auto& [name, peer] : peers_) { // what the early shipping brought there
            for (const auto& hash : blocks_) {
                if (random_.below(2) == 0) peer.has.insert(hash);
            }
        }
        workload_.emplace(kSelf, random_placement({}), WorkloadTiming{50ms, 1s, 5s}, random_.next());
    }

    void run() {
        perform(workload_->start(now_));
        const auto heals_at = now_ + kHealsAfter;
        at(heals_at, [this] { heal(); });
        while (workload_->phase() != Workload::Phase::done) {
            REQUIRE(!queue_.empty()); // somebody must still have something to say
            auto next = queue_.extract(queue_.begin());
            now_ = next.key();
            REQUIRE(now_ < heals_at + kDoneWithin);
            next.mapped()();
            if (now_ < heals_at) disturb();
            REQUIRE(++steps_ < 50'000); // no hot loop
        }
        CHECK(committed_);
    }

  private:
    void at(TimePoint when, std::function<void()> what) { queue_.emplace(when, std::move(what)); }
    void soon(std::function<void()> what) {
        at(now_ + 1ms + std::chrono::microseconds(random_.below(200'000)), std::move(what));
    }
    bool chance(std::uint64_t percent) { return !healed_ && random_.below(100) < percent; }

    std::vector<NodeName> random_placement(const NodeName& without) {
        std::vector<NodeName> nodes{kSelf};
        for (const auto& [name, peer] : peers_) {
            if (name != without && peer.up) nodes.push_back(name);
        }
        for (std::size_t i = nodes.size(); i > 1; --i)
            std::swap(nodes[i - 1], nodes[random_.below(i)]);
        nodes.resize(std::min<std::size_t>(nodes.size(), 1 + random_.below(3)));
        return nodes;
    }

    void heal() {
        healed_ = true;
        for (auto& [name, peer] : peers_) {
            const bool was_up = std::exchange(peer.up, true);
            peer.keeps = true;
            if (!was_up) perform(workload_->peer_up(name, now_));
        }
    }

    void disturb() {
        auto& [name, peer] =
            *std::next(peers_.begin(), static_cast<std::ptrdiff_t>(random_.below(peers_.size())));
        switch (random_.below(40)) {
        case 0:
        case 1:
            peer.up = !peer.up;
            if (peer.up) perform(workload_->peer_up(name, now_));
            break;
        case 2: // what is confirmed is on disk; the rest may go
            if (!peer.complete) peer.has.clear();
            break;
        case 3:
            peer.keeps = !peer.keeps;
            break;
        case 4: // somebody repeats himself
            if (!peer.asked) {
                perform(
                    workload_->confirmed(name, random_.below(2) ? blocks_ : std::vector<Hash256>{}, now_));
                perform(workload_->shipped(name, now_));
                perform(workload_->peer_failed(name, now_));
            }
            break;
        case 5:
            perform(workload_->tick(now_));
            break;
        default:
            break;
        }
    }

    void perform(const Actions& actions) {
        for (const auto& action : actions)
            std::visit([this](const auto& what) { perform_one(what); }, action);
    }

    Peer& ask(const NodeName& name) {
        REQUIRE(peers_.contains(name));
        auto& peer = peers_[name];
        REQUIRE_FALSE(peer.asked);
        peer.asked = true;
        return peer;
    }

    void perform_one(const ConfirmReplica& action) {
        ask(action.peer);
        soon([this, name = action.peer] {
            auto& peer = peers_[name];
            peer.asked = false;
            if (!peer.up || chance(5)) return perform(workload_->peer_failed(name, now_));
            peer.missing.clear();
            std::ranges::copy_if(blocks_, std::back_inserter(peer.missing),
                                 [&](const Hash256& hash) { return !peer.has.contains(hash); });
            const auto& placed = workload_->placement();
            if (peer.missing.empty() && std::ranges::find(placed, name) != placed.end()) peer.complete = true;
            perform(workload_->confirmed(name, peer.missing, now_));
        });
    }

    void perform_one(const ShipBlocks& action) {
        REQUIRE(action.hashes == ask(action.peer).missing);
        soon([this, action] {
            auto& peer = peers_[action.peer];
            peer.asked = false;
            const bool fails = !peer.up || chance(20);
            for (const auto& hash : action.hashes) {
                if (fails && random_.below(2) == 0) break;
                if (peer.keeps) peer.has.insert(hash);
            }
            perform(fails ? workload_->peer_failed(action.peer, now_)
                          : workload_->shipped(action.peer, now_));
        });
    }

    void perform_one(const Reroute& action) {
        REQUIRE_FALSE(rerouting_);
        rerouting_ = true;
        soon([this, away = action.away] {
            rerouting_ = false;
            if (chance(40)) return perform(workload_->reroute_failed(now_));
            const auto placement = random_placement(away);
            for (auto& [name, peer] : peers_) {
                if (std::ranges::find(placement, name) == placement.end()) peer.complete = false;
            }
            perform(workload_->rerouted(placement, now_));
        });
    }

    void perform_one(const JournalPlacement&) {
        for (const auto& name : workload_->placement())
            REQUIRE((name == kSelf || peers_.contains(name)));
    }

    void perform_one(const CommitManifest&) {
        REQUIRE_FALSE(committing_);
        REQUIRE_FALSE(committed_);
        committing_ = true;
        for (const auto& name : workload_->placement())
            REQUIRE((name == kSelf || peers_[name].complete));
        soon([this] {
            committing_ = false;
            if (chance(60)) return perform(workload_->commit_failed(now_));
            committed_ = true;
            perform(workload_->committed());
        });
    }

    void perform_one(const WakeAt& action) {
        at(std::max(action.when, now_), [this] { perform(workload_->tick(now_)); });
    }

    Random random_;
    TimePoint now_{1000s};
    std::multimap<TimePoint, std::function<void()>> queue_;
    std::map<NodeName, Peer> peers_;
    std::vector<Hash256> blocks_;
    std::optional<Workload> workload_;
    bool healed_ = false;
    bool rerouting_ = false;
    bool committing_ = false;
    bool committed_ = false;
    std::size_t steps_ = 0;
};

} // namespace

TEST_CASE("every workload commits once the world heals, and never too early") {
    const auto first = test::seed();
    for (std::uint64_t run = 0; run < 3000; ++run) {
        INFO("run " << run << " of DWCP_SEED " << first);
        World(first + run).run();
    }
}
