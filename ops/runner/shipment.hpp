// Ships files into the cluster with parallel clients and reads every one of them back from a site that did
// not receive it.
//
// Life cycle: start_put(), poll until finished(), start_read_back(), poll again, then read the outcomes. The
// calls come from one thread; progress() may be asked while the clients work. The destructor cancels and
// waits for the clients. A refusal that is worth a retry and a broken connection are retried with backoff,
// and counted.
#pragma once

#include "ops/runner/collect.hpp"
#include "ops/runner/node_client.hpp"
#include "protocols/base/ids.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace dwcp::runner {

struct Site {
    std::string name;
    std::uint16_t http_port = 0;
    std::string data_dir;
};

enum class Outcome : std::uint8_t {
    waiting,
    acknowledged, ///< Shipped; not read back yet.
    equal,        ///< Read back from another site, equal to the file on disk.
    changed,      ///< The file on disk changed during the run; what was shipped came back as it was.
    vanished,     ///< The file on disk could not be read (any more) when its turn came.
    failed,       ///< The cluster refused it for good, or answered something wrong.
};

struct Shipped {
    Outcome outcome = Outcome::waiting;
    std::size_t via = 0; ///< Site that received it.
    std::uint64_t size_bytes = 0;
    Hash256 sha256{};
    std::string problem;
};

struct CodecTotal {
    std::uint64_t objects = 0;
    std::uint64_t raw_bytes = 0;
    std::uint64_t stored_bytes = 0;
};

struct Progress {
    std::size_t files = 0;
    std::uint64_t bytes = 0; ///< Streamed so far, repeated transfers included.
    std::uint64_t refusals = 0;
    std::uint64_t broken_connections = 0;
};

class Shipment {
  public:
    Shipment(const std::vector<SourceFile>& files, std::vector<Site> sites, std::size_t clients);
    ~Shipment();

    void start_put();
    void start_read_back();
    bool finished() const { return working_ == 0; }
    /// The clients end as soon as their transfers under way do.
    void cancel() { cancelled_ = true; }
    Progress progress() const;

    // Once finished():
    const std::vector<Shipped>& outcomes() const { return outcomes_; }
    /// By codec; an object whose blocks took several is under "mixed".
    const std::map<std::string, CodecTotal>& codecs() const { return codecs_; }

  private:
    struct Client;

    void start(void (Shipment::*work)(Client&, std::size_t));
    void put_file(Client& client, std::size_t index);
    void read_back_file(Client& client, std::size_t index);
    Answer put_once(NodeClient& site, std::size_t index, int file, std::uint64_t size_bytes);
    Answer get_once(NodeClient& site, std::size_t index, Hash256& sha256);
    /// Repeats `attempt` while it is worth it.
    Answer persist(const std::function<Answer()>& attempt);
    void count_codecs(const nlohmann::json& receipt, std::uint64_t size_bytes);

    const std::vector<SourceFile>& files_;
    const std::vector<Site> sites_;
    const std::size_t clients_;
    std::vector<Shipped> outcomes_;
    std::vector<std::thread> threads_;
    std::atomic<std::size_t> next_{0};
    std::atomic<std::size_t> working_{0};
    std::atomic<bool> cancelled_{false};
    std::atomic<std::size_t> files_done_{0};
    std::atomic<std::uint64_t> bytes_done_{0};
    std::atomic<std::uint64_t> refusals_{0};
    std::atomic<std::uint64_t> broken_connections_{0};
    std::mutex codecs_mutex_;
    std::map<std::string, CodecTotal> codecs_;
};

} // namespace dwcp::runner
