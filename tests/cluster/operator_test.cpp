// The operator's verbs on real nodes, over HTTP and through another node.
#include "actors/gateway/operator_verbs.hpp"
#include "tests/cluster/cluster_fixture.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sys/mount.h>

using namespace dwcp::testing;
using nlohmann::json;

namespace {

std::string token_of(TestCluster& cluster, std::size_t index) {
    std::string token;
    std::ifstream(cluster[index].config().data_dir + "/operator.token") >> token;
    REQUIRE_FALSE(token.empty());
    return token;
}

/// An operator at one of the nodes.
class Operator {
  public:
    explicit Operator(TestCluster& cluster, std::size_t index = 0)
        : client_(cluster.client(index)), headers_{{"Authorization", "Bearer " + token_of(cluster, index)}} {}

    Answer ask(const std::string& path) { return client_.get(path, headers_); }
    Answer tell(const std::string& path, const json& body = json::object()) {
        return client_.post_raw(path, body.dump(), "application/json", headers_);
    }
    json answer(const std::string& path) {
        const auto answer = ask(path);
        if (!answer.ok()) FAIL(path << ": " << answer.describe());
        return answer.json;
    }
    json done(const std::string& path, const json& body = json::object()) {
        const auto answer = tell(path, body);
        if (!answer.ok()) FAIL(path << ": " << answer.describe());
        return answer.json;
    }

  private:
    NodeClient client_;
    dwcp::runner::Headers headers_;
};

} // namespace

TEST_CASE("what an operator does is in the audit log of every node it passes, and survives a kill -9") {
    auto cluster = TestCluster::running(2);
    Operator ann(*cluster);
    ann.done("/v1/actors/kill", {{"path", "compression/0"}, {"node", "site-b"}, {"reason", "a drill"}});
    CHECK(cluster->client(0).post("/v1/actors/kill", {{"path", "manager/0"}}).status == 401);
    // A refusal is kept a little after it was answered.
    REQUIRE(eventually(10s, [&] { return ann.answer("/v1/audit")["records"].size() == 3; }));
    const auto here = ann.answer("/v1/audit")["records"];
    const auto there = ann.answer("/v1/audit?node=site-b")["records"];
    REQUIRE(here.size() == 3);
    REQUIRE(there.size() == 2);
    for (const auto& records : {here, there}) {
        CHECK(records[0]["verb"] == "actor.kill");
        CHECK(records[0]["reason"] == "a drill");
        CHECK(records[0]["by"]["how"] == "token");
        CHECK(records[1]["of"] == records[0]["n"]);
        CHECK(records[1]["result"]["outcome"] == "done");
    }
    CHECK(there[0]["by"]["peer"] == "site-a");
    CHECK(here[2]["kind"] == "refused");

    const auto head = ann.answer("/v1/audit")["head"];
    (*cluster)[0].process().kill();
    cluster->restart(0);
    Operator again(*cluster);
    const auto verdict =
        again.answer("/v1/audit/verify?head=" + head["n"].dump() + "-" + head["hash"].get<std::string>());
    CHECK(verdict["ok"] == true);
    CHECK(verdict["records"] == 3);
}

TEST_CASE("a drained node says so, refuses puts, and takes them again after undrain") {
    auto cluster = TestCluster::running(1);
    Operator ann(*cluster);
    auto client = cluster->client(0);
    // Its health is looked at once a second, so it may still be that of the start.
    CHECK(eventually(10s, [&] { return client.get("/ready").json["can_commit"] == true; }));
    CHECK(ann.done("/v1/drain", {{"dry_run", true}})["changed"] == true);
    CHECK(client.get("/ready").status == 200);
    CHECK(ann.done("/v1/drain", {{"reason", "a new disk"}})["changed"] == true);
    CHECK(ann.done("/v1/drain")["changed"] == false);
    CHECK(client.get("/ready").status == 503);
    CHECK(client.put(object_path("k"), "x").status == 503);
    CHECK(ann.answer("/v1/status")["state"] == "draining");
    CHECK(ann.done("/v1/undrain")["changed"] == true);
    CHECK(client.get("/ready").status == 200);
    CHECK(client.put(object_path("k"), "x").status == 201);
    CHECK(has_event(client, "node_draining", "a new disk"));
    CHECK(has_event(client, "node_undrained"));
}

TEST_CASE("a reload applies what is live, names what needs a restart, and refuses a bad file whole") {
    auto cluster = TestCluster::running(1);
    Operator ann(*cluster);
    const auto file = (*cluster)[0].config_file();
    auto config = (*cluster)[0].config();
    const auto write = [&](const std::string& text) { std::ofstream(file) << text; };
    config.requests_per_s = 1;
    config.requests_burst = 1;
    config.chaos = true;
    config.streams_max = 3;
    write(dwcp::config::print_config(config));
    const auto diff = ann.answer("/v1/config/diff")["keys"];
    CHECK(std::ranges::count_if(diff, [](const json& key) { return key["needs"] == "reload"; }) == 3);
    CHECK(ann.done("/v1/config/reload", {{"dry_run", true}})["applied"].size() == 3);
    CHECK(ann.answer("/v1/config?grep=requests_per_s")["keys"][0]["value"] != 1);
    const auto done = ann.done("/v1/config/reload");
    CHECK(done["applied"].size() == 3);
    CHECK(ann.ask("/metrics").body.find("\ndwcp_chaos_enabled 1") != std::string::npos); // for its alert
    REQUIRE(done["needs_restart"].size() == 1);
    CHECK(done["needs_restart"][0]["key"] == "data.streams_max");
    CHECK(ann.answer("/v1/config?grep=requests_per_s")["keys"][0]["value"] == 1);
    auto client = cluster->client(0); // and the managers go by it
    std::set<int> statuses;
    for (int i = 0; i < 5; ++i)
        statuses.insert(client.put(object_path("k"), "x").status);
    CHECK(statuses.contains(429));

    write("[node]\nname = 5\n[nonsense]\n");
    const auto refused = ann.tell("/v1/config/reload");
    CHECK(refused.status == 400);
    CHECK(refused.body.find("node.name") != std::string::npos);
    CHECK(refused.body.find("nonsense") != std::string::npos);
    CHECK(ann.answer("/v1/config?grep=requests_per_s")["keys"][0]["value"] == 1);
    CHECK(ann.answer("/v1/config/keys/log.level")["live"] == true);
    CHECK(ann.ask("/v1/config/keys/log.levle").status == 404);
}

TEST_CASE("a node does what every verb of the table says") {
    auto cluster = TestCluster::running(1);
    Operator ann(*cluster);
    for (const auto& verb : dwcp::gateway::operator_verbs()) {
        json args{{"reason", "a test"}, {"dry_run", true}};
        for (const auto& parameter : verb.route.parameters)
            if (parameter.required && !args.contains(parameter.name))
                args[parameter.name] =
                    parameter.type == dwcp::http::Parameter::Type::number ? json(1) : json("x");
        auto path = verb.route.pattern;
        if (path.ends_with('*')) path.back() = 'x';
        INFO(verb.name);
        CHECK((verb.mutates ? ann.tell(path, args) : ann.ask(path)).status != 501);
    }
}

TEST_CASE("an actor is quarantined, resumed, traced and watched over HTTP") {
    auto cluster = TestCluster::running(1);
    Operator ann(*cluster);
    auto client = cluster->client(0);
    CHECK(ann.tell("/v1/actors/quarantine", {{"path", "compression/0"}}).status == 400); // no reason
    ann.done("/v1/actors/quarantine", {{"path", "compression/0"}, {"reason", "a test"}});
    REQUIRE(
        eventually(10s, [&] { return ann.answer("/v1/actors/compression/0")["state"] == "quarantined"; }));
    CHECK(ann.tell("/v1/actors/restart", {{"path", "compression/0"}}).status == 409);
    ann.done("/v1/actors/resume", {{"path", "compression/0"}});
    REQUIRE(eventually(10s, [&] { return ann.answer("/v1/actors/compression/0")["state"] == "running"; }));

    CHECK(ann.answer("/v1/actor-traces/manager/0?seconds=60")["messages"].empty());
    CHECK(client.put(object_path("k"), "content").status == 201);
    const auto traced = ann.answer("/v1/actor-traces/manager/0?seconds=0")["messages"].dump();
    CHECK(traced.find("manager::BeginPut") != std::string::npos);
    CHECK(traced.find("manager::SealPut") != std::string::npos);
    CHECK(ann.answer("/v1/mailboxes?by=busy&limit=2")["actors"].size() == 2);
    CHECK(ann.answer("/v1/metrics?grep=dwcp_supervisor")["series"].is_array());
}

TEST_CASE("a fault that fills the disk can be ended while the disk is full, and that is on record") {
    TempDirectory place;
    const auto disk = place.path() / "disk";
    std::filesystem::create_directories(disk);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=420m,mode=0700") != 0) {
        WARN("SKIPPED: needs the right to mount a tmpfs (root)");
        return;
    }
    struct Unmount {
        std::filesystem::path path;
        ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
    } unmount{disk};
    auto cluster = TestCluster::running(1, [&](auto& configs) {
        configs[0].chaos = true;
        configs[0].data_dir = (disk / "data").string();
    });
    Operator ann(*cluster);
    ann.done("/v1/chaos/fill-disk", {{"leave_bytes", 1}, {"seconds", 3600}, {"reason", "drill"}});
    CHECK(ann.tell("/v1/drain").status == 429);
    CHECK(ann.done("/v1/chaos/stop")["stopped"] == 1);
    const auto records = ann.answer("/v1/audit")["records"];
    REQUIRE(records.size() >= 2);
    CHECK(records[records.size() - 2]["verb"] == "chaos.stop");
    CHECK(ann.answer("/v1/audit/verify")["ok"] == true);
}

TEST_CASE("faults are injected only where that is allowed, end by themselves, and are seen") {
    auto cluster = TestCluster::running(2, [](auto& configs) { configs[0].chaos = true; });
    Operator ann(*cluster);
    CHECK(ann.tell("/v1/chaos/pause",
                   {{"path", "manager/0"}, {"seconds", 1}, {"reason", "drill"}, {"node", "site-b"}})
              .status == 409);
    for (const auto& [verb, args] :
         std::map<std::string, json>{{"pause", {{"path", "allocator/0"}, {"seconds", 0}}},
                                     {"fill-disk", {{"leave_bytes", 1}, {"bytes_max", 0}, {"seconds", 1}}}}) {
        auto sent = args;
        sent["reason"] = "drill";
        const auto refused = ann.tell("/v1/chaos/" + verb, sent);
        CHECK(refused.status == 400);
        CHECK(refused.json["error"]["remedy"] != "");
    }
    ann.done("/v1/chaos/pause", {{"path", "allocator/0"}, {"seconds", 3600}, {"reason", "drill"}});
    REQUIRE(eventually(20s, [&] { return ann.answer("/v1/health")["status"] == "unhealthy"; }));
    CHECK(ann.answer("/v1/chaos")["faults"].size() == 1);
    CHECK(ann.done("/v1/chaos/stop")["stopped"] == 1);
    REQUIRE(eventually(20s, [&] { return ann.answer("/v1/health")["status"] != "unhealthy"; }));

    ann.done("/v1/chaos/drop",
             {{"peer", "site-b"}, {"link", "control"}, {"seconds", 3600}, {"reason", "drill"}});
    REQUIRE(eventually(20s, [&] { return ann.answer("/v1/nodes")["nodes"][1]["up"] == false; }));
    CHECK(ann.done("/v1/chaos/stop")["stopped"] == 1);
    REQUIRE(eventually(20s, [&] { return ann.answer("/v1/nodes")["nodes"][1]["up"] == true; }));

    ann.done("/v1/chaos/corrupt",
             {{"peer", "site-b"}, {"percent", 50}, {"seconds", 3600}, {"reason", "drill"}});
    auto client = cluster->client(0);
    const auto body = noise(1, 8U << 20);
    auto stored =
        client.put(object_path("big"), body); // damaged blocks are refused by the peer and sent again
    CHECK(ann.answer("/v1/chaos")["faults"][0]["hits"] > 0);
    ann.done("/v1/chaos/stop");
    if (!stored.ok()) stored = client.put(object_path("big"), body);
    REQUIRE(stored.ok());
    auto other = cluster->client(1);
    CHECK((body_of(other, "big") == body));
    CHECK(has_event(client, "chaos_begun", "site-b"));
    CHECK(has_event(client, "chaos_ended", "site-b"));
}

TEST_CASE("a bundle is an archive of everything that helps, and of no secret") {
    auto cluster = TestCluster::running(1);
    Operator ann(*cluster);
    auto client = cluster->client(0);
    CHECK(client.put(object_path("k"), "content-of-an-object").status == 201);
    CHECK(client.get("/v1/bundle").status == 401);
    const auto bundle = ann.ask("/v1/bundle");
    REQUIRE(bundle.status == 200);
    CHECK(bundle.body.size() % 512 == 0);
    for (const char* file :
         {"status.json", "nodes.json", "tree.json", "health.json", "config.show.json", "events.json",
          "audit.list.json", "metrics.txt", "log.txt", "versions.json", "limits.json", "disk.json"})
        CHECK(bundle.body.find(std::string("site-a/") + file) != std::string::npos);
    CHECK(bundle.body.find(token_of(*cluster, 0)) == std::string::npos);
    CHECK(bundle.body.find("content-of-an-object") == std::string::npos);
    std::ifstream key_file((*cluster)[0].config().data_dir + "/node.key", std::ios::binary);
    const std::string key((std::istreambuf_iterator<char>(key_file)), {});
    REQUIRE(key.size() >= 32);
    CHECK(bundle.body.find(key.substr(0, 32)) == std::string::npos);

    const auto path = cluster->directory() / "bundle.tar";
    std::ofstream(path, std::ios::binary) << bundle.body;
    CHECK(std::system(("tar -tf " + path.string() + " > /dev/null").c_str()) == 0);
}

TEST_CASE("events are followed as a stream") {
    auto cluster = TestCluster::running(1);
    Operator ann(*cluster);
    std::string text;
    auto client = cluster->client(0);
    client.get_stream("/v1/events/stream?after=0", [&](dwcp::ByteView piece) {
        text += dwcp::as_text(piece);
        return text.find("event: node_started") == std::string::npos; // enough: break it off
    });
    CHECK(text.starts_with("retry: 2000\n"));
    CHECK(text.find("event: node_started\ndata: {") != std::string::npos);
}

TEST_CASE("the log level changes for a time and goes back") {
    auto cluster = TestCluster::running(1);
    Operator ann(*cluster);
    CHECK(ann.done("/v1/log/level", {{"level", "debug"}, {"dry_run", true}})["was"] == "info");
    CHECK(ann.done("/v1/log/level", {{"level", "debug"}, {"seconds", 1}})["was"] == "info");
    CHECK(ann.done("/v1/log/level", {{"level", "debug"}, {"dry_run", true}})["was"] == "debug");
    CHECK(eventually(20s, [&] {
        return ann.done("/v1/log/level", {{"level", "info"}, {"dry_run", true}})["was"] == "info";
    }));
    CHECK(ann.tell("/v1/log/level", {{"level", "loud"}}).status == 400);
}
