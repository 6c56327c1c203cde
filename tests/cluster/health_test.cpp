// Deep health, recovery, degradation and shedding on real nodes.
#include "tests/cluster/cluster_fixture.hpp"

#include <fstream>

using namespace dwcp::testing;
using nlohmann::json;

namespace {

/// An operator at the first node.
class Operator {
  public:
    explicit Operator(TestCluster& cluster) : client_(cluster.client(0)), headers_(as_operator(cluster[0])) {}
    json answer(const std::string& path) { return checked(path, client_.get(path, headers_)); }
    json done(const std::string& path, const json& body = json::object()) {
        return checked(path, client_.post_raw(path, body.dump(), "application/json", headers_));
    }
    std::string metrics() { return client_.get("/metrics", headers_).body; }
    /// The check of this name in `health`, or null.
    json check(const std::string& name) {
        const json health = answer("/v1/health"); // a loop over a part of a temporary would outlive it
        for (const auto& check : health["checks"])
            if (check["name"] == name) return check;
        return nullptr;
    }
    /// How many deep looks the node has had.
    int looks() {
        static const std::string kName = "\ndwcp_deep_health_look_duration_seconds_count ";
        const auto text = metrics();
        const auto at = text.find(kName);
        return at == std::string::npos ? 0 : std::stoi(text.substr(at + kName.size()));
    }
    NodeClient& client() { return client_; }

  private:
    static json checked(const std::string& path, const Answer& answer) {
        if (!answer.ok()) FAIL(path << ": " << answer.describe());
        return answer.json;
    }
    NodeClient client_;
    dwcp::runner::Headers headers_;
};

void look_often(std::vector<dwcp::config::NodeConfig>& configs) {
    configs[0].chaos = true;
    for (auto& config : configs)
        config.deep_every_ms = 200;
}

} // namespace

TEST_CASE(
    "deep health sends blocks over every data link and through every codec, and keeps nothing of them") {
    auto cluster = TestCluster::running(3, look_often);
    Operator ann(*cluster);
    REQUIRE(eventually(20s, [&] { return ann.check("link site-c")["ok"] == true; }));
    CHECK(ann.check("link site-b")["ok"] == true);
    CHECK(ann.check("codec zstd-3")["ok"] == true);
    CHECK(ann.check("codec zstd-3")["age_s"] < 20);
    CHECK(ann.answer("/v1/health")["recoveries"].empty());
    // Some looks later no block of an echo is in any store.
    REQUIRE(eventually(20s, [&] { return ann.looks() > 5; }));
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(cluster->client(i).get("/v1/status").json["store"]["blocks_bytes"] == 0);
}

TEST_CASE("a data link that drops blocks is seen, dialled anew, and well when blocks pass again") {
    auto cluster = TestCluster::running(3, look_often);
    Operator ann(*cluster);
    REQUIRE(eventually(20s, [&] { return ann.check("link site-b")["ok"] == true; }));
    ann.done("/v1/chaos/drop",
             {{"peer", "site-b"}, {"link", "data"}, {"seconds", 3600}, {"reason", "drill"}});
    REQUIRE(eventually(40s, [&] { return has_event(ann.client(), "recovery_begun", "link site-b"); }));
    CHECK(ann.check("link site-b")["ok"] == false);
    CHECK(ann.answer("/v1/health")["status"] == "degraded");
    // The control link still says that the peer is there: only the echo sees this.
    CHECK(ann.check("peer site-b")["ok"] == true);
    REQUIRE(eventually(40s, [&] { return has_event(ann.client(), "data_peer_down", "dialled anew"); }));
    CHECK(ann.check("link site-c")["ok"] == true);
    ann.done("/v1/chaos/stop");
    REQUIRE(eventually(60s, [&] { return ann.check("link site-b")["ok"] == true; }));
    REQUIRE(eventually(20s, [&] { return ann.answer("/v1/health")["recoveries"].empty(); }));
    CHECK(ann.metrics().find("\ndwcp_recovery_attempts_total{outcome=\"") != std::string::npos);
    CHECK(ann.client().put(object_path("after"), noise(1, 3U << 20)).ok());
}

TEST_CASE("an actor that an operator paused or quarantined is not recovered") {
    auto cluster = TestCluster::running(2, look_often);
    Operator ann(*cluster);
    ann.done("/v1/chaos/pause", {{"path", "allocator/0"}, {"seconds", 3600}, {"reason", "drill"}});
    ann.done("/v1/actors/quarantine", {{"path", "compression/0"}, {"reason", "drill"}});
    REQUIRE(eventually(20s, [&] { return ann.check("actor allocator/0")["ok"] == false; }));
    REQUIRE(eventually(20s, [&] { return ann.check("actor compression/0")["ok"] == false; }));
    const auto before = ann.looks();
    REQUIRE(eventually(20s, [&] { return ann.looks() >= before + 4; }));
    CHECK_FALSE(has_event(ann.client(), "recovery_begun"));
    CHECK(ann.answer("/v1/health")["recoveries"].empty());
}

TEST_CASE("failures of clients degrade a node, low priority is refused first, and all is well again after") {
    auto cluster = TestCluster::running(3, [](auto& configs) {
        look_often(configs);
        configs[0].latency_ms = 500;
        configs[0].window_s = 60; // a busy machine must not forget the good ones meanwhile
    });
    Operator ann(*cluster);
    auto client = cluster->client(0);
    client.set_answer_limit(10s); // far below what a node waits for a manager without the client's deadline
    REQUIRE(client.put(object_path("k"), "content").ok());
    for (int i = 0; i < 100; ++i)
        REQUIRE(client.get(object_path("k")).ok());
    const auto level = [&] { return ann.answer("/v1/status")["degradation"]["level"]; };
    CHECK(level() == "normal");

    ann.done("/v1/chaos/pause", {{"path", "manager/0"}, {"seconds", 3600}, {"reason", "drill"}});
    for (int i = 0; i < 7; ++i) { // of 108 requests less than a tenth: degraded, not more
        const auto late = client.put(object_path("late"), "content", {{"X-DWCP-Deadline-Ms", "600"}});
        CHECK(late.status == 504);
        CHECK(late.error_code() == "deadline_exceeded");
    }
    const bool degraded = eventually(10s, [&] { return level() == "degraded"; });
    INFO(ann.answer("/v1/status")["degradation"].dump());
    REQUIRE(degraded);
    CHECK(has_event(ann.client(), "degradation_changed", "degraded"));
    CHECK(ann.metrics().find("\ndwcp_degradation_level 1") != std::string::npos);
    const auto refused = client.get(object_path("k"), {{"X-DWCP-Priority", "low"}});
    CHECK(refused.status == 503);
    CHECK(refused.retry_after_s == 5);
    CHECK(refused.json["error"]["message"].get<std::string>().find("degraded") != std::string::npos);
    CHECK(client.get("/v1/objects").ok()); // of normal priority, and needs no manager
    CHECK(client.get("/health").json["degradation"]["level"] == "degraded");
    CHECK(ann.metrics().find("\ndwcp_http_shed_total{priority=\"low\",work=\"read\"} 1") !=
          std::string::npos);

    ann.done("/v1/chaos/stop");
    REQUIRE(eventually(150s, [&] { return level() == "normal"; }));
    CHECK(client.get(object_path("k"), {{"X-DWCP-Priority", "low"}}).ok());
    CHECK(client.put(object_path("late"), "content", {{"X-DWCP-Deadline-Ms", "20000"}}).ok());
    CHECK(has_event(ann.client(), "degradation_changed", "normal"));
}
