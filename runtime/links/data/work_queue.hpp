// The data plane's worker threads: callbacks of finished requests, and the service's work for peers.
//
// Callbacks go first, and one thread is always left for them, so that a service that waits for the disk holds
// up nobody's answer. Service work is taken from the peers in turn (FairQueue): a peer with many streams gets
// no more of the service than a peer with one. Bounded by its users: credits bound the service's work, the
// peers' queues bound the callbacks. Thread-safe.
#pragma once

#include "protocols/base/ids.hpp"
#include "runtime/base/worker_pool.hpp"
#include "runtime/links/data/fair_queue.hpp"

#include <deque>
#include <functional>
#include <mutex>
#include <optional>

namespace dwcp::links {

class WorkQueue {
  public:
    using Job = std::move_only_function<void()>;

    explicit WorkQueue(std::size_t service_threads);
    /// Drops the service's work that has not begun, then runs every callback and joins.
    ~WorkQueue();

    void run_callback(Job job);
    /// `cost_bytes`: what the job weighs in the fairness between peers.
    void serve(const NodeName& peer, std::uint64_t cost_bytes, Job job);

  private:
    struct Task {
        Job job;
        bool is_service = false;
    };

    void work();
    std::optional<Task> take();
    void finished(const Task& task);

    const std::size_t service_max_;
    std::mutex mutex_;
    std::deque<Job> callbacks_;
    FairQueue<Job> service_;
    std::size_t service_running_ = 0;
    WorkerPool pool_; ///< Last: its threads use all of the above.
};

} // namespace dwcp::links
