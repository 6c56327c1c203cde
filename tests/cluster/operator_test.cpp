// The operator's verbs on real nodes, over HTTP and through another node.
#include "tests/cluster/cluster_fixture.hpp"

#include <fstream>

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
