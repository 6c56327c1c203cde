// The shell at a real terminal, with real nodes.
#include "tests/cluster/cluster_fixture.hpp"
#include "tests/cluster/pty.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sys/stat.h>

using namespace dwcp::testing;
namespace fs = std::filesystem;

namespace {

class ShellUser {
  public:
    explicit ShellUser(TestCluster& cluster) : cluster_(cluster) {
        auto client = cluster.client(0);
        REQUIRE(eventually(20s, [&] { return client.get("/health").json.value("status", "") == "healthy"; }));
    }

    std::map<std::string, std::string> environment() const {
        return {{"HOME", home_.path()},
                {"TERM", "xterm"},
                {"NO_COLOR", "1"},
                {"LC_ALL", "C.UTF-8"},
                {"PATH", "/usr/bin:/bin"}};
    }
    std::unique_ptr<Pty> start(std::vector<std::string> arguments = {}) const {
        arguments.insert(arguments.begin(), {"--config", cluster_[0].config_file()});
        return start_bare(std::move(arguments));
    }
    std::unique_ptr<Pty> start_bare(std::vector<std::string> arguments) const {
        return std::make_unique<Pty>(dwcp::runner::program_path("dwcp-shell"), std::move(arguments),
                                     environment());
    }
    fs::path home() const { return home_.path(); }
    fs::path history() const { return home_.path() / ".local/state/dwcp/history"; }

  private:
    TestCluster& cluster_;
    TempDirectory home_;
};

constexpr const char* kPrompt = "test site-a admin healthy> ";

/// The session for README.md, where somebody asks for it.
void record(const Pty& shell) {
    if (const char* file = std::getenv("DWCP_RECORD")) std::ofstream(file) << shell.text();
}

} // namespace

TEST_CASE("an operator works at the shell's prompt") {
    auto cluster = TestCluster::running(3);
    const ShellUser user(*cluster);
    auto a = cluster->client(0);
    REQUIRE(a.put(object_path("reports/2024.csv"), "a,b\n1,2\n").ok());
    const auto shell = user.start();
    shell->expect(kPrompt);

    // Completion of a verb, a node's name, and an actor's path at another node.
    shell->type("stat\tsite-b\r");
    shell->expect("status site-b");
    shell->expect("site place-b, cluster test");
    shell->expect("> ");
    shell->type("actor re\t\t");
    shell->expect("restart  resume");
    shell->type("tart site-b:comp\t");
    shell->expect("actor restart site-b:compression/0 ");

    // A wrong name refuses, the right one does it.
    shell->type("\r");
    shell->expect("Type site-b:compression/0 to confirm 'actor restart': ");
    shell->type("compression/0\r");
    shell->expect("not confirmed, nothing was done");
    shell->expect("> ");
    shell->type(kUp);
    shell->expect("actor restart site-b:compression/0");
    shell->type("\r");
    shell->expect("to confirm 'actor restart': ");
    shell->type("site-b:compression/0\r");
    shell->expect("compression/0");
    shell->expect("> ");

    // Keys, folder by folder; rm asks here.
    shell->type("ls re\t\r");
    shell->expect("REPLICAS");
    shell->expect("reports/2024.csv ");
    shell->expect("> ");
    shell->type("rm reports/\t\r");
    shell->expect("Type reports/2024.csv to confirm 'rm': ");
    shell->type(kCtrlC);
    shell->expect("^C");
    shell->expect("> ");

    // Ctrl-C throws a half-typed line away and ends a watch, not the shell.
    shell->type("kill everyth");
    shell->expect("kill everyth");
    shell->type(kCtrlC);
    shell->expect("^C");
    shell->expect("> ");
    shell->type("watch -n 0.2 nodes\r");
    shell->expect("every 0.2 s: nodes");
    shell->expect("site-c");
    shell->expect("every 0.2 s: nodes");
    shell->type(kCtrlC);
    shell->expect("> ");

    shell->type("help actor kill\r");
    shell->expect("example: dwcp-shell actor kill site-b:manager/0 --yes");
    shell->expect("> ");
    shell->type(kCtrlD);
    CHECK(shell->wait() == 0);
    record(*shell);
    CHECK(a.get(object_path("reports/2024.csv")).ok());
    auto b = cluster->client(1);
    CHECK(eventually(10s, [&] { return b.get("/v1/actors/compression/0").json.value("life", 0) == 2; }));
}

TEST_CASE("the shell's history outlives a session and is its owner's alone") {
    auto cluster = TestCluster::running(1);
    const ShellUser user(*cluster);
    {
        const auto shell = user.start();
        shell->expect("> ");
        shell->type("mailbox top --limit 3\r");
        shell->expect("> ");
        shell->type("tx submit password=12345\r");
        shell->expect("is committed");
        shell->expect("> ");
        shell->type("exit\r");
        CHECK(shell->wait() == 0);
    }
    struct stat status {};
    REQUIRE(stat(user.history().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
    std::ifstream file(user.history());
    std::string kept{std::istreambuf_iterator<char>(file), {}};
    CHECK(kept == "mailbox top --limit 3\nexit\n");
    const auto shell = user.start();
    shell->expect("> ");
    shell->type(kUp);
    shell->expect("exit");
    shell->type(kUp);
    shell->expect_redrawn("mailbox top --limit 3");
    shell->type(std::string(kCtrlC) + kCtrlD);
    CHECK(shell->wait() == 0);
}

TEST_CASE("the shell goes on while its node is away, and finds it again") {
    auto cluster = TestCluster::running(1);
    const ShellUser user(*cluster);
    const auto shell = user.start();
    shell->expect("test site-a admin healthy> ");
    (*cluster)[0].process().kill();
    shell->type("status\r");
    shell->expect("error: cannot reach a node at 127.0.0.1:");
    shell->expect("test site-a unreachable> ");
    shell->type("status si\t"); // no names, and no waiting for them
    shell->expect("status si");
    shell->type(kCtrlC);
    shell->expect("test site-a unreachable> ");
    cluster->restart(0);
    shell->type("status\r");
    shell->expect("cluster test");
    shell->expect("test site-a admin ");
    kill(shell->pid(), SIGTERM);
    CHECK(shell->wait() == 128 + SIGTERM);
}

TEST_CASE("a role that does not suffice is denied with exit code 4") {
    auto cluster = TestCluster::running(
        1, [](auto& configs) { configs[0].http_local_role = dwcp::identity::Role::viewer; });
    const ShellUser user(*cluster);
    const std::string node = "127.0.0.1:" + std::to_string((*cluster)[0].config().http.port);
    const auto look = user.start_bare({"--node", node, "-c", "whoami"});
    look->expect("viewer");
    CHECK(look->wait() == 0);
    const auto act = user.start_bare({"--node", node, "-c", "actor kill manager/0 --yes"});
    act->expect("needs the role operator");
    act->expect("operator.token");
    CHECK(act->wait() == 4);
    const auto inside = user.start_bare({"--node", node});
    inside->expect("test site-a viewer healthy> ");
    inside->type("drain --yes\r");
    inside->expect("needs the role operator");
    inside->expect("> ");
    inside->type(kCtrlD);
    CHECK(inside->wait() == 0);
}

TEST_CASE("Ctrl-C ends a download, leaves no file, and the shell goes on") {
    auto cluster = TestCluster::running(1);
    const ShellUser user(*cluster);
    auto a = cluster->client(0);
    REQUIRE(a.put(object_path("large"), noise(7, 300UL << 20), {{"X-DWCP-Codec", "none"}}).ok());
    const auto shell = user.start();
    shell->expect("> ");
    shell->type("get large " + user.home().string() + "/\r");
    shell->expect(" of 300.0 MiB"); // its progress
    shell->type(kCtrlC);
    shell->expect_redrawn("healthy> ");
    CHECK_FALSE(fs::exists(user.home() / "large"));
    shell->type(kCtrlD);
    CHECK(shell->wait() == 0);
    for (const auto& entry : fs::directory_iterator(user.home()))
        CHECK(entry.path().filename() == ".local");
}
