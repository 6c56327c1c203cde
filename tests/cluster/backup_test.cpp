#include "tests/cluster/cluster_fixture.hpp"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <sys/wait.h>
#include <thread>

using namespace dwcp::testing;
using nlohmann::json;
namespace runner = dwcp::runner;

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
}

/// Puts objects one after the other until it is stopped, and remembers what was acknowledged.
class Traffic {
  public:
    explicit Traffic(TestCluster& cluster) {
        for (std::size_t i = 0; i < cluster.all().size(); ++i)
            clients_.push_back(cluster.client(i));
        thread_ = std::thread([this] { run(); });
    }
    ~Traffic() { stop(); }
    void stop() {
        stopped_ = true;
        if (thread_.joinable()) thread_.join();
    }
    /// Keys and contents acknowledged by now.
    std::map<std::string, std::string> acknowledged() const {
        const std::lock_guard lock(mutex_);
        return acknowledged_;
    }
    std::size_t failures() const { return failures_; }

  private:
    void run() {
        for (std::uint64_t i = 0; !stopped_; ++i) {
            const std::string key = fmt::format("drill/{:05}", i);
            // Small ones, and now and then one of several blocks.
            const std::string content = noise(i, i % 10 == 0 ? 3'000'000 : 20'000);
            if (!clients_[i % clients_.size()].put(object_path(key), content).ok()) {
                ++failures_;
                continue;
            }
            const std::lock_guard lock(mutex_);
            acknowledged_[key] = content;
        }
    }

    std::vector<NodeClient> clients_;
    mutable std::mutex mutex_;
    std::map<std::string, std::string> acknowledged_;
    std::atomic<std::size_t> failures_ = 0;
    std::atomic<bool> stopped_ = false;
    std::thread thread_;
};

/// POST of a verb with the operator's token.
Answer command(runner::Node& node, const std::string& path, const json& body) {
    return node.client().operate(path, body);
}

/// Begins a job and waits for its end; the job.
json finished(runner::Node& node, const std::string& path, const json& body) {
    const Answer begun = command(node, path, body);
    INFO(begun.describe());
    REQUIRE(begun.ok());
    const std::string id = begun.json.at("id");
    json job;
    const bool ended = eventually(60s, [&] {
        job = node.client().get("/v1/backups/" + id).json;
        return job.value("state", "running") != "running";
    });
    INFO(job.dump(1));
    REQUIRE(ended);
    REQUIRE(job["state"] == "done");
    return job;
}

/// Runs `dwcp-node` for its exit code and output.
struct Ran {
    int exit = -1;
    std::string output;
};
Ran run_program(const std::string& arguments) {
    const std::string command = runner::program_path("dwcp-node").string() + " " + arguments + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    Ran ran;
    std::array<char, 4096> buffer{};
    while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr)
        ran.output += buffer.data();
    const int status = ::pclose(pipe);
    ran.exit = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
}

/// The newest backup of a node, moved to where no restore touches it.
fs::path save_backup(const runner::Node& node, const fs::path& safe) {
    fs::path newest;
    for (const auto& entry : fs::directory_iterator(node.config().data_dir + "/backups"))
        newest = std::max(newest, entry.path());
    REQUIRE_FALSE(newest.empty());
    fs::create_directories(safe);
    fs::rename(newest, safe / newest.filename());
    return safe / newest.filename();
}

void check_all(TestCluster& cluster, const std::map<std::string, std::string>& objects) {
    for (std::size_t site = 0; site < 3; ++site) {
        auto client = cluster.client(site);
        std::size_t equal = 0;
        for (const auto& [key, content] : objects)
            if (eventually(20s, [&, k = key] { return client.get(object_path(k)).status != 503; }))
                equal += client.get(object_path(key)).body == content ? 1 : 0;
        INFO("site " << site);
        CHECK(equal == objects.size());
    }
}

} // namespace

TEST_CASE("a whole cluster is restored from a backup that was taken while traffic flowed") {
    auto cluster = TestCluster::running();
    Traffic traffic(*cluster);
    REQUIRE(eventually(20s, [&] { return traffic.acknowledged().size() >= 50; }));

    const auto before = traffic.acknowledged();
    const auto backup_begun = Clock::now();
    const json job = finished((*cluster)[1], "/v1/backup/now", {{"scope", "cluster"}});
    const double backup_s = seconds_since(backup_begun);
    REQUIRE(job["result"]["nodes"].size() == 3);
    // Traffic went on: the copies of the three nodes are not of one moment.
    REQUIRE(eventually(20s, [&] { return traffic.acknowledged().size() > before.size() + 5; }));
    traffic.stop();
    CHECK(traffic.failures() == 0);

    for (std::size_t i = 0; i < 3; ++i) {
        // The sequencer's first, which is site-a.
        const json verified =
            finished((*cluster)[i], "/v1/backup/verify", {{"id", job["result"]["nodes"][i]["id"]}});
        INFO(verified.dump(1));
        CHECK(verified["result"]["ok"] == true);
        CHECK(verified["result"]["blocks"].get<int>() > 0);
    }

    std::vector<fs::path> saved;
    for (std::size_t i = 0; i < 3; ++i) {
        (*cluster)[i].process().kill();
        saved.push_back(save_backup((*cluster)[i], cluster->directory() / "safe" / std::to_string(i)));
        fs::remove_all((*cluster)[i].config().data_dir);
    }
    const auto restore_begun = Clock::now();
    int relearned = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        const Ran ran = run_program(
            fmt::format("--config {} --restore {}", (*cluster)[i].config_file().string(), saved[i].string()));
        INFO(ran.output);
        REQUIRE(ran.exit == 0);
        relearned +=
            ran.output.find("learns the lanes from the sequencer again") != std::string::npos ? 1 : 0;
    }
    const double files_s = seconds_since(restore_begun);
    const auto started = cluster->all().start_all(kStartLimit);
    if (!started) FAIL(started.error().render());
    check_all(*cluster, before);
    const double restore_s = seconds_since(restore_begun);
    // It is a living cluster again.
    auto c = cluster->client(2), a = cluster->client(0);
    REQUIRE(c.put(object_path("drill/new"), "after the restore").ok());
    CHECK(eventually(5s, [&] { return a.get(object_path("drill/new")).body == "after the restore"; }));
    // The next life sweeps blocks that nobody needs: what was replayed must count.
    cluster->all().stop_all(20s);
    const auto again = cluster->all().start_all(kStartLimit);
    if (!again) FAIL(again.error().render());
    check_all(*cluster, before);
    std::cout << fmt::format(
        "drill, whole cluster ({} copies knew more than the sequencer's): {} objects acknowledged before the "
        "backup, backup {:.2f} s "
        "under traffic (writers waited {:.1f} ms at most), files restored in {:.2f} s, all "
        "read back equal at 3 sites {:.2f} s after the restore began\n",
        relearned, before.size(), backup_s,
        std::max({job["result"]["nodes"][0]["pause_ms"].get<double>(),
                  job["result"]["nodes"][1]["pause_ms"].get<double>(),
                  job["result"]["nodes"][2]["pause_ms"].get<double>()}),
        files_s, restore_s);
}

TEST_CASE("a lost node is restored into a living cluster and catches up with what it missed") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0);
    std::map<std::string, std::string> objects;
    const auto put = [&](int from, int to) {
        for (int i = from; i < to; ++i) {
            const std::string key = fmt::format("one/{}", i);
            objects[key] = noise(static_cast<std::uint64_t>(i), 50'000);
            REQUIRE(a.put(object_path(key), objects[key]).ok());
        }
    };
    put(0, 30);
    finished((*cluster)[2], "/v1/backup/now", json::object());
    put(30, 60);
    (*cluster)[2].process().kill();
    const fs::path saved = save_backup((*cluster)[2], cluster->directory() / "safe");
    fs::remove_all((*cluster)[2].config().data_dir);
    put(60, 90); // while it is away

    const auto begun = Clock::now();
    const Ran ran = run_program(
        fmt::format("--config {} --restore {}", (*cluster)[2].config_file().string(), saved.string()));
    INFO(ran.output);
    REQUIRE(ran.exit == 0);
    cluster->restart(2);
    check_all(*cluster, objects);
    std::cout << fmt::format(
        "drill, one node: 90 objects readable at every site {:.2f} s after the restore began\n",
        seconds_since(begun));
}

TEST_CASE("a restore refuses a directory in use, another node's backup and a damaged one") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0);
    REQUIRE(a.put(object_path("k"), noise(1, 2'000'000)).ok());
    finished((*cluster)[0], "/v1/backup/now", json::object());
    const std::string config_a = (*cluster)[0].config_file().string();
    const fs::path saved = save_backup((*cluster)[0], cluster->directory() / "safe");
    const auto refused = [&](const std::string& arguments, const std::string& why) {
        const Ran ran = run_program(arguments);
        INFO(ran.output);
        CHECK(ran.exit == 1);
        CHECK(ran.output.find(why) != std::string::npos);
    };
    refused(fmt::format("--config {} --restore {}", config_a, saved.string()),
            "holds a node's state already");
    refused(fmt::format("--config {} --restore {}", (*cluster)[1].config_file().string(), saved.string()),
            "is of node site-a");
    refused(fmt::format("--config {} --restore {}", config_a, cluster->directory().string()),
            "is not a backup");
    CHECK(run_program("--verify-backup " + saved.string()).exit == 0);
    for (const auto& entry : fs::directory_iterator(saved / "store")) {
        if (entry.path().extension() != ".blob") continue;
        std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
        file.put('\x55');
        file.put('\xaa');
    }
    refused("--verify-backup " + saved.string(), "does not match its SHA-256");
    (*cluster)[0].process().kill();
    fs::remove_all((*cluster)[0].config().data_dir);
    refused(fmt::format("--config {} --restore {}", config_a, saved.string()), "does not match its SHA-256");
    CHECK_FALSE(fs::exists((*cluster)[0].config().data_dir + "/node.id"));
}
