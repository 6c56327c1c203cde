// Circuit breakers on real nodes: a partition trips them, healing closes them, and operators see and hold
// them.
#include "tests/cluster/cluster_fixture.hpp"

#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>

using namespace dwcp::testing;
using nlohmann::json;

namespace {

Answer tell(TestCluster& cluster, std::size_t index, const std::string& path, const json& body) {
    return cluster.client(index).operate(path, body);
}

json breakers_of(TestCluster& cluster, std::size_t index, const std::string& query = "") {
    auto client = cluster.client(index);
    const auto answer = client.get("/v1/breakers" + query);
    if (!answer.ok()) FAIL(answer.describe());
    return answer.json["breakers"];
}

std::size_t count_open(const json& breakers) {
    return static_cast<std::size_t>(
        std::ranges::count_if(breakers, [](const json& breaker) { return breaker["state"] != 0; }));
}

json breaker_of(TestCluster& cluster, std::size_t index, const std::string& name) {
    for (const auto& breaker : breakers_of(cluster, index))
        if (breaker["name"] == name) return breaker;
    return nullptr;
}

} // namespace

TEST_CASE("a partition trips breakers with an event, healing closes them, and nothing acknowledged is lost") {
    auto cluster = TestCluster::running(3, [](auto& configs) {
        for (auto& config : configs) {
            config.chaos = true;
            config.request_timeout_ms = 300;
            config.breaker_open_ms = 500;
        }
    });
    auto client = cluster->client(1);
    std::set<std::string> acknowledged;
    std::size_t sent = 0;
    const auto put = [&] {
        const std::string key = "object-" + std::to_string(sent++);
        if (client.put(object_path(key), noise(sent, 20'000)).ok()) acknowledged.insert(key);
    };
    for (int i = 0; i < 5; ++i)
        put();
    REQUIRE(acknowledged.size() == 5);

    const json partition{{"peer", "site-c"}, {"link", "both"}, {"seconds", 600}, {"reason", "a test"}};
    REQUIRE(tell(*cluster, 1, "/v1/chaos/drop", partition).ok());
    CHECK(eventually(60s, [&] {
        put();
        return has_event(client, "breaker_tripped", "site-c/");
    }));
    json tripped;
    CHECK(eventually(10s, [&] {
        put();
        for (const auto& breaker : breakers_of(*cluster, 1, "?peer=site-c"))
            if (breaker["state"] == 2) tripped = breaker;
        return !tripped.is_null();
    }));
    CHECK(tripped["state_name"] == "open");
    CHECK(tripped["trips"] >= 1);
    CHECK_FALSE(tripped["reason"].get<std::string>().empty());
    CHECK(count_open(breakers_of(*cluster, 1, "?peer=site-a")) == 0);
    CHECK(count_open(breakers_of(*cluster, 0)) == 0); // the partition is one node's alone

    REQUIRE(tell(*cluster, 1, "/v1/chaos/stop", json::object()).ok());
    CHECK(eventually(60s, [&] {
        put();
        return count_open(breakers_of(*cluster, 1)) == 0;
    }));
    CHECK(has_event(client, "breaker_half_open", "site-c/"));
    CHECK(has_event(client, "breaker_closed", "site-c/"));

    for (std::size_t site = 0; site < 3; ++site) {
        auto reader = cluster->client(site);
        for (const auto& key : acknowledged) {
            INFO(key << " at site " << site);
            Answer answer;
            REQUIRE(eventually(10s, [&] { return (answer = reader.get(object_path(key))).ok(); }));
            CHECK(answer.body == noise(std::stoul(key.substr(7)) + 1, 20'000));
        }
    }
}

TEST_CASE("a sequencer that comes back is used at once, however long its breakers were to stay open") {
    auto cluster = TestCluster::running(3, [](auto& configs) {
        for (auto& config : configs) {
            config.breaker_failures_consecutive = 1;
            // So that a command is on its way to the sequencer when it stops, and not a block.
            config.replicas_default = 1;
            config.heartbeat_timeout_ms = 3000;
            config.breaker_open_ms = config.breaker_lane_open_ms = 3'600'000;
        }
    });
    auto client = cluster->client(1);
    client.set_answer_limit(30s);
    REQUIRE(client.put(object_path("before"), "x").ok());
    const auto sees_sequencer = [&](bool up) {
        const json nodes = client.get("/v1/nodes").json["nodes"];
        for (const auto& node : nodes)
            if (node["name"] == "site-a") return node["up"] == up;
        return false;
    };
    for (int round = 0; round < 3; ++round) {
        INFO("round " << round);
        (*cluster)[0].process().signal(SIGSTOP);
        REQUIRE(eventually(20s, [&] {
            auto impatient = cluster->client(1);
            impatient.set_answer_limit(200ms);
            (void)impatient.put(object_path("meanwhile"), "x");
            return breaker_of(*cluster, 1, "site-a/lane/metadata")["state"] == 2;
        }));
        REQUIRE(eventually(20s, [&] { return sees_sequencer(false); }));
        (*cluster)[0].process().signal(SIGCONT);
        REQUIRE(eventually(20s, [&] { return sees_sequencer(true); }));
        const auto key = object_path("after-" + std::to_string(round));
        CHECK(eventually(20s, [&] { return client.put(key, "x").ok(); }));
        CHECK(eventually(20s, [&] { // it takes two that succeed
            (void)client.put(key, "x");
            return breaker_of(*cluster, 1, "site-a/lane/metadata")["state"] == 0;
        }));
    }
}

TEST_CASE("operators hold a breaker open or closed and reset it, on any node, with a reason, on record") {
    auto cluster = TestCluster::running(3);
    const std::string name = "site-c/send_block";
    const json hold{{"breaker", name}, {"node", "site-b"}, {"reason", "its disk is replaced"}};
    auto client = cluster->client(0);
    CHECK(client.post("/v1/breakers/force-open", hold).status == 401);
    CHECK(tell(*cluster, 0, "/v1/breakers/force-open", {{"breaker", name}}).status == 400); // no reason
    CHECK(tell(*cluster, 0, "/v1/breakers/reset", {{"breaker", "site-c/nonsense"}}).status == 404);
    auto dry = hold;
    dry["dry_run"] = true;
    CHECK(tell(*cluster, 0, "/v1/breakers/force-open", dry).json["breaker"]["forced"] == "no");

    const auto held = tell(*cluster, 0, "/v1/breakers/force-open", hold);
    REQUIRE(held.ok());
    CHECK(held.json["breaker"]["state"] == 2);
    CHECK(breaker_of(*cluster, 1, name)["forced"] == "open");
    CHECK(breaker_of(*cluster, 0, name)["forced"] == "no"); // that of the other node
    auto other = cluster->client(1);
    CHECK(has_event(other, "breaker_forced", "its disk is replaced"));
    CHECK(other.get("/metrics").body.find(R"(dwcp_breaker_state{operation="send_block",peer="site-c"} 2)") !=
          std::string::npos);
    // What cannot go to site-c goes elsewhere.
    CHECK(eventually(60s, [&] { return other.put(object_path("around"), noise(1, 50'000)).ok(); }));
    CHECK(body_of(client, "around") == noise(1, 50'000));

    CHECK(tell(*cluster, 1, "/v1/breakers/force-closed", {{"breaker", name}, {"reason", "it works"}}).ok());
    CHECK(breaker_of(*cluster, 1, name)["forced"] == "closed");
    CHECK(tell(*cluster, 1, "/v1/breakers/reset", {{"breaker", name}}).ok());
    CHECK(breaker_of(*cluster, 1, name)["forced"] == "no");
    CHECK(has_event(other, "breaker_reset", name));
    const auto audit = cluster->client(1).get("/v1/audit", as_operator((*cluster)[1])).json["records"];
    CHECK(std::ranges::count_if(
              audit, [](const json& record) { return record["verb"] == "breaker.force-open"; }) >= 1);
}
