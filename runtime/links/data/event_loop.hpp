// An epoll loop for one thread: readiness of file descriptors, tasks posted by other threads, a turn at a
// time.
//
// Life cycle: the owner's thread calls wait() over and over and handles what it returns; close_posts() at the
// end makes post() refuse. Level-triggered: what was not read or written comes back with the next wait().
#pragma once

#include "protocols/base/clock.hpp"
#include "protocols/base/result.hpp"
#include "runtime/links/data/socket.hpp"

#include <array>
#include <functional>
#include <mutex>
#include <span>
#include <sys/epoll.h>
#include <vector>

namespace dwcp::links {

class EventLoop {
  public:
    using Task = std::move_only_function<void()>;

    /// Errc::io_error if the kernel has no descriptors left.
    Result<void> open();

    void add(const Fd& fd, std::uint32_t events, void* tag);
    void change(const Fd& fd, std::uint32_t events, void* tag);
    void remove(const Fd& fd);

    /// Waits up to `timeout` for events or posted tasks. Runs the tasks and returns the events.
    std::span<const epoll_event> wait(milliseconds timeout);

    /// Runs `task` in the loop's thread. False after close_posts(): it will not be run. Thread-safe.
    [[nodiscard]] bool post(Task task);
    /// Runs what was posted and refuses the rest.
    void close_posts();

  private:
    void run_posted();

    Fd epoll_;
    Fd wake_;
    std::array<epoll_event, 128> ready_{};
    std::mutex mutex_;
    std::vector<Task> posted_;
    bool closed_ = false;
};

} // namespace dwcp::links
