#include "tests/cluster/cluster_fixture.hpp"

#include <array>
#include <fstream>
#include <set>
#include <thread>

using namespace dwcp::testing;

TEST_CASE("what is put at one site is read equal at another") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), c = cluster->client(2);
    for (const std::size_t size : {0UL, 1UL, 100'000UL, 1UL << 20, (3UL << 20) + 17}) {
        const std::string key = "sizes/" + std::to_string(size);
        const std::string body = noise(size, size);
        REQUIRE(a.put(object_path(key), body).describe().starts_with("201"));
        CHECK(body_of(c, key) == body);
    }
    const std::string key = "names with spaces/größe & %41?.txt";
    REQUIRE(a.put(object_path(key), "named").ok());
    CHECK(body_of(c, key) == "named");
    const Answer range = c.get(object_path("sizes/3145745"), {{"Range", "bytes=1048570-1048585"}});
    CHECK(range.status == 206);
    CHECK(range.body == noise(3145745, 3145745).substr(1048570, 16));
}

TEST_CASE("a workload's id is the trace in the logs of every node that works on it") {
    auto cluster = TestCluster::running(3, [](auto& configs) {
        for (auto& config : configs) {
            config.log_level = dwcp::log::Level::debug;
            config.log_format = dwcp::log::Format::json;
        }
    });
    auto a = cluster->client(0);
    const Answer receipt = a.put(object_path("traced"), "body", {{"X-DWCP-Replicas", "3"}});
    REQUIRE(receipt.ok());
    const std::string id = receipt.json["id"];
    // The steps of this workload in a node's log.
    const auto steps_at = [&](std::size_t node) {
        std::set<std::string> steps;
        std::ifstream log((*cluster)[node].log_file());
        for (std::string line; std::getline(log, line);) {
            const auto parsed = nlohmann::json::parse(line, nullptr, false);
            if (parsed.is_object() && parsed.value("trace", "") == id) steps.insert(parsed["event"]);
        }
        return steps;
    };
    CHECK(steps_at(0).contains("workload_accepted"));
    CHECK(steps_at(0).contains("workload_committed"));
    for (const std::size_t replica : {1UL, 2UL}) {
        CHECK(eventually(5s, [&] { return steps_at(replica).contains("metadata_applied"); }));
        CHECK(steps_at(replica).contains("replica_durable"));
    }
}

TEST_CASE("replicas are on distinct sites, as many as were asked for") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0);
    for (const std::size_t wanted : {1UL, 2UL, 3UL}) {
        const Answer answer =
            a.put(object_path("replicated"), "body", {{"X-DWCP-Replicas", std::to_string(wanted)}});
        REQUIRE(answer.ok());
        const std::set<std::string> replicas = answer.json["replicas"];
        CHECK(replicas.size() == wanted);
    }
    const Answer impossible = a.put(object_path("replicated"), "body", {{"X-DWCP-Replicas", "4"}});
    CHECK(impossible.status >= 400);
    CHECK_FALSE(impossible.json["error"]["remedy"].get<std::string>().empty());
    CHECK(body_of(a, "replicated") == "body");
}

TEST_CASE("a list is in key order, pages through everything once and knows prefixes") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), b = cluster->client(1);
    std::vector<std::string> keys;
    for (int i = 100; i < 125; ++i)
        keys.push_back("list/" + std::to_string(i));
    for (const auto& key : keys)
        REQUIRE(a.put(object_path(key), key).ok());
    REQUIRE(a.put(object_path("other"), "x").ok());
    const auto listed_at_b = [&] {
        std::vector<std::string> listed;
        std::string cursor;
        do {
            const Answer page = b.get("/v1/objects?prefix=list/&limit=7&cursor=" + cursor);
            if (!page.ok()) return listed;
            for (const auto& object : page.json["objects"])
                listed.push_back(object["key"]);
            cursor = page.json["next_cursor"];
        } while (!cursor.empty());
        return listed;
    };
    CHECK(eventually(5s, [&] { return listed_at_b() == keys; }));
}

TEST_CASE("of clients that race to create an object at different sites exactly one succeeds") {
    auto cluster = TestCluster::running();
    for (int round = 0; round < 10; ++round) {
        const std::string path = object_path("race/" + std::to_string(round));
        std::array<Answer, 3> answers;
        {
            std::vector<std::jthread> racers;
            for (std::size_t site = 0; site < answers.size(); ++site)
                racers.emplace_back([&, site] {
                    auto client = cluster->client(site);
                    answers[site] = client.put(path, noise(site, 1000), {{"If-None-Match", "*"}});
                });
        }
        std::size_t winner = answers.size();
        for (std::size_t site = 0; site < answers.size(); ++site) {
            CAPTURE(round, site, answers[site].describe());
            CHECK((answers[site].status == 201 || answers[site].status == 412));
            if (answers[site].ok()) {
                CHECK(winner == answers.size()); // nobody won before
                winner = site;
            }
        }
        REQUIRE(winner < answers.size());
        auto reader = cluster->client((winner + 1) % answers.size());
        CHECK(body_of(reader, "race/" + std::to_string(round)) == noise(winner, 1000));
    }
}

TEST_CASE("a deleted object is gone at every site") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), c = cluster->client(2);
    REQUIRE(a.put(object_path("short-lived"), "x").ok());
    REQUIRE(c.remove(object_path("short-lived")).ok());
    CHECK(eventually(5s, [&] { return a.get(object_path("short-lived")).status == 404; }));
    CHECK(eventually(5s, [&] { return c.get(object_path("short-lived")).status == 404; }));
    CHECK(c.remove(object_path("short-lived")).status == 404);
}

TEST_CASE("a body that is not what its digest says is refused and leaves nothing") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0);
    const Answer refused = a.put(object_path("wrong"), "body", {{"X-DWCP-SHA256", std::string(64, '0')}});
    CHECK(refused.status >= 400);
    CHECK(a.get(object_path("wrong")).status == 404);
}

TEST_CASE("a transaction is applied exactly once, whichever site it is submitted at") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), b = cluster->client(1), c = cluster->client(2);
    const auto submit = [](NodeClient& client, const std::string& id) {
        return client.post_raw("/v1/transactions", "pay 5 to Ann", "text/plain",
                               {{"X-DWCP-Transaction-Id", id}});
    };
    const Answer first = submit(a, "pay-1");
    REQUIRE(first.ok());
    CHECK_FALSE(first.json["duplicate"].get<bool>());
    for (auto* client : {&a, &b, &c}) {
        const Answer again = submit(*client, "pay-1");
        REQUIRE(again.ok());
        CHECK(again.json["duplicate"].get<bool>());
        CHECK(again.json["index"] == first.json["index"]);
    }
    const Answer second = submit(b, "pay-2");
    REQUIRE(second.ok());
    CHECK(second.json["index"].get<std::uint64_t>() > first.json["index"].get<std::uint64_t>());
    CHECK(
        eventually(5s, [&] { return c.get("/v1/transactions/pay-2").json.value("payload_bytes", 0) == 12; }));
}
