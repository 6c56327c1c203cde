// Half of the traffic on the manager's canary, on real nodes under load, taken back at once: nothing that was
// acknowledged is lost or out of order.
#include "tests/cluster/cluster_fixture.hpp"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iostream>
#include <map>
#include <thread>

using namespace dwcp::testing;
using nlohmann::json;

namespace {

constexpr const char* kPlan = R"(
name = "half"
day_ms = 86_400_000
recent_ms = 60_000
review_ms = 900_000
wait_days_max = 1
[[steps]]
name = "manager"
title = "Manager at 50 %"
targets = [{ system = "manager", instances = 3, of = 3 }]
stages = [{ percent = 50, days = 1, gate = "quiet" }]
[gates.quiet]
[[gates.quiet.criteria]]
name = "quorum now and then"
check = "quorum"
limit = 0.001
samples_min = 1
[[triggers]]
name = "many errors"
what = "error_rate"
limit = 0.5
samples_min = 1000
)";

Answer tell(TestCluster& cluster, const std::string& path, const json& body) {
    auto client = cluster.client(0);
    client.set_answer_limit(20s);
    return client.operate(path, body);
}

/// What the ramp says of its rollback once it has verified it; empty: it has not.
std::string verified(TestCluster& cluster) {
    auto client = cluster.client(0);
    const auto answer = client.get("/v1/ramp/history?limit=100");
    if (!answer.json.is_object()) return {};
    for (const auto& record : answer.json.value("records", json::array()))
        if (record["kind"] == "rolled_back") return record.value("reason", "");
    return {};
}

std::int64_t unix_now_ms() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

/// When the canary took its last request in, of all nodes.
std::int64_t last_canary_ms(TestCluster& cluster) {
    auto client = cluster.client(0);
    const auto answer = client.get("/v1/ramp");
    std::int64_t last = 0;
    if (!answer.json.is_object()) return last;
    for (const auto& system : answer.json.value("systems", json::array()))
        for (const auto& node : system["nodes"])
            if (system["system"] == "manager")
                last = std::max(last, node["canary_last_ms"].get<std::int64_t>());
    return last;
}

json manager_of(TestCluster& cluster, std::size_t node) {
    auto client = cluster.client(node);
    const auto answer = client.get("/v1/status");
    if (!answer.json.is_object()) return json::object();
    for (const auto& release : answer.json.value("releases", json::array()))
        if (release["system"] == "manager") return release;
    return json::object();
}

bool on_all(TestCluster& cluster, const std::function<bool(const json&)>& holds) {
    for (std::size_t node = 0; node < 3; ++node)
        if (!holds(manager_of(cluster, node))) return false;
    return true;
}

double requests(TestCluster& cluster, const std::string& release) {
    double sum = 0;
    for (std::size_t node = 0; node < 3; ++node) {
        auto client = cluster.client(node);
        const auto answer = client.get("/v1/metrics?grep=dwcp_release_requests_total");
        if (!answer.json.is_object()) continue;
        for (const auto& series : answer.json.value("series", json::array())) {
            const auto& labels = series["labels"];
            if (labels.value("system", "") == "manager" && labels.value("release", "") == release)
                sum += series["value"].get<double>();
        }
    }
    return sum;
}

/// Writes its own keys over and over; what was acknowledged last of each must be what is read.
struct Writer {
    std::map<std::string, std::string> acknowledged; ///< Key -> body.
    std::size_t refused = 0;

    void run(TestCluster& cluster, std::size_t index, const std::atomic<bool>& stop) {
        auto client = cluster.client(index % 3);
        for (std::size_t round = 0; !stop; ++round) {
            const std::string key = "writer-" + std::to_string(index) + "/" + std::to_string(round % 20);
            auto body = noise(index * 1'000'000 + round, 60'000);
            // What is not acknowledged may be there or not; a later write of the key settles it.
            if (client.put(object_path(key), body).ok()) {
                acknowledged[key] = std::move(body);
            } else {
                acknowledged.erase(key);
                ++refused;
            }
        }
    }
};

} // namespace

TEST_CASE(
    "half of the traffic on a canary is taken back under load, and every acknowledged object is there") {
    auto cluster = TestCluster::running(3);
    const auto started =
        tell(*cluster, "/v1/ramp/start", {{"plan", kPlan}, {"day", "1h"}, {"reason", "a test"}});
    INFO(started.describe());
    REQUIRE(started.ok());
    REQUIRE(eventually(30s, [&] {
        return on_all(*cluster, [](const json& m) { return m.value("canary_percent", 0.0) == 50; });
    }));

    std::atomic<bool> stop = false;
    std::vector<Writer> writers(4);
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < writers.size(); ++i)
        threads.emplace_back([&, i] { writers[i].run(*cluster, i, stop); });
    CHECK(eventually(30s, [&] { return requests(*cluster, "canary") >= 20; }));

    const auto begin = std::chrono::steady_clock::now();
    const std::int64_t begin_ms = unix_now_ms();
    const auto told = tell(*cluster, "/v1/ramp/rollback", {{"reason", "a test"}});
    INFO(told.describe());
    CHECK(told.ok());
    CHECK(eventually(30s, [&] {
        return on_all(*cluster, [](const json& m) {
            return m.value("canary_percent", 100.0) == 0 && m.value("unsettled", "?").empty();
        });
    }));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::cout << "from the order to the last node wholly on stable: " << took.count() << " ms\n";
    const double counted = requests(*cluster, "canary");
    const double stable = requests(*cluster, "stable");
    CHECK(eventually(30s, [&] { return requests(*cluster, "stable") >= stable + 20; }));
    CHECK(requests(*cluster, "canary") == counted); // though the load went on
    std::string told_of_it;
    CHECK(eventually(30s, [&] { return !(told_of_it = verified(*cluster)).empty(); }));
    CHECK(told_of_it.find("manager from multi-stream-1 to one-stream-1") != std::string::npos);
    std::cout << "the ramp: " << told_of_it << "\nfrom the order to the canary's last request: "
              << std::max<std::int64_t>(last_canary_ms(*cluster) - begin_ms, 0) << " ms\n";

    stop = true;
    threads.clear();
    std::size_t objects = 0;
    std::size_t refused = 0;
    auto reader = cluster->client(1);
    for (const auto& writer : writers) {
        refused += writer.refused;
        for (const auto& [key, body] : writer.acknowledged) {
            INFO(key);
            CHECK(body_of(reader, key) == body);
            ++objects;
        }
    }
    std::cout << counted << " requests of the canary, " << objects << " objects read back, " << refused
              << " writes refused\n";
    CHECK(objects > 0);
}
