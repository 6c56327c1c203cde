#include "runtime/links/data/work_queue.hpp"

#include "protocols/wire/block.hpp"

#include <limits>

namespace dwcp::links {

// The pool's own queue holds one wake-up a job; what bounds the jobs bounds it.
WorkQueue::WorkQueue(std::size_t service_threads)
    : service_max_(service_threads), service_(kBlockBytes),
      pool_("data-work", service_threads + 1, std::numeric_limits<std::size_t>::max()) {}

WorkQueue::~WorkQueue() {
    const std::lock_guard lock(mutex_);
    service_.clear();
}

void WorkQueue::run_callback(Job job) {
    {
        const std::lock_guard lock(mutex_);
        callbacks_.push_back(std::move(job));
    }
    // Refused only while stopping: then the caller runs inside work(), which comes back for this callback.
    (void)pool_.try_submit([this] { work(); });
}

void WorkQueue::serve(const NodeName& peer, std::uint64_t cost_bytes, Job job) {
    {
        const std::lock_guard lock(mutex_);
        service_.push(peer, cost_bytes, std::move(job));
    }
    // Refused only while stopping, when service work is dropped anyway.
    (void)pool_.try_submit([this] { work(); });
}

// Each job submits one wake-up, but a wake-up may find the service's threads all taken; whoever finishes a
// job looks again, so nothing is left behind.
void WorkQueue::work() {
    while (auto task = take()) {
        task->job();
        task->job = nullptr; // what it holds is released before the thread is counted as free
        finished(*task);
    }
}

std::optional<WorkQueue::Task> WorkQueue::take() {
    const std::lock_guard lock(mutex_);
    if (!callbacks_.empty()) {
        Task task{std::move(callbacks_.front()), false};
        callbacks_.pop_front();
        return task;
    }
    if (service_running_ >= service_max_) return std::nullopt;
    auto job = service_.pop();
    if (!job) return std::nullopt;
    ++service_running_;
    return Task{std::move(*job), true};
}

void WorkQueue::finished(const Task& task) {
    if (!task.is_service) return;
    const std::lock_guard lock(mutex_);
    --service_running_;
}

} // namespace dwcp::links
