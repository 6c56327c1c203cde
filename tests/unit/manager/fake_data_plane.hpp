// The data plane without sockets: peers are sets of blocks in memory, answers come from threads of its own.
#pragma once

#include "runtime/base/worker_pool.hpp"
#include "runtime/links/data/data_plane.hpp"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dwcp::manager::test {

class FakeDataPlane final : public links::DataPlane {
  public:
    /// How a peer behaves now. `fails_with` answers every request to it.
    struct Peer {
        std::optional<Error> fails_with;
        std::map<Hash256, EncodedBlock> blocks;
        std::size_t sends = 0;
        std::size_t syncs = 0;
        std::size_t fetches = 0;
        TimePoint fetch_deadline{};               ///< Of the last.
        std::map<links::Pool, std::size_t> asked; ///< Sends and syncs that came over each pool.
    };

    ~FakeDataPlane() override { threads_.stop(); }

    /// Runs `look` on a peer while nobody else does.
    template<class Look>
    auto with(const NodeName& name, Look look) {
        const std::lock_guard lock(mutex_);
        return look(peers_[name]);
    }
    void set_down(const NodeName& name, bool down = true) {
        with(name, [&](Peer& peer) {
            if (down)
                peer.fails_with = Error{Errc::unavailable, name + " is away", {}};
            else
                peer.fails_with.reset();
        });
    }
    /// From now on nothing over this pool is answered, until it is abandoned.
    void hold(links::Pool pool) {
        const std::lock_guard lock(mutex_);
        held_ = pool;
    }
    std::size_t sends_under_way_max() const { return under_way_max_; }
    std::size_t blocks_at(const NodeName& name) {
        return with(name, [](const Peer& peer) { return peer.blocks.size(); });
    }

    std::uint16_t port() const override { return 0; }
    void add_peer(const links::DataPeer&) override {}

    void send_block(const NodeName& name, const EncodedBlock& block, const WorkloadId&, TimePoint, Done done,
                    links::Pool pool) override {
        {
            const std::lock_guard lock(mutex_);
            ++peers_[name].asked[pool];
            if (held_ == pool) {
                unanswered_.push_back([done] { done(fail(Errc::cancelled, "abandoned")); });
                return;
            }
            under_way_max_ = std::max(under_way_max_, ++under_way_);
            ++peers_[name].sends;
        }
        answer([this, name, block, done] {
            Result<void> result;
            {
                const std::lock_guard lock(mutex_);
                --under_way_;
                auto& peer = peers_[name];
                if (peer.fails_with)
                    result = std::unexpected(*peer.fails_with);
                else
                    peer.blocks[block.hash] = block;
            }
            done(std::move(result));
        });
    }

    void sync(const NodeName& name, std::vector<Hash256> hashes, const WorkloadId&, TimePoint, Missing done,
              links::Pool pool) override {
        {
            const std::lock_guard lock(mutex_);
            ++peers_[name].asked[pool];
            if (held_ == pool) {
                unanswered_.push_back([done] { done(fail(Errc::cancelled, "abandoned")); });
                return;
            }
        }
        answer([this, name, hashes = std::move(hashes), done] {
            Result<std::vector<Hash256>> missing;
            {
                const std::lock_guard lock(mutex_);
                auto& peer = peers_[name];
                ++peer.syncs;
                if (peer.fails_with) {
                    missing = std::unexpected(*peer.fails_with);
                } else {
                    for (const auto& hash : hashes) {
                        if (!peer.blocks.contains(hash)) missing->push_back(hash);
                    }
                }
            }
            done(std::move(missing));
        });
    }

    void fetch(const NodeName& name, const Hash256& hash, TimePoint deadline, Fetched done,
               links::Pool) override {
        answer([this, name, hash, deadline, done] {
            Result<EncodedBlock> block = fail(Errc::not_found, name + " has no such block");
            {
                const std::lock_guard lock(mutex_);
                auto& peer = peers_[name];
                ++peer.fetches;
                peer.fetch_deadline = deadline;
                if (peer.fails_with)
                    block = std::unexpected(*peer.fails_with);
                else if (const auto found = peer.blocks.find(hash); found != peer.blocks.end())
                    block = found->second;
            }
            done(std::move(block));
        });
    }

    void abandon(links::Pool pool) override {
        std::vector<std::function<void()>> unanswered;
        {
            const std::lock_guard lock(mutex_);
            if (held_ == pool) unanswered = std::exchange(unanswered_, {});
        }
        for (const auto& one : unanswered)
            answer(one);
    }
    void echo(const NodeName& name, SharedBytes, TimePoint, Done done) override {
        answer([this, name, done] {
            Result<void> result;
            {
                const std::lock_guard lock(mutex_);
                if (peers_[name].fails_with) result = std::unexpected(*peers_[name].fails_with);
            }
            done(std::move(result));
        });
    }
    void redial(const NodeName&) override {}

    /// Until every answer under way was given.
    void settle() {
        std::unique_lock lock(mutex_);
        quiet_.wait(lock, [this] { return answers_ == 0; });
    }

    std::vector<links::PeerDataStatus> status() const override { return {}; }
    void drain() override {}

  private:
    void answer(std::function<void()> what) {
        {
            const std::lock_guard lock(mutex_);
            ++answers_;
        }
        const auto job = [this, what = std::move(what)] {
            what();
            const std::lock_guard lock(mutex_);
            if (--answers_ == 0) quiet_.notify_all();
        };
        if (!threads_.try_submit(job)) job();
    }

    std::mutex mutex_;
    std::map<NodeName, Peer> peers_;
    std::optional<links::Pool> held_;
    std::vector<std::function<void()>> unanswered_;
    std::condition_variable quiet_;
    std::size_t answers_ = 0;
    std::size_t under_way_ = 0;
    std::size_t under_way_max_ = 0;
    WorkerPool threads_{"fake-data", 2, 100'000};
};

} // namespace dwcp::manager::test
