// Accepts connections and drives them: one thread waits for sockets, workers and the clock, and calls the
// Connection that is concerned. Only what may block runs elsewhere, on two pools: one for probes, so that
// they answer while every other worker is busy, and one for everything else.
//
// Life cycle: the constructor starts the thread and the workers; begin_drain(), wait_quiet(), stop(), in that
// order, end them (stop() alone will do, and the destructor calls it). Used by HttpServer only. The public
// functions are thread-safe.
#pragma once

#include "runtime/base/worker_pool.hpp"
#include "runtime/http/connection.hpp"
#include "runtime/http/service.hpp"
#include "runtime/http/sources.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace dwcp::http {

class ConnectionLoop final : private Loop {
  public:
    /// Takes over the listening descriptor. `router`, `guard`, `follower` (may be null) and
    /// `unmatched` must outlive it.
    ConnectionLoop(int listener, const Options& options, const Router& router, const Guard& guard,
                   Follower* follower, RouteProbe& unmatched);
    ~ConnectionLoop() override;
    ConnectionLoop(const ConnectionLoop&) = delete;
    ConnectionLoop& operator=(const ConnectionLoop&) = delete;

    /// Closes the listener and every idle connection; requests under way go on, live responses end.
    void begin_drain();
    /// Whether no request was under way any more at some time before the deadline.
    bool wait_quiet(Duration deadline);
    /// Cuts what is under way and joins. Handlers that block are waited for.
    void stop();

  private:
    struct Slot {
        std::unique_ptr<Connection> connection;
        bool open = true; ///< Counted as such.
    };
    struct Waiting {
        std::uint64_t number = 0;
        bool probe = false;
    };

    // What connections ask for.
    bool submit(Connection& connection, bool probe, bool must) override;
    void handshake_failed(const std::string& host, const Error& error, TimePoint now) override;
    void request_began() override;
    void request_ended() override;

    void run();
    void wait_for_events();
    void on_event(std::uint64_t number, std::uint32_t events);
    void on_notes();
    void run_waiting();
    bool start_step(Connection& connection, bool probe);

    void accept_some();
    void pause_accepting();
    void adopt(int fd, Connection::Peer peer);
    bool make_room(bool reserved);
    void open(int fd, Connection::Peer peer, bool reserved);
    /// After anything was done to a connection: what it waits for now, or its end.
    void settle(Slot& slot, std::uint32_t came = 0);
    void bury();

    void stop_listening();
    void close_all();
    void sweep();
    void relieve_memory();

    Service service_;
    int listener_;
    const int epoll_;
    TimePoint now_;
    TimePoint accept_again_{}; ///< Not the epoch: accepting is paused for want of descriptors.
    TimePoint next_sweep_{};
    std::int64_t date_seconds_ = 0;
    TimePoint next_handshake_event_{};
    std::uint64_t handshakes_unsaid_ = 0;
    std::atomic<bool> draining_{false};
    std::atomic<bool> stopping_{false};

    std::unordered_map<std::uint64_t, Slot> slots_;
    std::uint64_t last_number_;
    std::size_t open_ = 0;     ///< Without the reserved ones.
    std::size_t reserved_ = 0; ///< Beyond connections_max, for probes.
    Sources sources_;
    std::vector<std::uint64_t> turns_; ///< Connections that can go on without an event.
    std::vector<std::uint64_t> dead_;
    std::vector<Mailbox::Note> notes_;
    std::deque<Waiting>
        waiting_; ///< Steps that wait for a place in a pool's queue; one a connection at most.

    std::mutex mutex_; ///< Of the three below.
    std::condition_variable quiet_;
    std::size_t busy_ = 0; ///< Requests under way.
    bool listening_ = true;

    std::unique_ptr<WorkerPool> workers_;
    std::unique_ptr<WorkerPool> probe_workers_;
    std::thread thread_;
};

} // namespace dwcp::http
