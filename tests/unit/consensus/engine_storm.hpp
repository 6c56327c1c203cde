// Random storms: messages are lost, late and doubled, replicas die at any step, f of them have a twin. What
// must always hold the rig holds; once the storm is over everything wanted must be decided soon.
// DWCP_SEED=n runs one seed that failed, with DWCP_SEEDS=m those up to m.
#pragma once

#include "tests/unit/consensus/engine_rig.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>

namespace dwcp::consensus::test {

inline constexpr std::size_t kSizes[] = {4, 4, 5, 7, 10};
inline constexpr Height kSlots = 40;

/// `Committees` is an EngineRig of one kind: (n, Rules).
template<class Committees>
class Storm {
  public:
    explicit Storm(std::uint64_t seed) : random_(seed), rig_(pick(seed), rules(seed)) {
        const std::size_t twins = random_.below(rig_.committee.f() + 1);
        for (std::size_t at = 0; at < twins; ++at) {
            const std::size_t twin = rig_.add_twin(static_cast<ReplicaId>(at));
            twins_.emplace_back(at, twin);
        }
        crash_permille_ = random_.below(3) * 5;
        down_at_once_ = rig_.committee.f() - twins;
        split_ = random_.below(3) == 0;
        suspicious_ = random_.below(3) == 0;
    }

    void run() {
        weather();
        rig_.start();
        rig_.want(kSlots);
        for (int round = 0; round < 40; ++round) {
            rig_.run(milliseconds(100));
            rearrange();
        }
        calm();
        INFO("n = " << rig_.committee.n() << " twins " << twins_.size());
        for (const auto& node : rig_.nodes) {
            const auto status = node->engine ? node->engine->status() : EngineStatus{};
            UNSCOPED_INFO("replica " << node->id << " view " << status.view
                                     << (status.active ? " active" : " between") << " decided "
                                     << status.decided << " upto " << node->upto << " stable "
                                     << status.stable << " " << status.note);
        }
        const bool over = rig_.run(std::chrono::seconds(240), [&] { return rig_.all_decided(kSlots); });
        if (!over) {
            for (const auto& node : rig_.nodes) {
                const auto status = node->engine->status();
                UNSCOPED_INFO("later: replica " << node->id << " view " << status.view
                                                << (status.active ? " active" : " between") << " decided "
                                                << status.decided << " upto " << node->upto << " "
                                                << status.note);
            }
        }
        REQUIRE(over);
        if (twins_.empty()) {
            CHECK(rig_.evidence.empty());
            CHECK(rig_.invalid == 0);
        }
    }

  private:
    static std::size_t pick(std::uint64_t seed) { return kSizes[seed % std::size(kSizes)]; }
    static Rules rules(std::uint64_t seed) {
        Random random(seed * 77);
        Rules out;
        out.seed = seed;
        out.delay_max = milliseconds(2 + static_cast<int>(random.below(random.below(4) == 0 ? 600 : 50)));
        out.lose_permille = static_cast<unsigned>(random.below(4)) * 70;
        out.twice_permille = static_cast<unsigned>(random.below(2)) * 100;
        out.checkpoint_every = random.below(2) ? 8 : 16;
        return out;
    }

    void weather() {
        rig_.fate = [this](const EngineRig::Node& node, const EngineEffects& effects) {
            const bool spared = effects.persist.empty() || down() >= down_at_once_ || !node.honest;
            if (spared || random_.below(1000) >= crash_permille_) return Fate::lives;
            return random_.below(2) ? Fate::dies_before_disk : Fate::dies_after_disk;
        };
        rig_.passes = [this](std::size_t from, std::size_t to, const Message&) {
            return side_.empty() || side_[from] == side_[to];
        };
    }

    std::size_t down() const {
        std::size_t count = 0;
        for (const auto& node : rig_.nodes)
            count += !node->engine;
        return count;
    }

    void rearrange() {
        for (std::size_t at = 0; at < rig_.nodes.size(); ++at) {
            if (!rig_.nodes[at]->engine && random_.below(3) == 0) rig_.restart(at);
            if (suspicious_ && random_.below(20) == 0) rig_.give(at, SuspectLeader{});
        }
        side_.clear();
        if (!split_ || random_.below(2)) return;
        for (std::size_t at = 0; at < rig_.nodes.size(); ++at)
            side_.push_back(random_.below(4) == 0);
    }

    void calm() {
        rig_.fate = nullptr;
        rig_.rules.lose_permille = 0;
        rig_.rules.twice_permille = 0;
        rig_.rules.delay_max = milliseconds(20);
        side_.clear();
        for (std::size_t at = 0; at < rig_.nodes.size(); ++at) {
            if (!rig_.nodes[at]->engine) rig_.restart(at);
        }
    }

    Random random_;
    Committees rig_;
    std::vector<std::pair<std::size_t, std::size_t>> twins_;
    std::size_t crash_permille_ = 0;
    std::size_t down_at_once_ = 0;
    bool split_ = false;
    bool suspicious_ = false;
    std::vector<bool> side_;
};

template<class Committees>
void storms(std::uint64_t last) {
    std::uint64_t first = 1;
    if (const char* given = std::getenv("DWCP_SEED")) first = last = std::strtoull(given, nullptr, 10);
    if (const char* given = std::getenv("DWCP_SEEDS")) last = std::strtoull(given, nullptr, 10);
    for (std::uint64_t seed = first; seed <= last; ++seed) {
        INFO("DWCP_SEED=" << seed);
        Storm<Committees>(seed).run();
    }
}

} // namespace dwcp::consensus::test
