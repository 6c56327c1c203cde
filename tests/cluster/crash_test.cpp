#include "tests/cluster/cluster_fixture.hpp"

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <fstream>
#include <mutex>
#include <thread>

using namespace dwcp::testing;
using dwcp::Byte;

namespace {

/// A PUT whose body stops half-way until it is released.
class HeldPut {
  public:
    HeldPut(NodeClient client, std::string key, std::string body) : body_(std::move(body)) {
        thread_ = std::thread([this, key = std::move(key), client = std::move(client)]() mutable {
            const auto read = [&](std::uint64_t offset, std::span<Byte> buffer) -> std::size_t {
                std::unique_lock lock(mutex_);
                if (offset >= body_.size() / 2) {
                    half_ = true;
                    wake_.notify_all();
                    wake_.wait(lock, [&] { return released_; });
                }
                const std::size_t count = std::min<std::size_t>(buffer.size(), body_.size() - offset);
                std::memcpy(buffer.data(), body_.data() + offset, count);
                return count;
            };
            answer_ = client.put_stream(object_path(key), body_.size(), read);
        });
        std::unique_lock lock(mutex_);
        const bool half = wake_.wait_for(lock, 20s, [&] { return half_; });
        lock.unlock();
        if (!half) FAIL("the node does not take the body: " << finish().describe());
    }
    ~HeldPut() { finish(); }

    /// Sends the rest; returns the node's answer.
    const Answer& finish() {
        {
            const std::lock_guard lock(mutex_);
            released_ = true;
        }
        wake_.notify_all();
        if (thread_.joinable()) thread_.join();
        return answer_;
    }

  private:
    const std::string body_;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool half_ = false;
    bool released_ = false;
    Answer answer_;
    std::thread thread_;
};

bool is_decided(const nlohmann::json& workload) {
    if (workload.is_null()) return false;
    const std::string state = workload["state"];
    return state == "committed" || (state == "failed" && !workload["reason"].get<std::string>().empty());
}

bool lane_available(NodeClient& client, const std::string& name) {
    const Answer status = client.get("/v1/status");
    for (const auto& lane : status.json.value("lanes", nlohmann::json::array()))
        if (lane.value("lane", "") == name) return lane.value("available", false);
    return false;
}

/// Flips a byte in the middle of every file of the store that can hold blocks. Returns how many files.
std::size_t corrupt_block_files(const std::filesystem::path& store) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(store)) {
        if (entry.path().extension() != ".blob" || entry.file_size() < 1U << 20) continue;
        std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
        const auto middle = static_cast<std::streamoff>(entry.file_size() / 2);
        file.seekg(middle);
        const char byte = static_cast<char>(file.get() ^ 0x40);
        file.seekp(middle);
        file.put(byte);
        ++count;
    }
    return count;
}

} // namespace

TEST_CASE("what was acknowledged survives kill -9 of the node that took it in") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), c = cluster->client(2);
    const std::string small = noise(1, 4'000), large = noise(2, 5U << 20);
    REQUIRE(c.put(object_path("small"), small).ok());
    REQUIRE(c.put(object_path("large"), large).ok());
    (*cluster)[2].process().kill();
    CHECK(eventually(10s, [&] { return a.get(object_path("small")).body == small; }));
    CHECK(body_of(a, "large") == large);
    cluster->restart(2);
    CHECK(body_of(c, "small") == small);
    CHECK(body_of(c, "large") == large);
}

TEST_CASE("a put cut by kill -9 is reported after the restart, and its key can be put again") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), c = cluster->client(2);
    REQUIRE(c.put(object_path("cut"), "older version").ok());
    HeldPut put(cluster->client(2), "cut", noise(3, 8U << 20));
    REQUIRE(eventually(10s, [&] { return workload_of(c, "cut").value("state", "") == "open"; }));
    (*cluster)[2].process().kill();
    CHECK_FALSE(put.finish().ok());
    cluster->restart(2);
    CHECK(eventually(10s, [&] { return is_decided(workload_of(c, "cut")); }));
    CHECK(body_of(a, "cut") == "older version");
    REQUIRE(c.put(object_path("cut"), "newer version").ok());
    CHECK(eventually(5s, [&] { return a.get(object_path("cut")).body == "newer version"; }));
}

TEST_CASE("puts racing with kill -9 are either readable or reported, and never half there") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), c = cluster->client(2);
    constexpr int kPuts = 24;
    std::vector<std::atomic<bool>> acknowledged(kPuts);
    std::vector<std::thread> clients;
    std::atomic<int> done{0};
    for (int first = 0; first < 4; ++first)
        clients.emplace_back([&, first, client = cluster->client(2)]() mutable {
            for (int i = first; i < kPuts; i += 4, ++done)
                acknowledged[static_cast<std::size_t>(i)] =
                    client
                        .put(object_path("race/" + std::to_string(i)),
                             noise(static_cast<std::uint64_t>(i), 600'000))
                        .ok();
        });
    CHECK(eventually(20s, [&] { return done >= kPuts / 4; }));
    (*cluster)[2].process().kill();
    for (auto& thread : clients)
        thread.join();
    cluster->restart(2);
    for (int i = 0; i < kPuts; ++i) {
        const std::string key = "race/" + std::to_string(i);
        INFO(key);
        const auto settled = [&] { return workload_of(c, key).is_null() || is_decided(workload_of(c, key)); };
        REQUIRE(eventually(10s, settled));
        const auto workload = workload_of(c, key);
        const bool must_be_there = acknowledged[static_cast<std::size_t>(i)] ||
                                   (!workload.is_null() && workload["state"] == "committed");
        const Answer answer = a.get(object_path(key));
        if (must_be_there) CHECK(answer.ok());
        if (answer.ok())
            CHECK(answer.body == noise(static_cast<std::uint64_t>(i), 600'000));
        else
            CHECK(answer.status == 404);
    }
}

TEST_CASE("blocks damaged on disk are never returned, and are repaired from a replica") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), c = cluster->client(2);
    constexpr int kObjects = 6;
    const auto body = [](int i) { return noise(100 + static_cast<std::uint64_t>(i), 3U << 20); };
    for (int i = 0; i < kObjects; ++i)
        REQUIRE(c.put(object_path("kept/" + std::to_string(i)), body(i), {{"X-DWCP-Replicas", "3"}}).ok());
    (*cluster)[2].process().stop(20s); // in order, so that its blocks are in files and not in the log
    REQUIRE(corrupt_block_files((*cluster)[2].config().data_dir) > 0);
    cluster->restart(2);
    for (int i = 0; i < kObjects; ++i)
        CHECK(body_of(c, "kept/" + std::to_string(i)) == body(i));
    CHECK(has_event(c, "block_repaired"));
    CHECK(c.get("/v1/status").json["store"]["corruptions"].get<int>() > 0);
    // Repaired for good: the node alone has them now.
    (*cluster)[0].process().kill();
    (*cluster)[1].process().kill();
    for (int i = 0; i < kObjects; ++i)
        CHECK(body_of(c, "kept/" + std::to_string(i)) == body(i));
}

TEST_CASE("without the sequencer a put is refused with what to do, and works again when it is back") {
    auto cluster = TestCluster::running();
    auto b = cluster->client(1);
    b.set_answer_limit(20s);
    (*cluster)[0].process().kill();
    REQUIRE(eventually(10s, [&] { return !lane_available(b, "metadata"); }));
    const Answer refused = b.put(object_path("later"), "x", {{"X-DWCP-Replicas", "2"}});
    CHECK(refused.status == 503);
    CHECK(refused.retry_after_s.value_or(0) > 0);
    CHECK_FALSE(refused.json["error"]["remedy"].get<std::string>().empty());
    cluster->restart(0);
    CHECK(eventually(10s, [&] { return b.put(object_path("later"), "y").ok(); }));
    CHECK(body_of(b, "later") == "y");
}

TEST_CASE("SIGTERM lets the put under way complete and refuses new ones") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), c = cluster->client(2);
    const std::string body = noise(4, 8U << 20);
    HeldPut put(cluster->client(2), "drained", body);
    (*cluster)[2].process().signal(SIGTERM);
    CHECK(eventually(5s, [&] { return !c.get("/ready").ok(); }));
    CHECK_FALSE(c.put(object_path("too-late"), "x").ok());
    CHECK(put.finish().ok());
    CHECK((*cluster)[2].process().wait(20s));
    CHECK((*cluster)[2].process().exit_code() == 0);
    CHECK(body_of(a, "drained") == body);
    CHECK(a.get(object_path("too-late")).status == 404);
}

TEST_CASE("a second SIGTERM forces the end") {
    auto cluster = TestCluster::running();
    auto c = cluster->client(2);
    HeldPut put(cluster->client(2), "forced", noise(5, 8U << 20));
    (*cluster)[2].process().signal(SIGTERM);
    REQUIRE(eventually(5s, [&] { return !c.get("/ready").ok(); }));
    CHECK_FALSE((*cluster)[2].process().wait(300ms)); // the held put keeps it
    (*cluster)[2].process().signal(SIGTERM);
    CHECK((*cluster)[2].process().wait(5s));
    CHECK((*cluster)[2].process().exit_code() != 0);
}
