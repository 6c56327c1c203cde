// Live traffic under a rollout: clients that write versions of their own keys at a steady rate, read some of
// them back, and know for each key what was acknowledged. So it can be told afterwards whether anything was
// lost or came in another order.
//
// Life cycle: made from what is to be sent, start(), totals() at any time, stop(), then verify() once. All
// calls from one thread. A key is written by one client through one site, a version after the one before was
// acknowledged; what is refused or broken off is sent again until it is acknowledged or the traffic is
// stopped. The destructor stops.
#pragma once

#include "ops/runner/collect.hpp"
#include "ops/runner/node_client.hpp"
#include "ops/runner/shipment.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace dwcp::runner {

struct TrafficTotals {
    std::uint64_t acknowledged = 0;
    std::uint64_t read_back = 0; ///< While the traffic ran, each right after its acknowledgement.
    std::uint64_t refusals = 0;  ///< Sent again.
    std::uint64_t broken_connections = 0;
    double seconds = 0;
};

struct TrafficVerdict {
    std::size_t keys = 0;
    std::size_t lost = 0; ///< The last acknowledged version is not there, nor a later one that was sent.
    std::size_t reordered =
        0; ///< An earlier version than the last acknowledged one is there, or was read meanwhile.
    std::size_t damaged = 0;           ///< Neither of what was sent.
    std::vector<std::string> problems; ///< The first few, in words.

    bool good() const { return lost + reordered + damaged == 0 && keys > 0; }
};

class LiveTraffic {
  public:
    /// Sends parts of `files`, `puts_per_s` in all, evenly through the sites.
    LiveTraffic(const std::vector<SourceFile>& files, const std::vector<Site>& sites, double puts_per_s);
    ~LiveTraffic();

    /// How long verify() waits for a site that is behind.
    void set_patience(std::chrono::milliseconds patience) { patience_ = patience; }
    void start();
    void stop();
    TrafficTotals totals() const;
    /// Reads every key from a site that did not take it in.
    TrafficVerdict verify();

  private:
    struct Key {
        std::string name;
        std::uint64_t acknowledged = 0; ///< Version; 0: none.
        std::uint64_t sent = 0;         ///< The last that was sent, acknowledged or not.
        std::uint64_t went_back = 0;    ///< Reads that found an earlier version than the acknowledged one.
    };
    struct Client {
        std::size_t site = 0;
        std::vector<Key> keys;
        std::thread thread;
    };

    void run(Client& client, std::size_t number);
    void write_next(NodeClient& site, Key& key);
    void read_again(NodeClient& site, Key& key);
    std::string body_of(const Key& key, std::uint64_t version) const;
    /// The version that the body is of; 0: of none that was sent.
    std::uint64_t version_of(const Key& key, const std::string& body) const;

    const std::vector<Site> sites_;
    const double puts_per_s_;
    std::chrono::milliseconds patience_{10'000};
    std::vector<std::string> bodies_;
    std::vector<std::unique_ptr<Client>> clients_;
    std::atomic<bool> stopping_{false};
    std::chrono::steady_clock::time_point started_;
    double seconds_ = 0;
    std::atomic<std::uint64_t> acknowledged_{0};
    std::atomic<std::uint64_t> read_back_{0};
    std::atomic<std::uint64_t> refusals_{0};
    std::atomic<std::uint64_t> broken_connections_{0};
};

} // namespace dwcp::runner
