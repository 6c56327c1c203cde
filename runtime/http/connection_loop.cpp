#include "runtime/http/connection_loop.hpp"

#include "runtime/http/errors.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace dwcp::http {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";
/// A head is usually one packet.
constexpr std::size_t kReadBytes = 16U << 10;
/// How late an idle connection may be closed.
constexpr milliseconds kSweepInterval{100};
/// With no descriptor left, accepting is tried again after this.
constexpr milliseconds kAcceptPause{100};

TimePoint now() { return std::chrono::steady_clock::now(); }

void watch(int epoll, int operation, int fd, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll, operation, fd, &event);
}

/// Answers 503 without reading more than has arrived. Reading it first matters: closing a socket with unread
/// bytes resets the connection, and the client might never see the answer.
void refuse(int fd, std::string_view message) {
    std::array<char, kReadBytes> ignored;
    for (int i = 0; i < 4 && recv(fd, ignored.data(), ignored.size(), MSG_DONTWAIT) > 0; ++i) {
    }
    const auto body = error_body({Errc::unavailable, std::string(message), "try again in a second"});
    const auto answer = fmt::format("HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                                    "Retry-After: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
                                    kRetryAfterSeconds, body.size(), body);
    // A fresh socket's send buffer always has room for this; if not, the client loses an explanation, nothing
    // more.
    [[maybe_unused]] const auto sent = send(fd, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
}

std::pair<std::string, std::uint16_t> name_of(const sockaddr_storage& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET6) {
        const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
        inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
        return {text.data(), ntohs(v6.sin6_port)};
    }
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return {text.data(), ntohs(v4.sin_port)};
}

} // namespace

std::size_t Connection::head_bytes() const {
    const std::size_t end = input.find(kHeadEnd, consumed);
    return end == std::string::npos ? 0 : end + kHeadEnd.size() - consumed;
}

bool Connection::head_ready() const { return head_bytes() > 0 || input.size() - consumed > kHeadBytesMax; }

ConnectionLoop::ConnectionLoop(int listener, const Options& options, Serve serve)
    : options_(options), serve_(std::move(serve)), listener_(listener), epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      workers_(std::make_unique<WorkerPool>("http", options.threads, options.queue_max)) {
    watch(epoll_, EPOLL_CTL_ADD, listener_, EPOLLIN);
    watch(epoll_, EPOLL_CTL_ADD, wake_, EPOLLIN);
    thread_ = std::thread([this] { run(); });
}

ConnectionLoop::~ConnectionLoop() {
    stop();
    close(epoll_);
    close(wake_);
}

void ConnectionLoop::begin_drain() {
    draining_ = true;
    eventfd_write(wake_, 1);
}

bool ConnectionLoop::wait_quiet(Duration deadline) {
    std::unique_lock lock(mutex_);
    return quiet_.wait_for(lock, deadline, [this] { return busy_ == 0 && listener_ < 0; });
}

void ConnectionLoop::stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    begin_drain();
    thread_.join();
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [fd, slot] : slots_)
            shutdown(fd, SHUT_RDWR);
    }
    workers_.reset();
    const std::lock_guard lock(mutex_);
    while (!slots_.empty())
        close_locked(slots_.begin()->first);
    if (listener_ >= 0) close(std::exchange(listener_, -1));
    quiet_.notify_all();
}

void ConnectionLoop::run() {
    name_this_thread("http-loop");
    std::array<epoll_event, 64> events{};
    int wait_ms = -1;
    while (!stopping_) {
        const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
        for (int i = 0; i < count; ++i)
            on_event(events[static_cast<std::size_t>(i)].data.fd);
        if (draining_) drain_now();
        wait_ms = sweep();
    }
}

void ConnectionLoop::on_event(int fd) {
    if (fd == wake_) {
        eventfd_t ignored = 0;
        eventfd_read(wake_, &ignored);
    } else if (fd == listener_) {
        accept_all();
    } else {
        on_readable(fd);
    }
}

void ConnectionLoop::accept_all() {
    for (;;) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        const int fd =
            accept4(listener_, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (fd < 0) {
            // Out of descriptors or memory. The listener stays readable, so polling it now would spin.
            log::warn("http_accept_failed", {{"error", std::strerror(errno)}});
            watch(epoll_, EPOLL_CTL_MOD, listener_, 0);
            accept_again_ = now() + kAcceptPause;
            return;
        }
        auto [host, port] = name_of(address);
        adopt(fd, std::move(host), port);
    }
}

void ConnectionLoop::adopt(int fd, std::string host, std::uint16_t port) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::lock_guard lock(mutex_);
    if (slots_.size() >= options_.connections_max) {
        probe_.refused.add();
        refuse(fd, fmt::format("all {} connections of this node are in use", options_.connections_max));
        close(fd);
        return;
    }
    auto slot = std::make_unique<Slot>();
    slot->connection.fd = fd;
    slot->connection.peer_host = std::move(host);
    slot->connection.peer_port = port;
    slot->deadline = now() + options_.idle_timeout;
    slots_[fd] = std::move(slot);
    probe_.connections.set(static_cast<double>(slots_.size()));
    watch(epoll_, EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLONESHOT);
}

void ConnectionLoop::on_readable(int fd) {
    const std::lock_guard lock(mutex_);
    const auto found = slots_.find(fd);
    // Gone, or taken by a worker, earlier in the same batch of events.
    if (found == slots_.end() || found->second->busy) return;
    Slot& slot = *found->second;
    std::string& input = slot.connection.input;

    std::array<char, kReadBytes> buffer;
    const ssize_t count = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return rearm(slot);
    if (count <= 0) return close_locked(fd);
    if (input.empty()) slot.deadline = now() + options_.head_timeout;
    input.append(buffer.data(), static_cast<std::size_t>(count));
    if (slot.connection.head_ready())
        dispatch(slot);
    else
        rearm(slot);
}

void ConnectionLoop::dispatch(Slot& slot) {
    slot.busy = true;
    ++busy_;
    if (workers_->try_submit([this, &slot] { work(slot); })) return;
    --busy_;
    probe_.refused.add();
    refuse(slot.connection.fd,
           fmt::format("all {} HTTP threads of this node are busy and {} requests wait already",
                       options_.threads, options_.queue_max));
    close_locked(slot.connection.fd);
}

void ConnectionLoop::work(Slot& slot) {
    bool keep = true;
    do {
        keep = !stopping_ && serve_(slot.connection);
    } while (keep && slot.connection.head_ready());
    release(slot, keep);
}

void ConnectionLoop::release(Slot& slot, bool keep) {
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) quiet_.notify_all();
    if (!keep || draining_) return close_locked(slot.connection.fd);
    Connection& connection = slot.connection;
    connection.input.erase(0, connection.consumed);
    connection.consumed = 0;
    // A body leaves a large buffer behind; a thousand idle connections must not keep theirs.
    if (connection.input.capacity() > 2 * kHeadBytesMax) connection.input.shrink_to_fit();
    slot.busy = false;
    slot.deadline = now() + (connection.input.empty() ? options_.idle_timeout : options_.head_timeout);
    rearm(slot);
}

void ConnectionLoop::rearm(Slot& slot) {
    watch(epoll_, EPOLL_CTL_MOD, slot.connection.fd, EPOLLIN | EPOLLONESHOT);
}

void ConnectionLoop::close_locked(int fd) {
    close(fd); // also leaves the poll set
    slots_.erase(fd);
    probe_.connections.set(static_cast<double>(slots_.size()));
}

void ConnectionLoop::drain_now() {
    const std::lock_guard lock(mutex_);
    if (listener_ < 0) return;
    close(std::exchange(listener_, -1));
    std::vector<int> idle;
    for (const auto& [fd, slot] : slots_)
        if (!slot->busy) idle.push_back(fd);
    for (const int fd : idle)
        close_locked(fd);
    quiet_.notify_all();
}

/// Closes what was idle too long. Returns how long to sleep at most, in milliseconds; -1: until something
/// happens.
int ConnectionLoop::sweep() {
    const std::lock_guard lock(mutex_);
    const TimePoint time = now();
    if (accept_again_ != TimePoint{} && accept_again_ <= time && listener_ >= 0) {
        accept_again_ = TimePoint{};
        watch(epoll_, EPOLL_CTL_MOD, listener_, EPOLLIN);
    }
    if (slots_.empty() && accept_again_ == TimePoint{}) return -1;
    // Not at every event: with many connections open, looking at all of them costs more than serving one.
    if (time >= next_sweep_) {
        next_sweep_ = time + kSweepInterval;
        std::vector<int> expired;
        for (const auto& [fd, slot] : slots_)
            if (!slot->busy && slot->deadline <= time) expired.push_back(fd);
        for (const int fd : expired)
            close_locked(fd);
    }
    return static_cast<int>(kSweepInterval.count());
}

} // namespace dwcp::http
