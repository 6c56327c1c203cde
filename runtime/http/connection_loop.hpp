// Accepts connections, watches those without a request, and hands each request to a worker.
//
// One thread polls the listener and every connection that waits for a request; it also reads the request's
// head, so a client that is idle or slow with its head costs a descriptor but no worker. Once a head is
// complete, the connection belongs to one worker until its request is answered, then comes back here or is
// closed.
//
// Life cycle: the constructor starts the thread and the workers; begin_drain(), wait_quiet(), stop(), in that
// order, end them (stop() alone will do, and the destructor calls it). Used by HttpServer only.
#pragma once

#include "runtime/base/worker_pool.hpp"
#include "runtime/http/options.hpp"
#include "runtime/metrics/metrics.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

namespace dwcp::http {

struct Connection {
    int fd = -1; ///< Non-blocking.
    std::string peer_host;
    std::uint16_t peer_port = 0;
    std::string input; ///< Received and not yet consumed, from `consumed` on.
    std::size_t consumed = 0;

    /// Whether `input` starts with a whole head, or with more than any head may have.
    bool head_ready() const;
    /// Length of the head that `input` starts with, its empty line included; 0: incomplete.
    std::size_t head_bytes() const;
};

class ConnectionLoop {
  public:
    /// Serves the request at the start of the connection's input; false: close the connection. Must not
    /// throw.
    using Serve = std::function<bool(Connection&)>;

    /// Takes over the listening descriptor.
    ConnectionLoop(int listener, const Options& options, Serve serve);
    ~ConnectionLoop();
    ConnectionLoop(const ConnectionLoop&) = delete;
    ConnectionLoop& operator=(const ConnectionLoop&) = delete;

    /// Closes the listener and every idle connection; requests under way go on.
    void begin_drain();
    bool draining() const { return draining_; }
    /// Whether no request was under way any more at some time before the deadline.
    bool wait_quiet(Duration deadline);
    /// Cuts what is under way and joins. Handlers that block are waited for.
    void stop();

  private:
    struct Slot {
        Connection connection;
        bool busy = false;    ///< Belongs to a worker.
        TimePoint deadline{}; ///< Closed if still idle then.
    };

    void run();
    void on_event(int fd);
    void accept_all();
    void adopt(int fd, std::string host, std::uint16_t port);
    void on_readable(int fd);
    void dispatch(Slot& slot);
    void work(Slot& slot);
    void release(Slot& slot, bool keep);
    void rearm(Slot& slot);
    void close_locked(int fd);
    void drain_now();
    int sweep();

    struct Probe {
        metrics::Gauge connections = metrics::gauge("dwcp_http_connections", "Open client connections.");
        metrics::Counter refused =
            metrics::counter("dwcp_http_refused_total", "Connections answered 503 for want of room.");
    };

    const Options options_;
    const Serve serve_;
    const Probe probe_;
    int listener_;
    int epoll_;
    int wake_;
    TimePoint accept_again_{}; ///< Not the epoch: accepting is paused for want of descriptors.
    TimePoint next_sweep_{};
    std::atomic<bool> draining_{false};
    std::atomic<bool> stopping_{false};

    std::mutex mutex_;
    std::condition_variable quiet_;
    std::unordered_map<int, std::unique_ptr<Slot>> slots_;
    std::size_t busy_ = 0;

    std::unique_ptr<WorkerPool> workers_;
    std::thread thread_;
};

} // namespace dwcp::http
