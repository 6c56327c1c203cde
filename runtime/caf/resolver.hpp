// Who lives at an actor path now. Callers hold paths ("manager/0"), never handles: a restarted actor has a
// new handle, and a stale one would only ever answer "receiver down".
//
// Life cycle: one a node, outlives the actor system. The supervisor publishes a child when it starts and
// withdraws it when it ends; everybody else resolves, just before sending. Thread-safe.
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/caf/actor_watch.hpp"

#include <caf/actor.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace dwcp::actor {

/// What an actor tells about itself while it runs, and how it is watched; shared with its actor.
struct ActorStats {
    std::atomic<std::uint64_t> enqueued{0};
    std::atomic<std::uint64_t> dequeued{0};
    std::atomic<std::uint64_t> rejected{0}; ///< Refused because the mailbox was full.
    std::atomic<std::uint64_t> busy_ns{0};  ///< Time spent in handlers.
    /// A later life of its path was published: what this one still answers is not believed.
    std::atomic<bool> superseded{false};
    MessageTrace trace;
    ActorPause pause;

    std::uint64_t depth() const {
        const auto in = enqueued.load(std::memory_order_relaxed);
        const auto out = dequeued.load(std::memory_order_relaxed);
        return in > out ? in - out : 0;
    }
};

/// One life of one actor.
struct Live {
    caf::actor handle;
    std::uint64_t life = 0; ///< 1 for the first start, then 2, ...
    TimePoint since{};
    std::shared_ptr<ActorStats> stats;
};

/// Whether the actor that was asked has a successor by now.
inline bool is_superseded(const std::shared_ptr<ActorStats>& asked) {
    return asked && asked->superseded.load(std::memory_order_acquire);
}
/// What an asker gets instead of the answer of a life that is over; the same request may be made again.
Error answer_of_dead_life(const std::string& path);

class Resolver {
  public:
    /// Publishes the next life of `path` and returns its number; the one before is superseded.
    std::uint64_t publish(const std::string& path, caf::actor handle, std::shared_ptr<ActorStats> stats,
                          TimePoint now);
    /// Withdraws `path` if it is still at `life`.
    void withdraw(const std::string& path, std::uint64_t life);
    /// Forgets all handles, so that no actor is kept alive by its name, publishes no more, and lets nobody
    /// wait any longer; for the end of the node.
    void close();

    std::optional<Live> find(const std::string& path) const;
    /// Waits until a life newer than `after` is published, for callers outside the actor system. nullopt at
    /// the deadline.
    std::optional<Live> wait_for_life_after(const std::string& path, std::uint64_t after,
                                            TimePoint deadline) const;

  private:
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::map<std::string, Live> live_;
    /// The last life that was published, also after it was withdrawn.
    struct Last {
        std::uint64_t life = 0;
        std::weak_ptr<ActorStats> stats;
    };
    std::map<std::string, Last> last_;
    bool closed_ = false;
};

} // namespace dwcp::actor
