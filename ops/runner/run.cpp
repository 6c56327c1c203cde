#include "ops/runner/run.hpp"

#include "ops/runner/progress.hpp"
#include "ops/runner/report.hpp"
#include "ops/runner/rollout.hpp"

#include <fmt/format.h>

#include <fstream>
#include <thread>
#include <unistd.h>

namespace dwcp::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kClients = 12;
constexpr auto kStartLimit = std::chrono::seconds(30);
constexpr auto kDrainGrace = std::chrono::seconds(12); ///< A little more than a node's own drain timeout.
constexpr auto kInterruptGrace = std::chrono::seconds(3);
constexpr auto kLoopPause = std::chrono::milliseconds(20);
constexpr std::uint64_t kSpareBytes = 1'000'000'000;
/// A third of what two busy cores can take: the judge is to see the canary, not the machine's limits.
constexpr double kLivePutsPerS = 200;
constexpr auto kRolloutPause = std::chrono::milliseconds(100);
constexpr std::size_t kKilledNode = 2; ///< site-c: it receives no file of the shipment itself.

/// RUN/NAME, made fresh. Removed at the end, or all but the logs, or left as it is.
class RunDirectory {
  public:
    enum class AtEnd { remove, keep_logs, keep };

    static Result<RunDirectory> make(const fs::path& parent) {
        std::error_code error;
        fs::create_directories(parent, error);
        std::string path = (parent / "run-XXXXXX").string();
        if (error || mkdtemp(path.data()) == nullptr)
            return fail(Errc::io_error, fmt::format("cannot make a directory in {}", parent.string()),
                        "make it writable");
        return RunDirectory(path);
    }
    RunDirectory(RunDirectory&& other) noexcept
        : path_(std::exchange(other.path_, {})), at_end_(other.at_end_) {}
    ~RunDirectory() {
        std::error_code error;
        if (path_.empty() || at_end_ == AtEnd::keep) return;
        if (at_end_ == AtEnd::remove)
            fs::remove_all(path_, error);
        else
            for (const auto& entry : fs::directory_iterator(path_, error))
                if (entry.is_directory()) fs::remove_all(entry.path(), error);
        fs::remove(path_.parent_path(), error); // only if it is empty
    }

    const fs::path& path() const { return path_; }
    void at_end(AtEnd what) { at_end_ = what; }

  private:
    explicit RunDirectory(fs::path path) : path_(std::move(path)) {}
    fs::path path_;
    AtEnd at_end_ = AtEnd::remove;
};

Result<std::vector<config::NodeConfig>> site_configs(const fs::path& repository,
                                                     const fs::path& run_directory) {
    std::vector<config::NodeConfig> configs;
    for (const char* name : {"site-a", "site-b", "site-c"}) {
        const fs::path file = repository / "node_configs" / (std::string(name) + ".toml");
        auto config = config::load_file(file.string());
        if (!config) {
            std::string problems;
            for (const auto& problem : config.error().list)
                problems += "\n  " + problem;
            return fail(Errc::invalid_argument, file.string() + " is not right:" + problems);
        }
        config->data_dir = run_directory / name;
        config->chaos = true;     // the ramp exercises node failures, and --inject spoils its canary
        config->log_file.clear(); // standard error, which goes to the log file of the run
        configs.push_back(std::move(*config));
    }
    return configs;
}

std::uint64_t restarts_of(Node& node) {
    std::uint64_t restarts = 0;
    const Answer tree = node.client().get("/v1/tree");
    for (const auto& actor : tree.json.value("actors", nlohmann::json::array()))
        restarts += actor.value("restarts", std::uint64_t{0});
    return restarts;
}

class Course {
  public:
    Course(const RunOptions& options, RunDirectory& directory, Collection collection,
           std::vector<config::NodeConfig> configs)
        : options_(options), directory_(directory), collection_(std::move(collection)),
          cluster_(directory.path(), std::move(configs), options.keep) {}

    Result<bool> execute() {
        auto done = start();
        if (done) done = ship();
        if (done) done = read_back();
        if (done) done = roll_out();
        if (!done) {
            if (shipment_) shipment_->cancel();
            cluster_.stop_all(kInterruptGrace);
            if (!interrupted) keep_logs();
            return std::unexpected(done.error());
        }
        gather();
        const bool held = conclude();
        if (options_.keep)
            leave_running();
        else {
            display_.say("stopping the sites");
            cluster_.stop_all(kDrainGrace);
            if (!held) keep_logs();
        }
        return held;
    }

  private:
    Result<void> start() {
        display_.say(fmt::format("{} files, {:.1f} MB: {}", collection_.files.size(),
                                 static_cast<double>(collection_.bytes) / 1e6, source()));
        display_.say(fmt::format("starting three sites in {}", directory_.path().string()));
        if (auto started = cluster_.start_all(kStartLimit); !started) return check_interrupt(started);
        for (std::size_t i = 0; i < cluster_.size(); ++i) {
            const auto& config = cluster_[i].config();
            sites_.push_back({config.name, config.http.port, config.data_dir});
            report_.sites.push_back(config.name);
            display_.say(fmt::format("{} is ready at http://127.0.0.1:{} after {:.0f} ms", config.name,
                                     config.http.port, cluster_[i].ready_ms()));
        }
        start_ms_ = {cluster_[0].ready_ms(), cluster_[1].ready_ms(), cluster_[2].ready_ms()};
        shipment_ = std::make_unique<Shipment>(collection_.files, sites_, kClients);
        return {};
    }

    void begin(const char* phase) {
        display_.begin(phase, collection_.files.size(), collection_.bytes,
                       [this] { return shipment_->progress(); });
    }

    Result<void> ship() {
        NodeClient client = cluster_[0].client();
        std::vector<std::string> victims = actors_to_kill(client);
        victims.insert(victims.begin() + static_cast<std::ptrdiff_t>(victims.size() / 2),
                       ""); // the node, mid-way
        begin("shipping");
        shipment_->start_put();
        std::size_t next = 0;
        while (!shipment_->finished() || next < victims.size()) {
            const Progress now = shipment_->progress();
            const double due = static_cast<double>(next + 1) / static_cast<double>(victims.size() + 1);
            const double part = static_cast<double>(now.bytes) /
                                static_cast<double>(std::max<std::uint64_t>(collection_.bytes, 1));
            if (next < victims.size() && (part >= due || shipment_->finished())) cause(victims[next++]);
            if (auto well = look_after(); !well) return well;
        }
        report_.put = shipment_->progress();
        report_.put_seconds = display_.end();
        return {};
    }

    Result<void> read_back() {
        begin("reading");
        shipment_->start_read_back();
        while (!shipment_->finished())
            if (auto well = look_after(); !well) return well;
        const Progress both = shipment_->progress();
        report_.get_seconds = display_.end();
        report_.get = {both.files, both.bytes, both.refusals - report_.put.refusals,
                       both.broken_connections - report_.put.broken_connections};
        return {};
    }

    Result<void> roll_out() {
        Rollout rollout(cluster_, display_, {options_.repository, options_.day, options_.inject});
        LiveTraffic traffic(collection_.files, sites_, kLivePutsPerS);
        traffic.start();
        display_.say(fmt::format("starting the rollout plan, a day in {}, under {:.0f} puts a second",
                                 options_.day, kLivePutsPerS));
        display_.begin([&] {
            return fmt::format("{}  {} puts acknowledged", rollout.where(), traffic.totals().acknowledged);
        });
        auto ended = follow(rollout);
        display_.end();
        if (!ended) return ended;
        report_.rollout = rollout.finish(traffic);
        return {};
    }

    Result<void> follow(Rollout& rollout) {
        if (auto started = rollout.start(); !started) return started;
        for (;;) {
            if (auto interrupt = check_interrupt({}); !interrupt) return interrupt;
            const auto goes_on = rollout.look();
            if (!goes_on) return std::unexpected(goes_on.error());
            if (!*goes_on) return {};
            std::this_thread::sleep_for(kRolloutPause);
        }
    }

    /// An error when the run was interrupted or a node ended that nobody killed.
    Result<void> look_after() {
        for (std::size_t i = 0; i < cluster_.size(); ++i)
            if (Node& node = cluster_[i]; !node.process().running() && !interrupted)
                return node.wait_ready({}); // says how it ended, with its log
        std::this_thread::sleep_for(kLoopPause);
        return check_interrupt({});
    }

    static Result<void> check_interrupt(Result<void> otherwise) {
        if (interrupted) return fail(Errc::cancelled, "interrupted");
        return otherwise;
    }

    /// An incident: the named actor of the first site dies; "": a whole node.
    void cause(const std::string& victim) {
        if (!victim.empty()) {
            display_.set_event("killing " + victim);
            const ActorKill kill = kill_actor(cluster_[0], victim);
            display_.say(kill.back ? fmt::format("killed {}: back in {:.0f} ms, served in {:.0f} ms", victim,
                                                 kill.back_ms, kill.serve_ms)
                                   : fmt::format("killed {}: {}", victim, kill.problem));
            report_.actor_kills.push_back(kill);
        } else {
            Node& node = cluster_[kKilledNode];
            display_.say(fmt::format("killing {} with SIGKILL, with workloads under way", node.name()));
            display_.set_event("killing and restarting " + node.name());
            report_.restarts_before_node_kill = restarts_of(node);
            const NodeKill kill = kill_node(cluster_, kKilledNode);
            display_.say(
                kill.problem.empty()
                    ? fmt::format(
                          "started {} again: ready in {:.0f} ms, its {} workloads decided in {:.0f} ms",
                          node.name(), kill.ready_ms, kill.workloads, kill.decided_ms)
                    : kill.problem);
            report_.node_kill = kill;
        }
        display_.set_event("");
    }

    void gather() {
        report_.source = source();
        report_.collection = &collection_;
        report_.outcomes = &shipment_->outcomes();
        report_.codecs = shipment_->codecs();
        for (std::size_t i = 0; i < cluster_.size(); ++i) {
            Node& node = cluster_[i];
            NodeClient client = node.client();
            const Answer status = client.get("/v1/status");
            NodeEnd end{.name = node.name()};
            end.ready = client.get("/ready").ok();
            end.connected = node.sees_all_peers();
            end.restarts = restarts_of(node);
            end.corruptions =
                status.json.value("store", nlohmann::json::object()).value("corruptions", std::uint64_t{0});
            end.resident_peak_bytes = node.process().resident_peak_bytes();
            end.start_ms = start_ms_[i];
            report_.nodes.push_back(std::move(end));
        }
    }

    bool conclude() {
        const std::vector<Check> checks = judge(report_);
        fmt::print("{}", to_text(report_, checks));
        std::fflush(stdout);
        if (!options_.json) return all_held(checks);
        std::ofstream file(*options_.json);
        file << to_json(report_, checks).dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
             << "\n";
        file.close();
        if (!file)
            fmt::print(stderr, "run: the report could not be written to {}\n", options_.json->string());
        return file && all_held(checks);
    }

    void keep_logs() {
        directory_.at_end(RunDirectory::AtEnd::keep_logs);
        display_.say(fmt::format("the logs stay in {}", directory_.path().string()));
    }

    void leave_running() {
        directory_.at_end(RunDirectory::AtEnd::keep);
        std::string pids;
        for (std::size_t i = 0; i < cluster_.size(); ++i)
            pids += fmt::format(" {}", cluster_[i].process().pid());
        const fs::path stop = directory_.path() / "stop";
        std::ofstream(stop) << fmt::format("#!/bin/sh\nkill{0}\nfor pid in{0}; do\n"
                                           "    while kill -0 $pid 2>/dev/null; do sleep 0.1; done\n"
                                           "done\nrm -r '{1}'\n",
                                           pids, directory_.path().string());
        fs::permissions(stop, fs::perms::owner_all);
        fmt::print("\nThe three sites keep running. Try:\n"
                   "  {0} --config {1} -c status\n"
                   "  {0} --config {1} -c 'actor kill manager/0 --yes'\n"
                   "  {0} --config {1} -c tree\n"
                   "  curl -T README.md http://127.0.0.1:{2}/v1/objects/readme\n"
                   "  curl http://127.0.0.1:{3}/v1/objects/readme\n"
                   "  curl 'http://127.0.0.1:{2}/v1/objects?limit=5'\n"
                   "Logs and data are in {4}. Stop the sites and remove that with:\n"
                   "  {4}/stop\n",
                   program_path("dwcp-shell").string(), cluster_[0].config_file().string(),
                   cluster_[0].config().http.port, cluster_[kKilledNode].config().http.port,
                   directory_.path().string());
        cluster_.leave_running();
    }

    std::string source() const {
        return options_.directory ? options_.directory->string() : "this repository and parts of /usr";
    }

    const RunOptions& options_;
    RunDirectory& directory_;
    Collection collection_;
    Cluster cluster_;
    std::vector<Site> sites_;
    std::unique_ptr<Shipment> shipment_; // ends before the cluster it talks to
    std::vector<double> start_ms_;
    Report report_;
    ProgressDisplay display_; // last: it shows the shipment
};

Result<void> check_disk(const fs::path& directory, std::uint64_t bytes) {
    std::error_code error;
    const auto space = fs::space(directory, error);
    const std::uint64_t wanted = 3 * bytes + kSpareBytes; // two replicas, and the store's own needs
    if (error || space.available >= wanted) return {};
    return fail(Errc::resource_exhausted,
                fmt::format("{} has {:.1f} GB free, this run may take {:.1f} GB", directory.string(),
                            static_cast<double>(space.available) / 1e9, static_cast<double>(wanted) / 1e9),
                "free some disk, or name a smaller directory");
}

} // namespace

Result<bool> run(const RunOptions& options) {
    auto directory = RunDirectory::make(options.repository / "run");
    if (!directory) return std::unexpected(directory.error());
    const std::vector<fs::path> except{options.repository / "run", options.repository / "build"};
    Result<Collection> collection = options.directory ? collect_directory(*options.directory, except)
                                                      : collect_default(options.repository, except);
    if (!collection) return std::unexpected(collection.error());
    if (auto space = check_disk(directory->path(), collection->bytes); !space)
        return std::unexpected(space.error());
    auto configs = site_configs(options.repository, directory->path());
    if (!configs) return std::unexpected(configs.error());
    for (const auto& change : assign_free_ports(*configs, false))
        fmt::print(stderr, "port taken, using another: {}\n", change);
    return Course(options, *directory, std::move(*collection), std::move(*configs)).execute();
}

} // namespace dwcp::runner
