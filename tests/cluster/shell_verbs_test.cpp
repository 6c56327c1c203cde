// The shell's verbs as scripts use them, against real nodes: what they print and what they exit with.
#include "tests/cluster/cluster_fixture.hpp"

#include <fmt/format.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace dwcp::testing;
using nlohmann::json;
namespace fs = std::filesystem;
namespace runner = dwcp::runner;

namespace {

struct Ran {
    int exit = -1;
    std::string output; ///< Both streams.
    json answer() const {
        INFO(output);
        REQUIRE(exit == 0);
        return json::parse(output);
    }
};

/// One shell after the other, each with the configuration of a node.
class Script {
  public:
    explicit Script(TestCluster& cluster) : cluster_(cluster) {
        auto client = cluster.client(0);
        REQUIRE(eventually(20s, [&] { return client.get("/health").json.value("status", "") == "healthy"; }));
    }
    std::string command(const std::string& words, std::size_t node = 0) const {
        return fmt::format("env -u DWCP_NODE HOME='{}' '{}' --config '{}' {}", home_.path().string(),
                           runner::program_path("dwcp-shell").string(), cluster_[node].config_file().string(),
                           words);
    }
    Ran run(const std::string& words, std::size_t node = 0) const { return sh(command(words, node)); }
    static Ran sh(const std::string& command) {
        FILE* pipe = ::popen((command + " 2>&1 </dev/null").c_str(), "r");
        REQUIRE(pipe != nullptr);
        Ran ran;
        std::array<char, 4096> buffer{};
        for (std::size_t count; (count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
            ran.output.append(buffer.data(), count);
        const int status = ::pclose(pipe);
        ran.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return ran;
    }
    void check(const std::string& words, int exit, const std::string& says, std::size_t node = 0) const {
        const Ran ran = run(words, node);
        INFO(words << "\n" << ran.output);
        CHECK(ran.exit == exit);
        CHECK(ran.output.find(says) != std::string::npos);
    }
    fs::path home() const { return home_.path(); }

  private:
    TestCluster& cluster_;
    TempDirectory home_;
};

void allow_chaos(std::vector<dwcp::config::NodeConfig>& configs) {
    for (auto& config : configs)
        config.chaos = true;
}

std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

TEST_CASE("every verb that looks answers in each form") {
    auto cluster = TestCluster::running(3);
    const Script shell(*cluster);
    REQUIRE(cluster->client(0).put(object_path("k"), "v").ok());
    for (const std::string verb : {"status site-b",
                                   "nodes",
                                   "tree site-b",
                                   "health",
                                   "whoami",
                                   "metrics mailbox",
                                   "mailbox top",
                                   "actor show site-b:manager/0",
                                   "actor trace manager/0",
                                   "events --limit 3",
                                   "workloads",
                                   "ls",
                                   "config show log.",
                                   "config diff",
                                   "config explain data.streams_max",
                                   "audit list",
                                   "audit verify",
                                   "chaos status",
                                   "backup list",
                                   "config reload --dry-run"}) {
        INFO(verb);
        const Ran table = shell.run(verb);
        CHECK(table.exit == 0);
        CHECK_FALSE(table.output.empty());
        CHECK(shell.run("-o json " + verb).answer().is_object());
        const Ran lines = shell.run("-o ndjson " + verb);
        CHECK(lines.exit == 0);
        std::istringstream each(lines.output);
        for (std::string line; std::getline(each, line);)
            CHECK(json::parse(line, nullptr, false).is_object());
        const Ran help = shell.run("help " + verb.substr(0, verb.find(' ')));
        CHECK(help.exit == 0);
        CHECK(help.output.find("example: dwcp-shell ") != std::string::npos);
    }
}

TEST_CASE("a verb's exit code says why it failed") {
    auto cluster = TestCluster::running(3, [](auto& configs) {
        allow_chaos(configs);
        configs[2].http_local_role = dwcp::identity::Role::viewer;
    });
    const Script shell(*cluster);
    shell.check("get nosuch -", 1, "there is no object 'nosuch'");
    shell.check("actor kill compression/0", 2, "--yes");
    shell.check("--node 127.0.0.1:1 status", 3, "cannot reach a node");
    const std::string bare =
        fmt::format("'{}' --node 127.0.0.1:{} drain --yes", runner::program_path("dwcp-shell").string(),
                    (*cluster)[2].config().http.port);
    const Ran denied = Script::sh("env -u DWCP_NODE HOME=/nonexistent " + bare);
    INFO(denied.output);
    CHECK(denied.exit == 4);
    shell.check("actor resume compression/0", 5, "neither quarantined nor given up");
    shell.check("drain site-b --yes --reason drill", 0, "draining");
    shell.check("undrain site-b", 0, "running");
    shell.check("log level debug --seconds 5", 0, "debug");
    shell.check("actor quarantine compression/0 --yes --reason drill", 0, "quarantined");
    shell.check("actor resume compression/0", 0, "resumed");
    shell.check("chaos delay site-b --milliseconds 10 --seconds 60 --reason drill --yes", 0, "delay");
    CHECK(shell.run("-o json chaos status").answer()["faults"].size() == 1);
    shell.check("chaos stop", 0, "1");
    // A node that takes connections and never answers.
    kill((*cluster)[1].process().pid(), SIGSTOP);
    shell.check("--timeout 1 status", 6, "did not answer in time", 1);
    kill((*cluster)[1].process().pid(), SIGCONT);
    const fs::path bundle = shell.home() / "b.tar";
    shell.check("bundle " + bundle.string(), 0, "no keys");
    CHECK(fs::file_size(bundle) > 1024);
}

TEST_CASE("events are followed over a node's end and return") {
    auto cluster = TestCluster::running(1);
    const Script shell(*cluster);
    const fs::path seen = shell.home() / "seen";
    const auto sees = [&](const std::string& text) {
        return eventually(20s, [&] { return text_of(seen).find(text) != std::string::npos; });
    };
    const Ran begun = Script::sh(shell.command("-o ndjson events --follow --after 0") + " >" + seen.string() +
                                 " & echo $!");
    const pid_t pid = std::stoi(begun.output);
    CHECK(sees("\"node_started\""));
    (*cluster)[0].process().kill();
    cluster->restart(0);
    CHECK(sees("\"name\":\"gap\""));
    shell.check("actor kill compression/0 --yes", 0, "killed");
    CHECK(sees("\"operator_command\""));
    kill(pid, SIGINT);
    CHECK(eventually(10s, [&] { return kill(pid, 0) != 0; }));
}

TEST_CASE("a backup is waited for, verified, and restored into a stopped node") {
    auto cluster = TestCluster::running(1);
    const Script shell(*cluster);
    REQUIRE(cluster->client(0).put(object_path("k"), noise(3, 2'000'000)).ok());
    const json job = shell.run("-o json backup now --scope cluster").answer();
    CHECK(job["state"] == "done");
    const std::string id = job["result"]["nodes"][0]["id"];
    CHECK(shell.run("-o json backup verify " + id).answer()["result"]["ok"] == true);
    const auto& config = (*cluster)[0].config();
    shell.check("backup restore " + id + " --yes", 5, "is running at");
    (*cluster)[0].process().kill();
    shell.check("backup restore " + id, 2, "--yes");
    shell.check("backup restore " + id + " --dry-run", 5, "holds a node's state already");
    fs::rename(config.data_dir + "/backups", shell.home() / "safe");
    fs::remove_all(config.data_dir);
    const std::string backup = (shell.home() / "safe" / id).string();
    shell.check("backup restore " + backup + " --dry-run", 0, "would build");
    CHECK_FALSE(fs::exists(config.data_dir + "/node.id"));
    shell.check("backup restore " + backup + " --yes", 0, "restored " + config.data_dir);
    shell.check("backup restore " + backup + " --yes", 1, "holds a node's state already");
    const Ran without =
        Script::sh("env -u DWCP_NODE HOME=/nonexistent '" + runner::program_path("dwcp-shell").string() +
                   "' backup restore " + backup);
    CHECK(without.exit == 2);
    CHECK(without.output.find("--config FILE") != std::string::npos);
    cluster->restart(0);
    auto client = cluster->client(0);
    CHECK(body_of(client, "k") == noise(3, 2'000'000));

    // What is damaged is said, with the exit code for it.
    shell.check("backup now", 0, "done");
    for (const auto& entry : fs::recursive_directory_iterator(config.data_dir + "/backups"))
        if (entry.path().extension() == ".blob") {
            std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
            file.write("\x55\xaa", 2);
        }
    const json list = shell.run("-o json backup list").answer();
    shell.check("backup verify " + list["backups"].back()["id"].get<std::string>(), 1, "is damaged");
}

TEST_CASE("an upload that was killed goes on where it was") {
    auto cluster = TestCluster::running(1);
    const Script shell(*cluster);
    auto client = cluster->client(0);
    const fs::path file = shell.home() / "big";
    const std::string content = noise(5, 160UL << 20);
    std::ofstream(file, std::ios::binary) << content;
    const std::string put = "put " + file.string() + " big";
    const Ran begun = Script::sh(shell.command(put) + " >/dev/null & echo $!");
    const auto there = [&] {
        const json uploads = client.get("/v1/uploads").json.value("uploads", json::array());
        return uploads.empty() ? 0 : uploads[0].value("size_bytes", std::uint64_t{0});
    };
    REQUIRE(eventually(30s, [&] { return there() >= (16UL << 20); }));
    kill(std::stoi(begun.output), SIGKILL);
    REQUIRE(client.get(object_path("big")).status == 404);
    const fs::path folder = shell.home() / ".local/state/dwcp/uploads";
    REQUIRE(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1);
    struct stat status {};
    REQUIRE(stat(fs::directory_iterator(folder)->path().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);

    const json before = client.get("/v1/uploads").json["uploads"][0];
    const auto parts = client.get("/v1/uploads/" + before["upload"].get<std::string>()).json["parts"];
    REQUIRE(parts.size() < 10);
    const auto received = [&] {
        const json found = client.get("/v1/metrics?grep=dwcp_http_received_bytes_total").json;
        return found.at("series").at(0).at("value").get<double>();
    };
    const double received_before = received();
    shell.check(put + " --resume", 0, "going on with an upload");
    // What was there did not travel again.
    const double missing = static_cast<double>((10 - parts.size()) * (16UL << 20));
    CHECK(received() - received_before < missing + 1e6);
    CHECK(body_of(client, "big") == content);
    CHECK(fs::is_empty(folder));
    CHECK(workload_of(client, "big").value("id", "") == before["upload"]);
    shell.check(put + " --resume", 5, "there is no unfinished upload");
    CHECK(client.get("/v1/uploads").json["uploads"].empty());
}
