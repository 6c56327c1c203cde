// What the data link tests share: nodes over real loopback sockets in one process, a service that keeps
// blocks in memory, and waiting on conditions instead of sleeping.
#pragma once

#include "protocols/base/random.hpp"
#include "protocols/crypto/hash.hpp"
#include "runtime/links/data/data_plane.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

namespace dwcp::test {

using namespace std::chrono_literals;

/// Long enough for a sanitizer build on a busy machine; a test that needs it has failed anyway.
inline constexpr auto kPatience = 30s;

inline TimePoint in(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

/// True once `condition` holds. Only for what gives no signal of its own, such as status().
inline bool eventually(const std::function<bool()>& condition) {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > give_up) return false;
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

inline EncodedBlock make_block(std::uint64_t seed, std::size_t size) {
    Random random(seed);
    Bytes bytes(size);
    for (Byte& byte : bytes)
        byte = static_cast<Byte>(random.next());
    EncodedBlock block;
    block.hash = crypto::sha256(bytes);
    block.raw_bytes = static_cast<std::uint32_t>(size);
    block.bytes = share(std::move(bytes));
    return block;
}

/// Keeps blocks in memory, verified. Can be held: then every call waits until it is released.
class MemoryService final : public links::BlockService {
  public:
    Result<void> accept(const EncodedBlock& block, const WorkloadId& workload,
                        const NodeName& from) override {
        pass();
        if (crypto::sha256(*block.bytes) != block.hash) return fail(Errc::corrupted, "hash differs");
        const std::lock_guard lock(mutex_);
        ++accepted_;
        order_.push_back(from);
        workloads_.insert(workload);
        blocks_[block.hash] = block;
        return {};
    }

    Result<std::vector<Hash256>> make_durable(const std::vector<Hash256>& hashes,
                                              const WorkloadId&) override {
        pass();
        const std::lock_guard lock(mutex_);
        std::vector<Hash256> missing;
        for (const Hash256& hash : hashes) {
            if (!blocks_.contains(hash)) missing.push_back(hash);
        }
        return missing;
    }

    Result<EncodedBlock> load(const Hash256& hash) override {
        pass();
        const std::lock_guard lock(mutex_);
        const auto found = blocks_.find(hash);
        if (found == blocks_.end()) return fail(Errc::not_found, "no such block");
        return found->second;
    }

    void put(const EncodedBlock& block) {
        const std::lock_guard lock(mutex_);
        blocks_[block.hash] = block;
    }
    void hold() {
        const std::lock_guard lock(mutex_);
        held_ = true;
    }
    void release() {
        {
            const std::lock_guard lock(mutex_);
            held_ = false;
        }
        released_.notify_all();
    }
    std::size_t waiting() const {
        const std::lock_guard lock(mutex_);
        return waiting_;
    }
    bool has(const Hash256& hash) const {
        const std::lock_guard lock(mutex_);
        return blocks_.contains(hash);
    }
    std::size_t accepted() const {
        const std::lock_guard lock(mutex_);
        return accepted_;
    }
    std::vector<NodeName> order() const {
        const std::lock_guard lock(mutex_);
        return order_;
    }
    std::set<WorkloadId> workloads() const {
        const std::lock_guard lock(mutex_);
        return workloads_;
    }

  private:
    void pass() {
        std::unique_lock lock(mutex_);
        ++waiting_;
        released_.wait(lock, [this] { return !held_; });
        --waiting_;
    }

    mutable std::mutex mutex_;
    std::condition_variable released_;
    bool held_ = false;
    std::size_t waiting_ = 0;
    std::size_t accepted_ = 0;
    std::vector<NodeName> order_;
    std::set<WorkloadId> workloads_;
    std::map<Hash256, EncodedBlock> blocks_;
};

/// A directory that goes away with its owner.
class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "dwcp-data-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a directory in " + name);
        path_ = name;
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    std::string path() const { return path_.string(); }

  private:
    std::filesystem::path path_;
};

inline identity::Identity make_identity(const NodeName& name, const std::string& cluster = "test-cluster") {
    static std::atomic<Incarnation> next = 1;
    return {name, "site", cluster, next++,
            std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate())};
}

/// Quick timings, so that what must time out does so within a test.
inline links::DataPlaneOptions quick_options() {
    links::DataPlaneOptions options;
    options.streams_min = 1;
    options.streams_max = 4;
    options.stream_credit_blocks = 4;
    options.reconnect_min_ms = 10;
    options.reconnect_max_ms = 100;
    return options;
}

/// One node's data plane with everything it needs. `trusted`: names it accepts (any key, pinned at first
/// use).
class TestNode {
  public:
    explicit TestNode(const NodeName& name, const std::set<NodeName>& trusted,
                      const links::DataPlaneOptions& options = quick_options(),
                      const std::string& cluster = "test-cluster")
        : self(make_identity(name, cluster)) {
        std::map<NodeName, std::string> configured;
        for (const NodeName& peer : trusted)
            configured[peer] = "";
        trust = std::move(*identity::TrustStore::open(directory.path(), configured));
        plane = std::move(*links::DataPlane::start(options, self, *trust, service, events));
    }

    void add_peer(const NodeName& name, std::uint16_t port, const std::string& congestion = "") {
        plane->add_peer({name, "127.0.0.1", port, congestion});
    }
    links::PeerDataStatus status_of(const NodeName& name) const {
        for (auto& status : plane->status()) {
            if (status.name == name) return status;
        }
        return {};
    }
    bool up(const NodeName& name) const { return status_of(name).up; }
    /// How many events of a name there are, whose fields contain `text`.
    std::size_t events_named(const std::string& name, const std::string& text = "") const {
        std::size_t count = 0;
        for (const Event& event : events.since(0, kEventsKept)) {
            std::string all;
            for (const auto& [key, value] : event.fields)
                all += key + "=" + value + " ";
            count += event.name == name && all.find(text) != std::string::npos ? 1 : 0;
        }
        return count;
    }

    TemporaryDirectory directory;
    identity::Identity self;
    std::unique_ptr<identity::TrustStore> trust;
    MemoryService service;
    EventRing events;
    std::unique_ptr<links::DataPlane> plane; ///< Destroyed first: its threads use the rest.
};

/// Collects the answers of many requests, each of which must come exactly once.
class Answers {
  public:
    links::DataPlane::Done next() {
        const std::lock_guard lock(mutex_);
        const std::size_t index = calls_.size();
        calls_.push_back(0);
        results_.emplace_back();
        return [this, index](Result<void> result) { record(index, std::move(result)); };
    }
    bool wait_for(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, kPatience, [&] { return answered_ >= count; });
    }
    bool wait_all() { return wait_for(size()); }
    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return calls_.size();
    }
    std::size_t answered() const {
        const std::lock_guard lock(mutex_);
        return answered_;
    }
    std::size_t succeeded() const {
        const std::lock_guard lock(mutex_);
        std::size_t count = 0;
        for (std::size_t i = 0; i < calls_.size(); ++i)
            count += calls_[i] > 0 && results_[i].has_value() ? 1 : 0;
        return count;
    }
    std::size_t failed_with(Errc code) const {
        const std::lock_guard lock(mutex_);
        std::size_t count = 0;
        for (const auto& result : results_)
            count += !result && result.error().code == code ? 1 : 0;
        return count;
    }
    bool each_exactly_once() const {
        const std::lock_guard lock(mutex_);
        for (const int calls : calls_) {
            if (calls != 1) return false;
        }
        return true;
    }

  private:
    void record(std::size_t index, Result<void> result) {
        const std::lock_guard lock(mutex_); // also while notifying: see Answer
        ++calls_[index];
        ++answered_;
        results_[index] = std::move(result);
        changed_.notify_all();
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<int> calls_;
    std::vector<Result<void>> results_;
    std::size_t answered_ = 0;
};

/// The one answer of a request, waited for.
template<class T>
class Answer {
  public:
    std::function<void(Result<T>)> callback() {
        return [this](Result<T> result) {
            // Notified under the lock: whoever waits may destroy this the moment it is free.
            const std::lock_guard lock(mutex_);
            result_ = std::move(result);
            done_ = true;
            changed_.notify_all();
        };
    }
    Result<T> wait() {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, kPatience, [&] { return done_; }))
            return fail(Errc::internal, "no answer");
        return result_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;
    Result<T> result_ = fail(Errc::internal, "not answered");
};

/// Two nodes that are each other's peer.
struct Pair {
    explicit Pair(const links::DataPlaneOptions& options = quick_options())
        : a("a", {"b"}, options), b("b", {"a"}, options) {
        a.add_peer("b", b.plane->port());
        b.add_peer("a", a.plane->port());
    }
    TestNode a;
    TestNode b;
};

inline Result<void> send_and_wait(TestNode& from, const NodeName& to, const EncodedBlock& block,
                                  const WorkloadId& workload = "w") {
    Answer<void> answer;
    from.plane->send_block(to, block, workload, in(kPatience), answer.callback());
    return answer.wait();
}

inline Result<std::vector<Hash256>> sync_and_wait(TestNode& from, const NodeName& to,
                                                  std::vector<Hash256> hashes) {
    Answer<std::vector<Hash256>> answer;
    from.plane->sync(to, std::move(hashes), "w", in(kPatience), answer.callback());
    return answer.wait();
}

inline Result<EncodedBlock> fetch_and_wait(TestNode& from, const NodeName& to, const Hash256& hash) {
    Answer<EncodedBlock> answer;
    from.plane->fetch(to, hash, in(kPatience), answer.callback());
    return answer.wait();
}

} // namespace dwcp::test
