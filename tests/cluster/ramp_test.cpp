// The ramp on real nodes: whoever hosts it dies at each of its writes, goes silent, is not allowed to.
#include "tests/cluster/cluster_fixture.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sys/mount.h>

using namespace dwcp::testing;
using nlohmann::json;

namespace {

/// Gates that need no traffic, so that a test takes seconds.
constexpr const char* kPlan = R"(
name = "small"
day_ms = 86_400_000
recent_ms = 60_000
review_ms = 900_000
wait_days_max = 1
[[steps]]
name = "manager"
title = "Manager at 10 %"
targets = [{ system = "manager", instances = 3, of = 3 }]
stages = [{ percent = 10, days = 1, gate = "quiet" }]
[[steps]]
name = "full"
title = "Everything at 100 %"
stages = [{ percent = 100, days = 1, gate = "quiet" }]
[gates.quiet]
[[gates.quiet.criteria]]
name = "quorum now and then"
check = "quorum"
limit = 0.001
samples_min = 1
[[triggers]]
name = "data corruption detected"
what = "corruptions"
limit = 0
)";

class Operator {
  public:
    Operator(TestCluster& cluster, std::size_t index)
        : name_(cluster[index].config().name), client_(cluster.client(index)),
          headers_(as_operator(cluster[index])) {
        client_.set_answer_limit(20s);
    }
    const std::string& name() const { return name_; }
    json ask(const std::string& path) { return client_.get(path, headers_).json; }
    Answer tell(const std::string& path, const json& body) { return client_.operate(path, body); }
    std::string phase() {
        const json status = ask("/v1/ramp");
        return status.is_object() ? status.value("phase", "") : "";
    }
    bool reaches(const std::string& phase) {
        return eventually(60s, [&] { return this->phase() == phase; });
    }
    json history(std::uint64_t after = 0) {
        const json answer = ask("/v1/ramp/history?limit=5000&after=" + std::to_string(after));
        return answer.is_object() ? answer.value("records", json::array()) : json::array();
    }
    std::uint64_t last_seq() {
        const json records = history();
        return records.empty() ? 0 : records.back()["seq"].get<std::uint64_t>();
    }
    double weight() {
        const json answer = ask("/v1/metrics?grep=dwcp_release_canary_ratio");
        for (const json& series : answer.value("series", json::array()))
            if (series["labels"].value("system", "") == "manager") return series["value"];
        return -1;
    }

  private:
    const std::string name_;
    NodeClient client_;
    dwcp::runner::Headers headers_;
};

std::unique_ptr<TestCluster> small_cluster(std::uint32_t takeover_after_ms = 1500) {
    return TestCluster::running(3, [&](auto& configs) {
        for (auto& config : configs) {
            config.chaos = true;
            config.sequencer = "site-c"; // it cannot fail over, so it is not who is killed
            config.ramp_poll_interval_ms = 200;
            config.ramp_lease_ms = 3000;
            config.ramp_takeover_after_ms = takeover_after_ms;
        }
    });
}

json start_of(const std::string& day = "1s") { return {{"plan", kPlan}, {"day", day}, {"reason", "a test"}}; }

/// What must not happen twice in a ramp, as "kind step stage".
std::multiset<std::string> transitions(const json& records) {
    static const std::set<std::string> kOnce{"started",      "step_skipped",   "stage_begun", "gate_reached",
                                             "stage_passed", "rollback_begun", "rolled_back", "completed"};
    std::multiset<std::string> all;
    for (const json& record : records) {
        const auto kind = record.value("kind", "");
        if (kOnce.contains(kind))
            all.insert(kind + " " + std::to_string(record.value("step", 0)) + " " +
                       std::to_string(record.value("stage", 0)));
    }
    return all;
}

long count_of(const json& records, const std::string& kind) {
    return std::ranges::count(records, kind, [](const json& record) { return record.value("kind", ""); });
}

void lose_requests(Operator& at, const Operator& to) {
    REQUIRE(at.tell("/v1/chaos/drop",
                    {{"peer", to.name()}, {"link", "both"}, {"seconds", 600}, {"reason", "a partition"}})
                .ok());
}

/// No request of one reaches the other.
void cut(Operator& one, Operator& other) {
    lose_requests(one, other);
    lose_requests(other, one);
}

void mend(Operator& one, Operator& other) {
    for (Operator* at : {&one, &other})
        REQUIRE(at->tell("/v1/chaos/stop", {{"reason", "it is over"}}).ok());
}

/// What was promoted is taken back, so that another ramp may begin.
void back_to_stable(Operator& at) {
    REQUIRE(at.tell("/v1/ramp/rollback", {{"reason", "the next drill"}}).ok());
    REQUIRE(eventually(60s, [&] {
        const auto phase = at.phase();
        return phase == "rolled_back" || phase == "aborted";
    }));
}

bool arm(Operator& at, const std::string& point, std::uint64_t count) {
    return at.tell("/v1/chaos/kill", {{"at", point}, {"count", count}, {"reason", "a drill"}}).ok();
}

/// On a busy machine the others may hear nothing of site-b for so long that one of them takes its ramp over
/// before it comes to the write at which it is to die. Then the drill begins anew.
constexpr int kDrillsMax = 5;

/// Has site-b host the small plan and die at a write of it. Returns the number of the last record before.
std::uint64_t die_as_host(TestCluster& cluster, const std::string& point, std::uint64_t count) {
    Operator a(cluster, 0);
    for (int drill = 0; drill < kDrillsMax; ++drill) {
        if (a.ask("/v1/ramp").value("host", "") == "site-b") { // it must have to take it over
            REQUIRE(a.tell("/v1/ramp/start", start_of("1h")).ok());
            back_to_stable(a);
        }
        Operator b(cluster, 1);
        const auto before = a.last_seq();
        REQUIRE(arm(b, point, count));
        const auto begun = b.tell("/v1/ramp/start", start_of()); // it may die before it answers
        auto& process = cluster.all()[1].process();
        eventually(30s, [&] { return !process.running() || a.phase() == "completed"; });
        if (process.wait(1s)) return before;
        INFO(begun.describe() << begun.body);
        REQUIRE(arm(b, point, 0));
        REQUIRE(a.reaches("completed"));
        REQUIRE(a.ask("/v1/ramp").value("host", "site-b") != "site-b"); // else it should have died
        back_to_stable(a);
    }
    FAIL("site-b never hosted a ramp long enough");
    return 0;
}

/// The same in the middle of a rollback.
std::uint64_t die_taking_back(TestCluster& cluster, const std::string& point, std::uint64_t count) {
    Operator a(cluster, 0);
    for (int drill = 0; drill < kDrillsMax; ++drill) {
        Operator b(cluster, 1);
        const auto before = a.last_seq();
        REQUIRE(b.tell("/v1/ramp/start", start_of("1h")).ok());
        REQUIRE(b.reaches("soaking"));
        REQUIRE(eventually(10s, [&] { return std::abs(a.weight() - 0.1) < 1e-9; }));
        REQUIRE(arm(b, point, count));
        b.tell("/v1/ramp/rollback", {{"reason", "a test"}});
        auto& process = cluster.all()[1].process();
        eventually(30s, [&] { return !process.running() || a.phase() == "rolled_back"; });
        if (process.wait(1s)) return before;
        REQUIRE(arm(b, point, 0));
        REQUIRE(a.reaches("rolled_back"));
        REQUIRE(a.ask("/v1/ramp").value("host", "site-b") != "site-b");
    }
    FAIL("site-b never hosted a ramp long enough");
    return 0;
}

void check_once(const json& records) {
    const auto all = transitions(records);
    for (const auto& transition : all) {
        INFO(transition);
        CHECK(all.count(transition) == 1);
    }
    for (std::size_t i = 1; i < records.size(); ++i)
        CHECK(records[i]["seq"].get<std::uint64_t>() == records[i - 1]["seq"].get<std::uint64_t>() + 1);
}

} // namespace

TEST_CASE("a ramp goes through its plan on three nodes, and each has the same history") {
    auto cluster = small_cluster();
    Operator a(*cluster, 0);
    REQUIRE(a.tell("/v1/ramp/start", start_of()).ok());
    REQUIRE(a.reaches("completed"));
    const json records = a.history();
    check_once(records);
    CHECK(transitions(records).count("stage_begun 0 0") == 1);
    CHECK(transitions(records).count("stage_begun 1 0") == 1);
    for (std::size_t node : {1, 2}) {
        Operator other(*cluster, node);
        CHECK(eventually(10s, [&] { return other.history() == records; }));
        CHECK(eventually(10s, [&] { return other.weight() == 1; }));
    }
    const auto passed = std::ranges::find(records, "stage_passed", [](const json& r) { return r["kind"]; });
    REQUIRE(passed != records.end());
    const json evidence = a.ask("/v1/ramp/evidence/" + std::to_string((*passed)["seq"].get<std::uint64_t>()));
    CHECK(evidence.value("observations", json::array()).size() > 0);
    CHECK(evidence.value("verdicts", json::array()).size() == 1);
    // Promoted canaries hold without a host, and over a restart.
    cluster->all()[1].process().kill();
    cluster->restart(1);
    Operator b(*cluster, 1);
    CHECK(eventually(10s, [&] { return b.weight() == 1; }));
}

TEST_CASE("a host that is killed at any of its writes is followed by one that ends in the same place") {
    auto cluster = small_cluster();
    Operator a(*cluster, 0);
    for (const std::string point : {"ramp-write", "ramp-commit"}) {
        // took_over, started, and for each of two stages: begun, gate reached, passed; then completed.
        for (const std::uint64_t count : {1, 2, 3, 4, 5, 6, 7, 8, 9}) {
            // After a write it is as before the next one: some of them show that.
            if (point == "ramp-commit" && count % 3 != 0) continue;
            INFO(point << " " << count);
            const auto before = die_as_host(*cluster, point, count);
            const bool never_began = point == "ramp-write" && count <= 2; // before `started`
            if (never_began) {
                cluster->restart(1);
                CHECK(count_of(a.history(before), "started") == 0);
                REQUIRE(a.tell("/v1/ramp/start", start_of()).ok());
            } else {
                CHECK(eventually(30s, [&] {
                    return a.ask("/v1/ramp").value("host", "site-b") != "site-b" || a.phase() == "completed";
                }));
                cluster->restart(1);
            }
            const bool ended = a.reaches("completed");
            INFO(a.ask("/v1/ramp/explain").dump() << a.history(before).dump());
            REQUIRE(ended);
            const json records = a.history(before);
            check_once(records);
            CHECK(count_of(records, "stage_begun") == 2);
            CHECK(count_of(records, "stage_passed") == 2);
            CHECK(count_of(records, "completed") == 1);
            back_to_stable(a);
        }
    }
}

TEST_CASE("a rollback goes on when its host is killed at each of its writes") {
    auto cluster = small_cluster();
    Operator a(*cluster, 0);
    for (const std::string point : {"ramp-write", "ramp-commit"}) {
        for (const std::uint64_t count : {1, 2}) {
            INFO(point << " " << count);
            const auto before = die_taking_back(*cluster, point, count);
            cluster->restart(1);
            // Killed before anything of it left the process, nobody else knows of the command, and its
            // operator, who got no answer, says it again.
            REQUIRE(eventually(60s, [&] {
                if (a.phase() == "soaking") a.tell("/v1/ramp/rollback", {{"reason", "a test"}});
                return a.phase() == "rolled_back";
            }));
            CHECK(eventually(10s, [&] { return a.weight() == 0; }));
            const json records = a.history(before);
            check_once(records);
            CHECK(count_of(records, "rollback_begun") == 1);
            CHECK(count_of(records, "rolled_back") == 1);
        }
    }
}

TEST_CASE("nodes that do not hear the host take their canaries to 0, and back when it is there again") {
    auto cluster = small_cluster(600'000);
    Operator a(*cluster, 0);
    Operator b(*cluster, 1);
    REQUIRE(b.tell("/v1/ramp/start", start_of("1h")).ok());
    REQUIRE(eventually(20s, [&] { return std::abs(a.weight() - 0.1) < 1e-9; }));
    cluster->all()[1].process().kill();
    CHECK(eventually(20s, [&] { return a.weight() == 0; }));
    CHECK(a.phase() == "soaking"); // nobody took over
    auto client = cluster->client(0);
    CHECK(has_event(client, "release_weight_changed", "nothing was heard"));
    cluster->restart(1);
    CHECK(eventually(20s, [&] { return std::abs(a.weight() - 0.1) < 1e-9; }));
    CHECK(transitions(a.history()).count("stage_begun 0 0") == 1);
}

TEST_CASE("one broken link to the host makes no second host") {
    auto cluster = small_cluster();
    Operator a(*cluster, 0);
    Operator b(*cluster, 1);
    REQUIRE(a.tell("/v1/ramp/start", start_of("1h")).ok());
    REQUIRE(eventually(20s, [&] { return std::abs(b.weight() - 0.1) < 1e-9; }));
    cut(a, b);
    // Its lease ends after twice the time after which the first that is up would take over.
    REQUIRE(eventually(20s, [&] { return b.weight() == 0; }));
    CHECK(count_of(b.history(), "took_over") == 1);
    CHECK(std::abs(a.weight() - 0.1) < 1e-9);
    mend(a, b);
    CHECK(eventually(20s, [&] { return std::abs(b.weight() - 0.1) < 1e-9; }));
    CHECK(count_of(b.history(), "took_over") == 1);
}

TEST_CASE("a host that is cut off takes its canary to 0, and obeys its successor when it is back") {
    auto cluster = small_cluster();
    Operator a(*cluster, 0);
    Operator b(*cluster, 1);
    Operator c(*cluster, 2);
    REQUIRE(a.tell("/v1/ramp/start", start_of("1h")).ok());
    REQUIRE(eventually(20s, [&] { return std::abs(a.weight() - 0.1) < 1e-9; }));
    cut(a, b);
    cut(a, c);
    CHECK(eventually(20s, [&] { return a.weight() == 0; }));
    CHECK(eventually(20s, [&] { return b.ask("/v1/ramp").value("host", "") == "site-b"; }));
    SECTION("with its canary again if nobody took it back") {
        mend(a, b);
        mend(a, c);
        CHECK(eventually(20s, [&] { return std::abs(a.weight() - 0.1) < 1e-9; }));
        CHECK(eventually(20s, [&] { return a.history() == b.history(); }));
        CHECK(count_of(b.history(), "took_over") == 2);
    }
    SECTION("and what it took back meanwhile stays withdrawn") {
        a.tell("/v1/ramp/rollback", {{"reason", "nobody else hears this"}}); // answered by its deadline
        CHECK(b.phase() == "soaking");
        mend(a, b);
        mend(a, c);
        CHECK(b.reaches("rolled_back"));
        CHECK(a.weight() == 0);
        CHECK(count_of(b.history(), "rollback_begun") == 1);
    }
}

TEST_CASE("a node that does not hear the host takes the ramp back at once when it is told to") {
    auto cluster = small_cluster();
    Operator a(*cluster, 0);
    Operator b(*cluster, 1);
    REQUIRE(a.tell("/v1/ramp/start", start_of("1h")).ok());
    REQUIRE(eventually(20s, [&] { return std::abs(b.weight() - 0.1) < 1e-9; }));
    cut(a, b);
    REQUIRE(eventually(20s, [&] { return !b.ask("/v1/ramp").value("host_heard", true); }));
    CHECK(b.tell("/v1/ramp/rollback", {{"reason", "the host is away"}}).ok());
    CHECK(b.ask("/v1/ramp").value("host", "") == "site-b");
    mend(a, b);
    CHECK(b.reaches("rolled_back"));
    CHECK(a.weight() == 0);
}

TEST_CASE("a command at any node reaches the host, and the kill switch takes everything back") {
    auto cluster = small_cluster();
    Operator a(*cluster, 0);
    Operator c(*cluster, 2);
    REQUIRE(a.tell("/v1/ramp/start", start_of("1h")).ok());
    REQUIRE(c.reaches("soaking"));
    CHECK(c.ask("/v1/ramp").value("host", "") == "site-a");
    const auto paused = c.tell("/v1/ramp/pause", {{"reason", "a look"}});
    CHECK(paused.ok());
    CHECK(paused.json.value("host", "") == "site-a");
    CHECK(a.phase() == "paused");
    // Asked at c, done at a: both know it, and both know who.
    for (Operator* node : {&a, &c}) {
        const json audit = node->ask("/v1/audit");
        const auto found = std::ranges::find(audit["records"], "ramp.pause",
                                             [](const json& r) { return r.value("verb", ""); });
        REQUIRE(found != audit["records"].end());
        CHECK((*found)["by"].value("role", "") == "admin");
    }
    CHECK(c.tell("/v1/ramp/resume", {{"reason", "seen"}}).ok());
    REQUIRE(eventually(10s, [&] { return std::abs(c.weight() - 0.1) < 1e-9; }));
    REQUIRE(c.tell("/v1/ramp/kill-switch", {{"state", "on"}, {"reason", "an incident"}}).ok());
    CHECK(eventually(10s, [&] { return a.weight() == 0 && c.weight() == 0; }));
    CHECK(a.reaches("rolled_back"));
    CHECK(a.ask("/v1/ramp").value("kill_switch", false));
    CHECK(a.tell("/v1/ramp/start", start_of()).status == 409);
    CHECK(c.tell("/v1/ramp/kill-switch", {{"state", "off"}, {"reason", "it is over"}}).ok());
    CHECK(a.tell("/v1/ramp/start", start_of()).ok());
}

TEST_CASE("a full disk of the host keeps nobody from taking the canary out of traffic") {
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
    auto cluster = TestCluster::running(3, [&](auto& configs) {
        for (auto& config : configs) {
            config.chaos = true;
            config.sequencer = "site-c";
            config.ramp_poll_interval_ms = 200;
        }
        configs[0].data_dir = (disk / "data").string();
    });
    Operator a(*cluster, 0);
    Operator b(*cluster, 1);
    REQUIRE(a.tell("/v1/ramp/start", start_of("1h")).ok());
    REQUIRE(eventually(20s, [&] { return std::abs(b.weight() - 0.1) < 1e-9; }));
    REQUIRE(
        a.tell("/v1/chaos/fill-disk", {{"leave_bytes", 1}, {"seconds", 3600}, {"reason", "a drill"}}).ok());
    CHECK(a.tell("/v1/ramp/pause", {{"reason", "a test"}}).status == 429); // it has no record
    // The host's own copy of the journal waits for its disk, and so may the answer; the traffic does not.
    const auto answer = b.tell("/v1/ramp/rollback", {{"reason", "a test"}});
    INFO(answer.describe() << answer.body);
    CHECK(answer.status != 429);
    CHECK(eventually(20s, [&] { return a.weight() == 0 && b.weight() == 0; }));
}

TEST_CASE("who may only look at a ramp cannot move it, and an override needs a reason") {
    auto cluster = small_cluster();
    auto anybody = cluster->client(0); // a writer, from this machine without a token
    CHECK(anybody.get("/v1/ramp").ok());
    CHECK(anybody.get("/v1/ramp/history").ok());
    for (const char* verb : {"start", "pause", "resume", "promote", "abort", "rollback", "override",
                             "approve", "attest", "kill-switch"})
        CHECK(anybody.post(std::string("/v1/ramp/") + verb, {{"reason", "x"}, {"subject", "x"}}).status ==
              401);
    Operator a(*cluster, 0);
    for (const char* verb : {"abort", "rollback", "override", "attest", "kill-switch"})
        CHECK(a.tell(std::string("/v1/ramp/") + verb, {{"subject", "x"}}).status == 400);
    CHECK(a.phase() == "idle");
    const auto planned = a.tell("/v1/ramp/start", {{"plan", kPlan}, {"day", "1h"}, {"dry_run", true}});
    REQUIRE(planned.ok());
    CHECK(planned.json["steps"].size() == 2);
    // A dry run refuses what a start would, and who mistypes the kill switch's state has not thrown it.
    for (const bool dry_run : {true, false})
        CHECK(a.tell("/v1/ramp/start", {{"plan", kPlan}, {"day", "25h"}, {"dry_run", dry_run}}).status ==
              400);
    for (const char* state : {"OFF", "of", "true"})
        CHECK(a.tell("/v1/ramp/kill-switch", {{"state", state}, {"reason", "x"}}).status == 400);
    CHECK(a.history().empty());
}

TEST_CASE("a node that cannot ask the host says by itself how the ramp stands") {
    auto cluster = small_cluster();
    Operator a(*cluster, 0);
    Operator b(*cluster, 1);
    REQUIRE(b.tell("/v1/ramp/start", start_of("1h")).ok());
    REQUIRE(eventually(20s, [&] { return a.ask("/v1/ramp").value("node", "") == "site-b"; }));
    REQUIRE(a.reaches("soaking"));
    REQUIRE(a.tell("/v1/chaos/delay",
                   {{"peer", "site-b"}, {"milliseconds", 10'000}, {"seconds", 60}, {"reason", "a drill"}})
                .ok());
    const json status = a.ask("/v1/ramp");
    CHECK(status.value("node", "") == "site-a");
    CHECK(status.value("phase", "") == "soaking");
    CHECK(status.value("host", "") == "site-b");
}
