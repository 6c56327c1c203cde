// dwcp-node: runs one node from its configuration file.
#include "runtime/config/config.hpp"
#include "runtime/log/log.hpp"
#include "runtime/node/node.hpp"
#include "runtime/node/offline.hpp"
#include "runtime/node/own_tls.hpp"
#include "runtime/node/service_manager.hpp"

#include <CLI/CLI.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/signal.h>
#include <thread>
#include <unistd.h>

namespace {

constexpr int kExitConfig = 2;
constexpr int kExitFailed = 1;
/// For the end itself, after the drain, of a node that its supervisor has given up.
constexpr auto kLostGrace = std::chrono::seconds(10);

/// Every thread inherits the mask, so signals reach main alone, which waits for them.
sigset_t block_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
    return set;
}

/// Sockets, data files and logs need descriptors; the usual soft limit of 1024 is for programs that use
/// select().
void raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/// The next signal that asks for the end; SIGHUP asks for `reload`.
int wait_for_signal(const sigset_t& set, const std::function<void()>& reload) {
    for (;;) {
        int number = 0;
        if (sigwait(&set, &number) != 0) continue;
        if (number != SIGHUP) return number;
        reload();
    }
}

/// A supervisor gives up because actors fail; one that hangs must not keep the process.
void end_at_the_latest(std::chrono::milliseconds time, int exit_code) {
    std::thread([time, exit_code] {
        std::this_thread::sleep_for(time);
        dwcp::log::error("end_forced", {{"exit_code", exit_code}});
        dwcp::log::shutdown();
        _exit(exit_code);
    }).detach();
}

int run(const dwcp::config::NodeConfig& config) {
    raise_descriptor_limit();
    const auto signals = block_signals();
    std::atomic<int> lost_code{0};
    auto node = dwcp::node::Node::start(config, [&lost_code](int code) {
        dwcp::log::error(
            "supervisor_lost",
            {{"exit_code", code}, {"remedy", "the process stops; its service manager starts it afresh"}});
        lost_code = code;
        kill(getpid(), SIGTERM);
    });
    if (!node) {
        std::fprintf(stderr, "dwcp-node: %s\n", node.error().message.c_str());
        if (!node.error().remedy.empty()) std::fprintf(stderr, "  try: %s\n", node.error().remedy.c_str());
        return kExitFailed;
    }
    const auto service = dwcp::node::ServiceManager::from_environment();
    const std::string status = "serves as " + config.name + " of cluster " + config.cluster_id;
    service.ready(status);
    const int first = wait_for_signal(signals, [&] {
        service.reloading();
        (*node)->reload();
        service.ready(status);
    });
    service.stopping("drains: finishes what is under way");
    dwcp::log::info("signal", {{"number", first}, {"action", "draining; a second signal forces the end"}});
    std::thread([signals] {
        const int second = wait_for_signal(signals, [] {});
        dwcp::log::warn("signal", {{"number", second}, {"action", "forced end"}});
        dwcp::log::shutdown();
        _exit(128 + second);
    }).detach();
    if (lost_code != 0)
        end_at_the_latest(std::chrono::milliseconds(config.drain_timeout_ms) + kLostGrace, lost_code);
    const bool drained = (*node)->drain();
    if (!drained) dwcp::log::warn("drain_incomplete", {{"remedy", "raise supervisor.drain_timeout_ms"}});
    node->reset();
    dwcp::log::shutdown();
    if (lost_code != 0) return lost_code;
    return drained ? 0 : kExitFailed;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app{"Runs one DWCP node: its actors, links and store, until SIGTERM or Ctrl-C drains it."};
    std::string path;
    std::string key;
    std::string restore;
    std::string verify;
    bool check = false;
    bool print = false;
    app.add_option("--config", path, "The node's TOML file, e.g. node_configs/site-a.toml")
        ->type_name("FILE");
    app.add_flag("--check", check, "Say everything that is wrong with the file and start nothing");
    app.add_flag("--print-config", print, "Print the effective configuration with every key explained");
    app.add_option(
           "--restore", restore,
           "Build the node's data directory from this backup and start nothing; the node must not run")
        ->type_name("BACKUP");
    app.add_option("--verify-backup", verify, "Read every byte of a backup and say what is wrong with it")
        ->type_name("BACKUP");
    app.add_option("--explain", key, "Explain one configuration key, e.g. data.streams_max")
        ->type_name("KEY");
    app.set_version_flag("--version", "dwcp-node " DWCP_VERSION);
    app.footer(
        "Exit codes: 0 drained and stopped, 1 failed, 2 wrong usage or configuration, 70 given up by its "
        "supervisor.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kExitConfig;
    }
    if (!key.empty()) {
        const auto text = dwcp::config::explain(key);
        std::fprintf(text ? stdout : stderr, "%s\n", text ? text->c_str() : text.error().render().c_str());
        return text ? 0 : kExitConfig;
    }
    if (!verify.empty()) return dwcp::node::verify_offline(verify);
    if (path.empty()) {
        if (print) {
            std::fputs(dwcp::config::print_example().c_str(), stdout);
            return 0;
        }
        std::fprintf(
            stderr,
            "dwcp-node: --config FILE is required\n  try: dwcp-node --config node_configs/site-a.toml\n");
        return kExitConfig;
    }
    const auto config = dwcp::config::load_file(path);
    if (!config) {
        for (const auto& problem : config.error().list)
            std::fprintf(stderr, "%s\n", problem.c_str());
        std::fprintf(stderr, "dwcp-node: %zu problem(s) in %s; nothing was started\n",
                     config.error().list.size(), path.c_str());
        return kExitConfig;
    }
    if (print) {
        std::fputs(dwcp::config::print_config(*config).c_str(), stdout);
        return 0;
    }
    if (check) {
        if (const auto tls = dwcp::node::load_own_tls(*config); !tls) {
            std::fprintf(stderr, "%s\n", tls.error().render().c_str());
            return kExitConfig;
        }
        std::printf("%s: ok: node %s of cluster %s, %zu peer(s)\n", path.c_str(), config->name.c_str(),
                    config->cluster_id.c_str(), config->peers.size());
        return 0;
    }
    if (!restore.empty()) return dwcp::node::restore_offline(*config, restore);
    return run(*config);
}
