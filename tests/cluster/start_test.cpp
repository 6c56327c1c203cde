#include "tests/cluster/cluster_fixture.hpp"
#include "tests/unit/tls/test_certificates.hpp"

#include <fstream>

using namespace dwcp::testing;
namespace fs = std::filesystem;

namespace {

struct Output {
    int exit_code = -1;
    std::string text;
};

Output run_node(const TempDirectory& directory, std::vector<std::string> arguments) {
    const fs::path file = directory.path() / "output";
    auto process = dwcp::runner::Process::start({.program = dwcp::runner::program_path("dwcp-node"),
                                                 .arguments = std::move(arguments),
                                                 .output = file});
    REQUIRE(process);
    REQUIRE(process->wait(20s));
    return {process->exit_code().value_or(-1), dwcp::runner::last_lines(file, 100)};
}

bool mentions(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("--check finds everything that is wrong at once and starts nothing") {
    TempDirectory directory;
    const fs::path file = directory.path() / "bad.toml";
    std::ofstream(file)
        << "[node]\nname = 'site-a'\nsite = 'east'\ncluster_id = 'test'\ndata_dir = '"
        << (directory.path() / "data").string()
        << "'\n[listen]\ncontrol = '0.0.0.0:7101'\ndata = '127.0.0.1:7201'\nhttp = '127.0.0.1:8101'\n"
           "[data]\nstreams_maxx = 4\nstreams_max = 1000\n[log]\nlevel = 'loud'\n";
    const Output output = run_node(directory, {"--config", file.string(), "--check"});
    INFO(output.text);
    CHECK(output.exit_code == 2);
    for (const char* part : {"control", "streams_maxx", "streams_max", "1000", "loud", "bad.toml:"})
        CHECK(mentions(output.text, part));
    CHECK_FALSE(fs::exists(directory.path() / "data"));
}

TEST_CASE("--check of a good file says so and starts nothing") {
    TestCluster cluster(3);
    TempDirectory directory;
    const Output output = run_node(directory, {"--config", cluster[0].config_file().string(), "--check"});
    CHECK(output.exit_code == 0);
    CHECK_FALSE(fs::exists(cluster[0].config().data_dir));
}

TEST_CASE("--check looks at the certificates too, and a node does not start with wrong ones") {
    TempDirectory directory;
    const TestAuthority authority("test");
    const auto check = [&](const dwcp::tls::Files& files) {
        TestCluster cluster(1, [&](auto& configs) {
            configs[0].tls_certificate = files.certificate;
            configs[0].tls_key = files.key;
            configs[0].tls_ca = files.ca;
        });
        const Output output = run_node(directory, {"--config", cluster[0].config_file().string(), "--check"});
        if (output.exit_code != 0) { // then it does not start either, and says the same
            REQUIRE(cluster[0].start());
            REQUIRE(cluster[0].process().wait(20s));
            CHECK(cluster[0].process().exit_code() == 1);
        }
        return output;
    };
    CHECK(check(authority.node(directory.path(), "site-a")).exit_code == 0);
    const Output other = check(authority.node(directory.path(), "site-b"));
    CHECK(other.exit_code == 2);
    CHECK(
        mentions(other.text, "site-b.pem: the certificate belongs to node site-b, and this is node site-a"));
    CHECK(mentions(other.text, "ops/certs node site-a"));
    auto files = authority.node(directory.path(), "site-a");
    fs::permissions(files.key, fs::perms::others_read, fs::perm_options::add);
    CHECK(mentions(check(files).text, "chmod 600 " + files.key));
    CHECK(mentions(check(TestAuthority("other").node(directory.path(), "site-a")).text,
                   "is of cluster other, not test"));
}

TEST_CASE("a port in use ends the start with the port and what to do") {
    auto first = TestCluster::running(1);
    for (const auto member : {&dwcp::config::NodeConfig::http, &dwcp::config::NodeConfig::control,
                              &dwcp::config::NodeConfig::data}) {
        TestCluster second(1, [&](auto& configs) { configs[0].*member = (*first)[0].config().*member; });
        REQUIRE(second[0].start());
        REQUIRE(second[0].process().wait(20s));
        CHECK(second[0].process().exit_code() == 1);
        const std::string log = dwcp::runner::last_lines(second[0].log_file(), 20);
        INFO(log);
        CHECK(mentions(log, std::to_string((second[0].config().*member).port)));
    }
}

TEST_CASE("a data directory that another node uses is refused") {
    auto first = TestCluster::running(1);
    TestCluster second(1, [&](auto& configs) { configs[0].data_dir = (*first)[0].config().data_dir; });
    REQUIRE(second[0].start());
    REQUIRE(second[0].process().wait(20s));
    CHECK(second[0].process().exit_code() == 1);
}

TEST_CASE("nodes of different clusters refuse each other, and both say so") {
    TestCluster cluster(2, [](auto& configs) { configs[1].cluster_id = "other"; });
    for (std::size_t i : {0UL, 1UL}) {
        REQUIRE(cluster[i].start());
        REQUIRE(cluster[i].wait_ready(kStartLimit));
    }
    auto a = cluster.client(0), b = cluster.client(1);
    CHECK(eventually(10s, [&] { return has_event(a, "peer_refused", "cluster"); }));
    CHECK(eventually(10s, [&] { return has_event(b, "peer_refused", "cluster"); }));
    CHECK_FALSE(cluster[0].sees_all_peers());
}

TEST_CASE("a node that comes back with another key is refused, and both say so") {
    auto cluster = TestCluster::running(2);
    (*cluster)[1].process().stop(20s);
    for (const auto& entry : fs::directory_iterator((*cluster)[1].config().data_dir))
        fs::remove_all(entry.path());
    REQUIRE((*cluster)[1].start());
    REQUIRE((*cluster)[1].wait_ready(kStartLimit));
    auto a = cluster->client(0), b = cluster->client(1);
    CHECK(eventually(10s, [&] { return has_event(a, "peer_refused", "key"); }));
    CHECK(eventually(10s, [&] { return has_event(b, "peer_refused", "key"); }));
    CHECK_FALSE((*cluster)[0].sees_all_peers());
}

TEST_CASE("nodes with different heartbeats refuse each other, and both say so") {
    TestCluster cluster(2, [](auto& configs) { configs[1].heartbeat_interval_ms = 300; });
    for (std::size_t i : {0UL, 1UL}) {
        REQUIRE(cluster[i].start());
        REQUIRE(cluster[i].wait_ready(kStartLimit));
    }
    auto a = cluster.client(0), b = cluster.client(1);
    CHECK(eventually(10s, [&] { return has_event(a, "peer_refused", "heartbeat"); }));
    CHECK(eventually(10s, [&] { return has_event(b, "peer_refused", "heartbeat"); }));
}

TEST_CASE("a killed actor is back with its next life, counted and on record, and serves") {
    auto cluster = TestCluster::running();
    auto a = cluster->client(0);
    const auto actor = [&](const std::string& path) { return a.get("/v1/actors/" + path).json; };
    for (const char* path :
         {"manager/0", "compression/0", "allocator/0", "gateway/0", "consensus/metadata", "consensus/bulk"}) {
        INFO(path);
        const auto before = actor(path);
        REQUIRE(a.kill_actor(path).ok());
        CHECK(eventually(10s, [&] {
            const auto now = actor(path);
            return now.is_object() && now.value("life", 0) > before.value("life", 0) &&
                   now.value("state", "") == "running";
        }));
        CHECK(actor(path).value("restarts", 0) == before.value("restarts", 0) + 1);
        CHECK(has_event(a, "actor_restarted", path));
        CHECK(eventually(10s, [&] { return a.put(object_path("after-kill"), path).ok(); }));
        CHECK(body_of(a, "after-kill") == path);
    }
    CHECK(a.post("/v1/actors/kill", {{"path", "manager/0"}}).status == 401);
}
