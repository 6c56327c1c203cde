#include "runtime/http/connection_loop.hpp"

#include "runtime/base/events.hpp"
#include "runtime/http/response_head.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <sys/epoll.h>
#include <unistd.h>

namespace dwcp::http {
namespace {

/// How late a deadline may be noticed.
constexpr milliseconds kSweepInterval{100};
constexpr int kEventsAtOnce = 256;
/// Numbers of what is no connection.
constexpr std::uint64_t kListenerNumber = 1;
constexpr std::uint64_t kMailboxNumber = 2;
/// Probes are quick and few; two threads let one be answered while another waits for a sick part.
constexpr std::size_t kProbeThreads = 2;
constexpr std::size_t kProbeQueueMax = 64;
/// Failed handshakes are counted always and told at most this often: a scanner must not push everything else
/// out of the events.
constexpr Duration kHandshakeEventEvery = std::chrono::seconds(1);

void watch(int epoll, int operation, int fd, std::uint64_t number, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = number;
    epoll_ctl(epoll, operation, fd, &event);
}

TimePoint clock_now() { return std::chrono::steady_clock::now(); }

} // namespace

ServerProbe::ServerProbe() {
    constexpr std::array<const char*, kRefusals> kReasons = {
        "connections", "source", "workers", "memory", "live", "head_timeout", "silent", "slow", "handshake"};
    for (const char* reason : kReasons)
        refused.push_back(metrics::counter("dwcp_http_refused_total",
                                           "Clients that were refused or cut for their own or others' load.",
                                           {{"reason", reason}}));
}

ConnectionLoop::ConnectionLoop(int listener, const Options& options, const Router& router, const Guard& guard,
                               Follower* follower, RouteProbe& unmatched)
    : service_(options, router, guard, follower, unmatched, *this), listener_(listener),
      epoll_(epoll_create1(EPOLL_CLOEXEC)), now_(clock_now()), last_number_(kMailboxNumber),
      sources_(options.connections_per_source_max),
      workers_(std::make_unique<WorkerPool>("http", options.threads, options.queue_max)),
      probe_workers_(std::make_unique<WorkerPool>("http-probe", kProbeThreads, kProbeQueueMax)) {
    watch(epoll_, EPOLL_CTL_ADD, listener_, kListenerNumber, EPOLLIN);
    watch(epoll_, EPOLL_CTL_ADD, service_.mailbox->event(), kMailboxNumber, EPOLLIN);
    thread_ = std::thread([this] { run(); });
}

ConnectionLoop::~ConnectionLoop() {
    stop();
    ::close(epoll_);
}

void ConnectionLoop::begin_drain() {
    draining_ = true;
    service_.mailbox->post({});
}

bool ConnectionLoop::wait_quiet(Duration deadline) {
    std::unique_lock lock(mutex_);
    return quiet_.wait_for(lock, deadline, [this] { return busy_ == 0 && !listening_; });
}

void ConnectionLoop::stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    begin_drain();
    thread_.join();
    workers_.reset();
    probe_workers_.reset();
}

// --- the thread

void ConnectionLoop::run() {
    name_this_thread("http-loop");
    while (!stopping_ || !slots_.empty()) {
        wait_for_events();
        if (draining_) stop_listening();
        if (stopping_) close_all();
        // What TLS has decrypted already makes no socket readable.
        for (const std::uint64_t number : std::exchange(turns_, {})) {
            const auto found = slots_.find(number);
            if (found == slots_.end()) continue;
            found->second.connection->on_turn(now_);
            settle(found->second);
        }
        if (now_ >= next_sweep_) sweep();
        bury();
    }
    stop_listening();
}

void ConnectionLoop::wait_for_events() {
    std::array<epoll_event, kEventsAtOnce> events;
    int wait_ms = static_cast<int>(kSweepInterval.count());
    if (slots_.empty() && accept_again_ == TimePoint{}) wait_ms = -1;
    if (!turns_.empty()) wait_ms = 0;
    const int count = epoll_wait(epoll_, events.data(), kEventsAtOnce, wait_ms);
    now_ = clock_now();
    if (const std::time_t seconds = std::time(nullptr); seconds != date_seconds_) {
        date_seconds_ = seconds;
        service_.date = http_date(seconds);
    }
    for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<std::size_t>(i)];
        on_event(event.data.u64, event.events);
    }
}

void ConnectionLoop::on_event(std::uint64_t number, std::uint32_t events) {
    if (number == kListenerNumber) return accept_some();
    if (number == kMailboxNumber) return on_notes();
    const auto found = slots_.find(number);
    // Gone, or closed, earlier in the same batch of events.
    if (found == slots_.end() || !found->second.open) return;
    found->second.connection->on_socket(events, now_);
    settle(found->second, events);
}

void ConnectionLoop::on_notes() {
    notes_.clear();
    service_.mailbox->take(notes_);
    for (const Mailbox::Note& note : notes_) {
        const auto found = slots_.find(note.connection);
        if (found == slots_.end()) continue;
        Connection& connection = *found->second.connection;
        if (note.step_done)
            connection.on_step_done(now_);
        else
            connection.on_woken(now_);
        settle(found->second);
    }
    run_waiting();
}

void ConnectionLoop::settle(Slot& slot, std::uint32_t came) {
    Connection& connection = *slot.connection;
    if (!connection.is_open()) {
        if (std::exchange(slot.open, false)) {
            sources_.leave(connection.host());
            --(connection.reserved() ? reserved_ : open_);
            service_.probe.connections.set(static_cast<double>(open_ + reserved_));
        }
        if (connection.dead()) dead_.push_back(connection.number());
        return;
    }
    // Told only when it must be: a connection that goes on as usual costs no system call.
    const std::uint32_t wanted = connection.interest();
    const std::uint32_t unwanted = came & ~wanted & (EPOLLIN | EPOLLOUT);
    if ((wanted & ~connection.armed) != 0 || unwanted != 0) {
        connection.armed = wanted;
        watch(epoll_, EPOLL_CTL_MOD, connection.fd(), connection.number(), wanted);
    }
    if (connection.wants_turn()) turns_.push_back(connection.number());
}

void ConnectionLoop::bury() {
    for (const std::uint64_t number : dead_)
        slots_.erase(number);
    dead_.clear();
}

// --- workers

bool ConnectionLoop::submit(Connection& connection, bool probe, bool must) {
    // Requests that have begun come before new ones.
    if (!waiting_.empty() && !probe && !must) run_waiting();
    if (start_step(connection, probe)) return true;
    if (!must) return false;
    waiting_.push_back({connection.number(), probe});
    return true;
}

bool ConnectionLoop::start_step(Connection& connection, bool probe) {
    WorkerPool& pool = probe ? *probe_workers_ : *workers_;
    return pool.try_submit(
        [exchange = &connection.exchange(), number = connection.number(), mailbox = service_.mailbox.get()] {
            exchange->run();
            mailbox->post({number, true});
        });
}

void ConnectionLoop::run_waiting() {
    while (!waiting_.empty()) {
        const Waiting next = waiting_.front();
        // A connection with a step to run is never destroyed before it has run.
        if (!start_step(*slots_.at(next.number).connection, next.probe)) return;
        waiting_.pop_front();
    }
}

void ConnectionLoop::request_began() {
    service_.probe.in_flight.add(1);
    const std::lock_guard lock(mutex_);
    ++busy_;
}

void ConnectionLoop::request_ended() {
    service_.probe.in_flight.add(-1);
    const std::lock_guard lock(mutex_);
    if (--busy_ == 0) quiet_.notify_all();
}

void ConnectionLoop::handshake_failed(const std::string& host, const Error& error, TimePoint now) {
    metrics::counter("dwcp_http_tls_handshake_failures_total", "TLS handshakes with clients that failed.",
                     {{"reason", std::string(to_string(error.code))}})
        .add();
    if (now < next_handshake_event_) {
        ++handshakes_unsaid_;
        return;
    }
    next_handshake_event_ = now + kHandshakeEventEvery;
    const std::string unsaid = std::to_string(std::exchange(handshakes_unsaid_, 0));
    if (service_.options.events != nullptr)
        service_.options.events->record("http_handshake_failed", host,
                                        {{"reason", error.message}, {"others_since_last", unsaid}});
    else
        log::warn("http_handshake_failed",
                  {{"peer", host}, {"reason", error.message}, {"others_since_last", unsaid}});
}

// --- the clock and the end

void ConnectionLoop::sweep() {
    next_sweep_ = now_ + kSweepInterval;
    if (accept_again_ != TimePoint{} && accept_again_ <= now_ && listener_ >= 0) {
        accept_again_ = TimePoint{};
        watch(epoll_, EPOLL_CTL_MOD, listener_, kListenerNumber, EPOLLIN);
    }
    for (auto& [number, slot] : slots_) {
        slot.connection->on_time(now_);
        settle(slot);
    }
    service_.probe.held.set(static_cast<double>(service_.memory.used()));
    if (service_.memory.full()) relieve_memory();
}

/// With the budget spent by clients that hardly take their answers, the slowest of them go, so that they
/// cannot keep everybody else from theirs.
void ConnectionLoop::relieve_memory() {
    std::vector<std::pair<double, Slot*>> by_speed;
    for (auto& [number, slot] : slots_)
        if (const auto speed = slot.connection->drain_bytes_per_s(now_)) by_speed.emplace_back(*speed, &slot);
    std::ranges::sort(by_speed);
    for (const auto& [speed, slot] : by_speed) {
        if (!service_.memory.full()) return;
        service_.probe.refuse(Refusal::memory);
        slot->connection->close(now_);
        settle(*slot);
    }
}

void ConnectionLoop::stop_listening() {
    if (listener_ < 0) return;
    ::close(std::exchange(listener_, -1));
    service_.draining = true;
    for (auto& [number, slot] : slots_) {
        slot.connection->drain(now_);
        settle(slot);
    }
    const std::lock_guard lock(mutex_);
    listening_ = false;
    quiet_.notify_all();
}

void ConnectionLoop::close_all() {
    for (auto& [number, slot] : slots_) {
        if (!slot.open) continue;
        slot.connection->close(now_);
        settle(slot);
    }
}

} // namespace dwcp::http
