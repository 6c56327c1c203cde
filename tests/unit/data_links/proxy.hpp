// A TCP proxy that a test can make misbehave: cut connections, stall, change bytes. One thread, loopback
// only.
#pragma once

#include "protocols/base/bytes.hpp"
#include "runtime/links/data/socket.hpp"

#include <atomic>
#include <list>
#include <mutex>
#include <thread>

namespace dwcp::test {

class Proxy {
  public:
    explicit Proxy(std::uint16_t target_port);
    ~Proxy();

    std::uint16_t port() const { return port_; }
    /// Closes every connection each time that this many more bytes have passed from the dialling side.
    void cut_after(std::size_t bytes, std::size_t times = 1) {
        cut_every_ = static_cast<std::int64_t>(bytes);
        cuts_left_ = times;
        cut_after_ = static_cast<std::int64_t>(bytes);
    }
    /// Flips one bit once this many more bytes have passed from the dialling side.
    void corrupt_after(std::size_t bytes) { corrupt_after_ = static_cast<std::int64_t>(bytes); }
    /// So many of the connections that exist now, the oldest first, pass nothing more; new ones work.
    void stall(std::size_t connections) { stall_ = connections; }
    /// New connections are closed at once.
    void refuse_new(bool refuse) { refuse_ = refuse; }
    std::size_t cuts() const { return cuts_; }
    std::size_t connections() const { return connections_; }

  private:
    struct Pipe {
        links::Fd client;
        links::Fd server;
        bool stalled = false;
        Bytes to_server;
        Bytes to_client;
    };

    void run();
    void accept_one();
    bool move(Pipe& pipe);
    void spoil(Bytes& chunk);

    static constexpr std::int64_t kNever = -1;

    std::uint16_t target_port_;
    std::uint16_t port_ = 0;
    links::Fd listener_;
    std::list<Pipe> pipes_;
    std::atomic<std::int64_t> cut_after_ = kNever;
    std::atomic<std::int64_t> cut_every_ = kNever;
    std::atomic<std::size_t> cuts_left_ = 0;
    std::atomic<std::int64_t> corrupt_after_ = kNever;
    std::atomic<std::size_t> stall_ = 0;
    std::atomic<bool> refuse_ = false;
    std::atomic<std::size_t> cuts_ = 0;
    std::atomic<std::size_t> connections_ = 0;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

} // namespace dwcp::test
