#include "bench/ramp_rollback.hpp"

#include "bench/work_directory.hpp"
#include "ops/runner/cluster.hpp"
#include "ops/runner/traffic.hpp"
#include "protocols/base/random.hpp"
#include "runtime/release/plan_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace dwcp::bench {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr double kPutsPerS = 120;
constexpr std::size_t kBodies = 64;
constexpr std::uint64_t kBodyBytes = 16U << 10;
constexpr auto kStartLimit = 30s;
constexpr auto kPhaseLimit = 60s;
constexpr auto kPause = 10ms;
/// Longer than triggers look back: what spoiled one ramp must not spoil the next.
constexpr auto kForgotten = 4s;
/// Before the fault: the canary has answered so many, in the window of this ramp.
constexpr std::uint64_t kCanaryRequests = 100;

template<class T>
T need(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().render());
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

json need(const runner::Answer& answer, const char* what) {
    if (!answer.ok()) throw std::runtime_error(fmt::format("{}: {}", what, answer.describe()));
    return answer.json;
}

std::vector<config::NodeConfig> three_nodes(const std::filesystem::path& directory) {
    const std::vector<std::string> names{"site-a", "site-b", "site-c"};
    // Free ports take the place of these.
    const auto address = [](std::size_t node, int listener) {
        return fmt::format("127.0.0.1:{}", 10 * (node + 1) + static_cast<std::size_t>(listener));
    };
    std::vector<config::NodeConfig> configs;
    for (std::size_t i = 0; i < names.size(); ++i) {
        std::string text =
            fmt::format("[node]\nname = '{0}'\nsite = '{0}'\ncluster_id = 'bench'\ndata_dir = '{1}/{0}'\n"
                        "[listen]\ncontrol = '{2}'\ndata = '{3}'\nhttp = '{4}'\n"
                        "[chaos]\nenabled = true\n[log]\nlevel = 'warn'\n",
                        names[i], directory.string(), address(i, 1), address(i, 2), address(i, 3));
        for (std::size_t peer = 0; peer < names.size(); ++peer)
            if (peer != i)
                text += fmt::format("[[peers]]\nname = '{0}'\nsite = '{0}'\ncontrol = '{1}'\ndata = '{2}'\n",
                                    names[peer], address(peer, 1), address(peer, 2));
        auto config = config::load_text(text, "bench");
        if (!config) throw std::runtime_error(config.error().list.front());
        configs.push_back(std::move(*config));
    }
    runner::assign_free_ports(configs, true);
    return configs;
}

/// Half of the manager's traffic on every node, for longer than a measurement takes; triggers as the
/// product's plan has them.
std::string plan_text(const ramp::Plan& shipped) {
    ramp::Plan plan;
    plan.name = "bench-rollback";
    plan.day_ms = 600'000;
    plan.triggers = shipped.triggers;
    plan.recent_ms = 5'000;
    ramp::Criterion burn_in;
    burn_in.name = "burn-in";
    burn_in.check = ramp::Check::burn_in;
    plan.gates["never"] = {burn_in};
    ramp::Step step;
    step.name = "half";
    step.title = "manager at 50 %";
    step.targets = {{"manager", 1, 1}};
    step.stages = {{50, 1, "never"}};
    plan.steps.push_back(step);
    return release::to_toml(plan);
}

std::vector<runner::SourceFile> bodies(const std::filesystem::path& directory) {
    std::vector<runner::SourceFile> files;
    Random random(7);
    for (std::size_t i = 0; i < kBodies; ++i) {
        runner::SourceFile file{directory / fmt::format("body-{}", i), {}, 1 + random.below(kBodyBytes)};
        std::ofstream out(file.path, std::ios::binary);
        for (std::uint64_t n = 0; n < file.size_bytes; ++n)
            out.put(static_cast<char>(i % 2 == 0 ? random.next() : "text that compresses "[n % 21]));
        files.push_back(std::move(file));
    }
    return files;
}

class Drill {
  public:
    Drill(runner::Cluster& cluster, std::string plan) : cluster_(cluster), plan_(std::move(plan)) {}

    void once(const std::string& fault, RollbackFigures& figures) {
        auto host = cluster_[0].client();
        need(host.operate("/v1/ramp/start", {{"plan", plan_}, {"reason", "bench/run ramp"}}), "ramp start");
        wait_for("the canary to have traffic",
                 [&] { return canary_requests(ask("/v1/ramp")) >= kCanaryRequests; });
        const auto injected_ms = now_ms();
        for (std::size_t i = 0; i < cluster_.size(); ++i)
            need(cluster_[i].client().operate("/v1/chaos/canary", {{"system", "manager"},
                                                                   {"kind", fault},
                                                                   {"percent", 50},
                                                                   {"milliseconds", 1'500},
                                                                   {"seconds", 300},
                                                                   {"reason", "bench/run ramp"}}),
                 "chaos canary");
        wait_for("the ramp to roll back",
                 [&] { return ask("/v1/ramp").value("phase", "") == "rolled_back"; });
        for (std::size_t i = 0; i < cluster_.size(); ++i)
            need(cluster_[i].client().operate("/v1/chaos/stop", json::object()), "chaos stop");
        note(injected_ms, figures);
        mend_breakers();
        std::this_thread::sleep_for(kForgotten);
    }

  private:
    static std::int64_t now_ms() {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::system_clock::now().time_since_epoch())
            .count();
    }

    json ask(const std::string& path) { return need(cluster_[0].client().get(path), path.c_str()); }

    /// The fault has tripped those of the canary's streams, and the next canary would begin behind them.
    void mend_breakers() {
        for (std::size_t i = 0; i < cluster_.size(); ++i) {
            auto client = cluster_[i].client();
            const json all = need(client.get("/v1/breakers"), "breaker list");
            for (const auto& breaker : all.at("breakers"))
                if (breaker.value("state", 0) != 0)
                    need(client.operate("/v1/breakers/reset", {{"breaker", breaker["name"]}}),
                         "breaker reset");
        }
    }

    template<class Condition>
    void wait_for(const char* what, Condition condition) {
        if (!runner::eventually(kPhaseLimit, condition, kPause))
            throw std::runtime_error(
                fmt::format("waited in vain for {}; the ramp says {}", what, ask("/v1/ramp").dump()));
    }

    static std::uint64_t canary_requests(const json& status) {
        if (status.value("phase", "") != "soaking") return 0;
        std::uint64_t requests = 0;
        const json systems = status.value("systems", json::array());
        for (const auto& system : systems)
            for (const auto& node : system.at("nodes"))
                if (system.value("system", "") == "manager")
                    requests += node.value("canary_requests", std::uint64_t{0});
        return requests;
    }

    void note(std::int64_t injected_ms, RollbackFigures& figures) {
        std::int64_t triggered = 0, restored = 0;
        const json history = ask("/v1/ramp/history?limit=50");
        for (const auto& record : history.at("records")) {
            if (record.value("kind", "") == "rollback_begun") triggered = record["at_ms"];
            if (record.value("kind", "") == "rolled_back") restored = record["at_ms"];
        }
        std::int64_t last = 0;
        const json systems = ask("/v1/ramp").value("systems", json::array());
        for (const auto& system : systems)
            for (const auto& node : system.at("nodes"))
                last = std::max(last, node.value("canary_last_ms", std::int64_t{0}));
        figures.detected_ms.push_back(static_cast<double>(triggered - injected_ms));
        figures.restored_ms.push_back(static_cast<double>(restored - triggered));
        figures.last_canary_ms.push_back(static_cast<double>(std::max<std::int64_t>(0, last - triggered)));
    }

    runner::Cluster& cluster_;
    const std::string plan_;
};

} // namespace

RollbackFigures measure_rollbacks(std::size_t rollbacks, const std::string& fault) {
    const WorkDirectory directory("rollback");
    runner::Cluster cluster(directory.path(), three_nodes(directory.path()));
    need(cluster.start_all(kStartLimit));
    std::vector<runner::Site> sites;
    for (std::size_t i = 0; i < cluster.size(); ++i)
        sites.push_back({cluster[i].name(), cluster[i].config().http.port, cluster[i].config().data_dir});
    runner::LiveTraffic traffic(bodies(directory.path()), sites, kPutsPerS);
    traffic.start();

    const auto shipped = need(release::parse_plan(
        need(release::read_plan_text(std::string(DWCP_SOURCE_DIR) + "/node_configs/rollout.toml"))));
    RollbackFigures figures;
    Drill drill(cluster, plan_text(shipped));
    for (std::size_t i = 0; i < rollbacks; ++i)
        drill.once(fault, figures);

    traffic.stop();
    const auto totals = traffic.totals();
    const auto verdict = traffic.verify();
    figures.acknowledged = totals.acknowledged;
    figures.puts_per_s = static_cast<double>(totals.acknowledged) / totals.seconds;
    figures.keys = verdict.keys;
    figures.lost = verdict.lost + verdict.reordered + verdict.damaged;
    for (auto* list : {&figures.restored_ms, &figures.last_canary_ms, &figures.detected_ms})
        std::ranges::sort(*list);
    cluster.stop_all(10s);
    return figures;
}

} // namespace dwcp::bench
