#include "tests/cluster/cluster_fixture.hpp"

#include <map>
#include <set>

using namespace dwcp::testing;
using nlohmann::json;

namespace {

constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr const char* kCaller = "00f067aa0ba902b7";
const std::string kTraceParent = std::string("00-") + kTrace + "-" + kCaller + "-01";

/// The spans with this name, and detail if one is given.
std::vector<json> named(const json& trace, const std::string& name, const std::string& detail = "") {
    std::vector<json> found;
    for (const auto& span : trace["spans"])
        if (span["name"] == name && (detail.empty() || span["detail"] == detail)) found.push_back(span);
    return found;
}

/// Asks until the trace fulfils `complete`: followers write and requests end a little after the answer.
json trace_when(NodeClient& client, const std::string& id, const std::function<bool(const json&)>& complete) {
    json last;
    const bool came = eventually(10s, [&] {
        const Answer answer = client.get("/v1/trace/" + id);
        if (!answer.ok()) return false;
        last = answer.json;
        return complete(last);
    });
    INFO(last.dump(2));
    REQUIRE(came);
    return last;
}

/// Every span hangs under another one, but for the request, which hangs under the caller's.
void check_is_one_tree(const json& trace, const std::string& caller) {
    std::map<std::string, std::string> parents;
    for (const auto& span : trace["spans"])
        parents[span["span"]] = span["parent"];
    CHECK(parents.size() == trace["spans"].size());
    std::size_t roots = 0;
    for (const auto& span : trace["spans"]) {
        INFO(span.dump());
        const std::string parent = span["parent"];
        if (!parents.contains(parent)) {
            ++roots;
            CHECK(span["name"] == "request");
            CHECK(parent == caller);
        } else {
            CHECK(parent != span["span"]);
        }
    }
    CHECK(roots == 1);
}

} // namespace

TEST_CASE("a put on three nodes is one tree, from the request to every member's log") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), c = cluster->client(2);
    const std::string body = noise(1, 6U << 20);
    const Answer receipt =
        a.put(object_path("traced"), body, {{"X-DWCP-Replicas", "3"}, {"traceparent", kTraceParent}});
    REQUIRE(receipt.describe().starts_with("201"));
    // Asked at another node, by the caller's trace id.
    const json trace = trace_when(c, kTrace, [](const json& found) {
        return named(found, "append").size() == 3 && named(found, "request").size() == 1;
    });
    check_is_one_tree(trace, kCaller);
    CHECK(trace["trace_id"] == kTrace);
    CHECK(trace["workloads"] == json::array({receipt.json["id"]}));
    const json request = named(trace, "request").front();
    CHECK(request["node"] == "site-a");
    CHECK(request["fields"]["status"] == "201");
    CHECK(request["fields"]["received_bytes"] == body.size());
    for (const char* step : {"admit", "allocate", "journal", "keep", "seal", "commit"}) {
        INFO(step);
        REQUIRE(named(trace, step).size() == 1);
        CHECK(named(trace, step).front()["node"] == "site-a");
        CHECK(named(trace, step).front()["ok"] == true);
    }
    CHECK(named(trace, "encode").size() == 5);
    REQUIRE(named(trace, "encode", "block 0").size() == 1);
    REQUIRE(named(trace, "encode", "further blocks").size() == 1);
    CHECK(named(trace, "encode", "further blocks").front()["count"] == 2);
    for (const char* replica : {"site-b", "site-c"}) {
        INFO(replica);
        const auto shipped = named(trace, "ship", replica);
        REQUIRE(shipped.size() == 1);
        CHECK(shipped.front()["fields"]["blocks"] >= 6); // on a busy machine one may be sent again
        CHECK(shipped.front()["fields"]["bytes"] >= body.size());
        std::set<std::string> there;
        for (const auto& span : trace["spans"])
            if (span["node"] == replica) there.insert(span["name"]);
        CHECK(there == std::set<std::string>{"store", "durable", "append"});
    }
    for (const auto& span : named(trace, "store"))
        CHECK(span["parent"] == named(trace, "ship", span["node"]).front()["span"]);
    // By the workload's id it is the same.
    CHECK(a.get("/v1/trace/" + receipt.json["id"].get<std::string>()).json["spans"].size() ==
          trace["spans"].size());
}

TEST_CASE("a read shows where its blocks came from, and a transaction who has it in its log") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0), c = cluster->client(2);
    const Answer put = a.put(object_path("apart"), noise(2, 100'000), {{"X-DWCP-Replicas", "1"}});
    REQUIRE(put.ok());
    const std::string holder = put.json["replicas"][0];
    const std::size_t reader = holder == "site-c" ? 1 : 2;
    auto other = cluster->client(reader);
    REQUIRE(other.get(object_path("apart"), {{"traceparent", kTraceParent}}).ok());
    const json read =
        trace_when(a, kTrace, [](const json& found) { return named(found, "request").size() == 1; });
    check_is_one_tree(read, kCaller);
    CHECK(named(read, "find").size() == 1);
    REQUIRE(named(read, "fetch", holder).size() == 1);
    CHECK(named(read, "fetch", holder).front()["fields"]["bytes"] >= 100'000);

    const Answer committed = c.post("/v1/transactions", {{"pay", 1}});
    REQUIRE(committed.ok());
    const json transaction = trace_when(a, committed.json["id"], [](const json& found) {
        return named(found, "append").size() == 3 && named(found, "request").size() == 1;
    });
    check_is_one_tree(transaction, "");
    CHECK(named(transaction, "commit").front()["node"] == "site-c");
}

TEST_CASE("a trace says which nodes did not answer, and what is no id or unknown is refused") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0);
    const Answer receipt = a.put(object_path("kept"), "body", {{"X-DWCP-Replicas", "3"}});
    REQUIRE(receipt.ok());
    const std::string id = receipt.json["id"];
    (*cluster)[1].process().kill();
    const json trace = trace_when(a, id, [](const json& found) {
        for (const auto& node : found["nodes"])
            if (node["node"] == "site-b") return node["answered"] == false;
        return false;
    });
    for (const auto& node : trace["nodes"]) {
        INFO(node.dump());
        CHECK(node["answered"] == (node["node"] != "site-b"));
        CHECK((node["problem"] == "") == (node["node"] != "site-b"));
    }
    cluster->restart(1);
    CHECK(a.get("/v1/trace/0123456789abcdef0123456789abcdef").status == 404);
    CHECK(a.get("/v1/trace/no%20id").status == 400);
    CHECK(a.get("/v1/trace/" + std::string(65, 'a')).status == 400);
}
