// Clients for the suite "http": fast ones that ask one request after the other on connections that stay, and
// slow ones that hold theirs. Each kind is one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace dwcp::bench {

/// What is asked for, and what must come back.
struct Question {
    std::string request; ///< As it goes over the wire.
    std::string body;    ///< Of the answer.
};

struct LoadResult {
    double seconds = 0;
    std::vector<double> latencies_us; ///< Sorted.
    double per_second() const { return static_cast<double>(latencies_us.size()) / seconds; }
    double quantile_us(double q) const;
};

/// So many connections for so long, each asking a question at random, waiting for the answer, asking the
/// next. Throws std::runtime_error if an answer is not 200 with the body that it should have.
LoadResult run_load(std::uint16_t port, const std::vector<Question>& questions, int connections,
                    double seconds);

/// How 500 clients can be slow: a quarter each sends a head, a transaction, an object a byte a second, or
/// reads an object at 1 KiB a second. One that the node has closed comes back at once.
class SlowClients {
  public:
    /// Returns when all are connected. `big_object`: path of one that no reader finishes.
    SlowClients(std::uint16_t port, int count, std::string big_object);
    ~SlowClients();
    SlowClients(const SlowClients&) = delete;
    SlowClients& operator=(const SlowClients&) = delete;

    int reconnects() const { return reconnects_; }

  private:
    struct Client {
        int fd = -1;
        std::size_t step = 0;
    };
    void run();
    void connect(std::size_t index);
    void go_on(std::size_t index);

    const std::uint16_t port_;
    const std::string big_object_;
    std::vector<Client> clients_;
    std::atomic<bool> stop_{false};
    std::atomic<int> reconnects_{0};
    std::thread thread_;
};

/// A TCP connection to this machine. Throws std::runtime_error.
int connect_to(std::uint16_t port, int receive_bytes = 0);

/// Serves `answer` to whatever comes, one read a request, until the process ends: what kernel and load
/// generator allow at most. Returns the port through `port`.
void serve_plainly(const std::string& answer, const std::function<void(std::uint16_t)>& listening);

} // namespace dwcp::bench
