#include "runtime/links/data/event_loop.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/eventfd.h>
#include <unistd.h>

namespace dwcp::links {

Result<void> EventLoop::open() {
    epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
    wake_ = Fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!epoll_ || !wake_) {
        return fail(Errc::io_error, std::string("cannot create an event loop: ") + std::strerror(errno),
                    "raise the limit of open files");
    }
    add(wake_, EPOLLIN, this);
    return {};
}

void EventLoop::add(const Fd& fd, std::uint32_t events, void* tag) {
    epoll_event event{events, {.ptr = tag}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event);
}

void EventLoop::change(const Fd& fd, std::uint32_t events, void* tag) {
    epoll_event event{events, {.ptr = tag}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd.get(), &event);
}

void EventLoop::remove(const Fd& fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr); }

std::span<const epoll_event> EventLoop::wait(milliseconds timeout) {
    const int count = ::epoll_wait(epoll_.get(), ready_.data(), static_cast<int>(ready_.size()),
                                   static_cast<int>(timeout.count()));
    auto end = ready_.begin() + std::max(count, 0);
    const auto wake =
        std::find_if(ready_.begin(), end, [&](const auto& event) { return event.data.ptr == this; });
    if (wake != end) {
        std::uint64_t value = 0;
        // A read that finds nothing means that somebody else's wake-up was taken along: nothing is lost.
        [[maybe_unused]] const auto read = ::read(wake_.get(), &value, sizeof value);
        *wake = *--end;
        run_posted();
    }
    return {ready_.begin(), end};
}

bool EventLoop::post(Task task) {
    bool first;
    {
        const std::lock_guard lock(mutex_);
        if (closed_) return false;
        first = posted_.empty();
        posted_.push_back(std::move(task));
    }
    if (first) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
    }
    return true;
}

void EventLoop::run_posted() {
    std::vector<Task> tasks;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(posted_);
    }
    for (Task& task : tasks)
        task();
}

void EventLoop::close_posts() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    run_posted();
}

} // namespace dwcp::links
