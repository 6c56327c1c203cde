// dwcp-run itself, as ops/run starts it: a whole run holds, and an interrupted one leaves nothing behind.
#include "tests/cluster/cluster_fixture.hpp"

#include <csignal>
#include <fstream>

using namespace dwcp::testing;
namespace fs = std::filesystem;
using dwcp::runner::Process;

namespace {

/// What dwcp-run needs of a repository, and something to ship.
class Workplace {
  public:
    explicit Workplace(int files) {
        fs::create_directories(path() / "repository");
        fs::copy(fs::path(DWCP_SOURCE_DIR) / "node_configs", path() / "repository" / "node_configs");
        // The run vouches for the runbooks that the rules name.
        for (const char* part : {"ops/runbooks", "ops/prometheus"}) {
            fs::create_directories((path() / "repository" / part).parent_path());
            fs::copy(fs::path(DWCP_SOURCE_DIR) / part, path() / "repository" / part,
                     fs::copy_options::recursive);
        }
        fs::create_directories(path() / "ship" / "a directory");
        for (int i = 0; i < files; ++i)
            std::ofstream(path() / "ship" / "a directory" / std::to_string(i)) << noise(7, 40'000);
        std::ofstream(path() / "ship" / "empty").flush();
        fs::create_symlink("empty", path() / "ship" / "link");
    }

    fs::path path() const { return directory_.path(); }

    Process run(const std::vector<std::string>& more = {}) const {
        std::vector<std::string> arguments{"--repository", (path() / "repository").string(), "--json",
                                           (path() / "report.json").string(), (path() / "ship").string()};
        arguments.insert(arguments.end(), more.begin(), more.end());
        auto process = Process::start({.program = dwcp::runner::program_path("dwcp-run"),
                                       .arguments = arguments,
                                       .output = path() / "output"});
        if (!process) FAIL(process.error().render());
        return std::move(*process);
    }
    std::string output() const { return dwcp::runner::last_lines(path() / "output", 200); }

    /// Processes that were started with a file of this place.
    std::size_t processes() const {
        std::size_t count = 0;
        for (const auto& entry : fs::directory_iterator("/proc")) {
            std::ifstream file(entry.path() / "cmdline");
            const std::string command{std::istreambuf_iterator<char>(file), {}};
            if (command.find((path() / "repository").string()) != std::string::npos) ++count;
        }
        return count;
    }

  private:
    TempDirectory directory_;
};

} // namespace

TEST_CASE(
    "a run ships everything, survives its kills, plays the plan to its end, judges itself and cleans up") {
    const Workplace workplace(300);
    Process run = workplace.run({"--day", "4s"});
    REQUIRE(run.wait(280s));
    INFO(workplace.output());
    CHECK(run.exit_code().value_or(-1) == 0);
    const auto report = nlohmann::json::parse(std::ifstream(workplace.path() / "report.json"));
    CHECK(report["held"] == true);
    CHECK(report["equal"] == 301);
    CHECK(report["left_out"]["symbolic link"] == 1);
    CHECK(report["node_kill"]["acknowledged"].get<int>() > 0);
    CHECK(report["rollout"]["phase"] == "completed");
    CHECK(report["rollout"]["lost"] == 0);
    CHECK(report["rollout"]["nodes_killed"] == 1);
    CHECK(workplace.processes() == 0);
    CHECK_FALSE(fs::exists(workplace.path() / "repository" / "run"));
}

TEST_CASE("a run whose canary is spoiled sees the ramp roll back by itself") {
    const Workplace workplace(100);
    Process run = workplace.run({"--day", "4s", "--inject", "corruption"});
    REQUIRE(run.wait(200s));
    INFO(workplace.output());
    CHECK(run.exit_code().value_or(-1) == 0);
    const auto report = nlohmann::json::parse(std::ifstream(workplace.path() / "report.json"));
    CHECK(report["rollout"]["phase"] == "rolled_back");
    CHECK(report["rollout"]["restored_ms"].get<int>() >= 0);
    CHECK(report["rollout"]["acknowledged"].get<int>() > 0);
    CHECK(report["rollout"]["lost"] == 0);
}

TEST_CASE("an interrupted run leaves no process and no file") {
    for (const int number : {SIGINT, SIGTERM}) {
        const Workplace workplace(3'000);
        Process run = workplace.run();
        REQUIRE(
            eventually(60s, [&] { return workplace.output().find("site-c is ready") != std::string::npos; }));
        CHECK(workplace.processes() == 4);
        run.signal(number);
        REQUIRE(run.wait(20s));
        INFO(workplace.output());
        CHECK(run.exit_code().value_or(-1) == 130);
        CHECK(workplace.processes() == 0);
        CHECK_FALSE(fs::exists(workplace.path() / "repository" / "run"));
    }
}

TEST_CASE("nodes do not outlive a runner that is killed") {
    const Workplace workplace(3'000);
    Process run = workplace.run();
    REQUIRE(eventually(60s, [&] { return workplace.output().find("site-c is ready") != std::string::npos; }));
    run.kill();
    CHECK(eventually(10s, [&] { return workplace.processes() == 0; }));
}

TEST_CASE("a directory that is not there is wrong usage") {
    const Workplace workplace(1);
    fs::remove_all(workplace.path() / "ship");
    Process run = workplace.run();
    REQUIRE(run.wait(20s));
    CHECK(run.exit_code().value_or(-1) == 2);
    CHECK(workplace.output().find("is not a directory") != std::string::npos);
}
