// dwcp-run: what ops/run starts once everything is built.
#include "ops/runner/cluster.hpp"
#include "ops/runner/rollout.hpp"
#include "ops/runner/run.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <csignal>

namespace {

constexpr int kExitHeld = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;

void on_signal(int number) {
    if (dwcp::runner::interrupted.exchange(
            true)) { // the second time: at once; the kernel ends the nodes with us
        std::signal(number, SIG_DFL);
        std::raise(number);
    }
}

void catch_signals() {
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
        std::signal(number, on_signal);
    std::signal(SIGPIPE, SIG_IGN);
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{
        "Starts three sites on this machine, ships a directory through them while actors and a node "
        "are killed, "
        "reads every file back, plays the rollout plan under live traffic and says whether every check held.",
        "dwcp-run"};
    dwcp::runner::RunOptions options;
    std::string directory, inject, json, repository;
    app.add_option("DIR", directory, "What to ship; nothing: this repository and parts of /usr");
    app.add_option("--day", options.day, "How long a day of the rollout plan is, such as 5s")
        ->capture_default_str();
    app.add_option("--inject", inject, "Spoil the canary: error-rate, latency, corruption or crash-loop")
        ->check(CLI::IsMember(std::vector<std::string>(std::begin(dwcp::runner::kInjections),
                                                       std::end(dwcp::runner::kInjections))));
    app.add_flag("--keep", options.keep, "Leave the sites running and say what to try next");
    app.add_option("--json", json, "Write the report to this file too");
    app.add_option("--repository", repository, "Where node_configs is")->default_val(".");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? kExitHeld : kExitUsage;
    }
    options.repository = std::filesystem::absolute(repository).lexically_normal();
    if (!directory.empty()) options.directory = directory;
    if (!inject.empty()) options.inject = inject;
    if (!json.empty()) options.json = json;

    catch_signals();
    const auto held = dwcp::runner::run(options);
    if (held) return *held ? kExitHeld : kExitFailed;
    fmt::print(stderr, "run: {}\n", held.error().message);
    if (!held.error().remedy.empty()) fmt::print(stderr, "{}\n", held.error().remedy);
    if (held.error().code == dwcp::Errc::cancelled) return kExitInterrupted;
    return held.error().code == dwcp::Errc::invalid_argument ? kExitUsage : kExitFailed;
}
