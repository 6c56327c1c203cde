// What the supervision tree of a real node does when restarts do not help.
#include "runtime/store/store.hpp"
#include "tests/cluster/cluster_fixture.hpp"

#include <fstream>
#include <iterator>

using namespace dwcp::testing;
using dwcp::store::Family;
using nlohmann::json;

namespace {

json actor_of(NodeClient& client, const std::string& path) {
    const json tree = client.get("/v1/tree").json;
    for (const auto& actor : tree.value("actors", json::array()))
        if (actor.value("path", "") == path) return actor;
    return json::object();
}

Answer tell(TestCluster& cluster, const std::string& path, const json& body) {
    return cluster.client(0).operate(path, body);
}

/// Of a node that does not run: writes `value` and gives what was there.
std::string exchange_in_store(const dwcp::runner::Node& node, const std::string& key,
                              const std::string& value) {
    auto store = dwcp::store::Store::open({node.config().data_dir + "/store", 64U << 20});
    REQUIRE(store.has_value());
    const auto before = (*store)->get(Family::state, key);
    REQUIRE((before.has_value() && before->has_value()));
    dwcp::store::Batch batch;
    batch.put(Family::state, key, dwcp::to_bytes(value));
    REQUIRE((*store)->write(batch, dwcp::store::Sync::yes).has_value());
    return std::string(dwcp::as_text(**before));
}

void start_again(TestCluster& cluster) {
    if (auto started = cluster[0].start(); !started) FAIL(started.error().render());
    if (auto ready = cluster[0].wait_ready(kStartLimit); !ready) FAIL(ready.error().render());
}

} // namespace

TEST_CASE("a lane whose record is damaged is quarantined, and the rest of its node serves") {
    auto cluster = TestCluster::running(1, [](auto& configs) {
        configs[0].rollback_after = 3;
        configs[0].quarantine_after = 3;
    });
    auto client = cluster->client(0);
    REQUIRE(client.put(object_path("before"), "kept").ok());
    REQUIRE(client.post_raw("/v1/transactions", "pay 5 to Ann", "text/plain").ok());
    (*cluster)[0].process().stop(20s);
    const std::string key = "lane/bulk/hard";
    const auto sound = exchange_in_store((*cluster)[0], key, "damaged");
    start_again(*cluster);
    CHECK(eventually(30s,
                     [&] { return actor_of(client, "consensus/bulk").value("state", "") == "quarantined"; }));
    CHECK(actor_of(client, "consensus/bulk").value("quarantine", "").find("3 ends within") == 0);
    CHECK(has_event(client, "actor_quarantined", "consensus/bulk"));
    CHECK(eventually(20s, [&] { return client.put(object_path("after"), "served").ok(); }));
    CHECK(body_of(client, "before") == "kept");
    CHECK(client.get("/v1/health").json.value("status", "") == "degraded");
    CHECK(actor_of(client, "supervisor/consensus").value("restarts", 1U) == 0);
    CHECK(client.get("/v1/actors/consensus/bulk").json["last_restarts"].size() == 2);

    // Resumed without a repair it comes to the same end; repaired, its quarantine has ended with the process.
    REQUIRE(tell(*cluster, "/v1/actors/resume", {{"path", "consensus/bulk"}}).ok());
    CHECK(eventually(
        30s, [&] { return client.get("/v1/actors/consensus/bulk").json["last_restarts"].size() == 4; }));
    CHECK(eventually(30s,
                     [&] { return actor_of(client, "consensus/bulk").value("state", "") == "quarantined"; }));
    (*cluster)[0].process().stop(20s);
    exchange_in_store((*cluster)[0], key, sound);
    start_again(*cluster);
    CHECK(
        eventually(20s, [&] { return actor_of(client, "consensus/bulk").value("state", "") == "running"; }));
    CHECK(client.post_raw("/v1/transactions", "pay 5 to Ann", "text/plain").ok());
}

TEST_CASE("a node whose supervisors keep ending gives up with code 70, for its service manager to see") {
    auto cluster = TestCluster::running(1, [](auto& configs) { configs[0].root_intensity = 1; });
    auto client = cluster->client(0);
    auto& process = (*cluster)[0].process();
    REQUIRE(client.kill_actor("supervisor/edge").ok());
    REQUIRE(eventually(20s, [&] {
        return actor_of(client, "supervisor/edge").value("life", 0U) == 2 &&
               actor_of(client, "gateway/0").value("state", "") == "running";
    }));
    REQUIRE(client.kill_actor("supervisor/edge").ok());
    REQUIRE(process.wait(30s));
    CHECK(process.exit_code() == 70);
    std::ifstream log((*cluster)[0].log_file());
    const std::string text{std::istreambuf_iterator<char>(log), {}};
    CHECK(text.find("supervisor_escalated") != std::string::npos);
    CHECK(text.find("how=exit_process") != std::string::npos);
    CHECK(text.find("node_stopped") != std::string::npos); // in order
}

TEST_CASE(
    "the root supervisor can be neither paused nor killed; one below it can, and the tree mends itself") {
    auto cluster = TestCluster::running(1, [](auto& configs) { configs[0].chaos = true; });
    auto client = cluster->client(0);
    const json drill{{"path", "supervisor"}, {"seconds", 60}, {"reason", "drill"}};
    CHECK(tell(*cluster, "/v1/chaos/pause", drill).error_code() == "precondition_failed");
    CHECK(client.kill_actor("supervisor").error_code() == "precondition_failed");
    REQUIRE(client.kill_actor("supervisor/data").ok());
    CHECK(eventually(20s, [&] { return actor_of(client, "compression/0").value("life", 0U) == 2; }));
    CHECK(eventually(20s, [&] { return client.put(object_path("mended"), "x").ok(); }));
}
