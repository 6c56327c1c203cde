// A fixed number of threads for work that would block or hog an actor: hashing, codecs, the store.
//
// Life cycle: threads start in the constructor; the destructor stops taking work, runs what is queued and
// joins. The queue is bounded: try_submit() refuses instead of growing, and the caller answers with
// back-pressure. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace dwcp {

class WorkerPool {
  public:
    WorkerPool(std::string name, std::size_t threads, std::size_t queue_max);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// For owners whose jobs and callbacks use each other: after it nothing runs, and try_submit() refuses.
    void stop();
    /// False when the queue is full or the pool is stopping; the job is then not run. Jobs must not throw.
    [[nodiscard]] bool try_submit(std::function<void()> job);
    std::size_t queued() const;

  private:
    void run(std::size_t index);

    const std::string name_;
    const std::size_t queue_max_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> queue_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

/// Names the calling thread for top, gdb and perf; at most 15 characters are kept.
void name_this_thread(const std::string& name);

} // namespace dwcp
