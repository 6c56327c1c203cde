#include "runtime/node/backups.hpp"

#include "runtime/identity/guarded_file.hpp"
#include "runtime/log/log.hpp"
#include "runtime/node/admin_verbs.hpp"
#include "runtime/node/restore.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>

namespace dwcp::node {
namespace {

using nlohmann::json;

/// How often a node that backs up a cluster asks how far another one is.
constexpr milliseconds kPollEvery{200};
/// Times in a row that such a question may fail: a restart of that node takes less.
constexpr int kPollFailuresMax = 50;
constexpr std::size_t kCopyMemoryBytes = 32U << 20;

json lanes_json(const backup::LaneEnds& lanes) {
    json object = json::object();
    for (const auto& [name, end] : lanes)
        object[name] = {{"last", end.last}, {"epoch", end.epoch}};
    return object;
}

backup::LaneEnds lanes_of(const json& object) {
    backup::LaneEnds lanes;
    if (object.is_object())
        for (const auto& [name, end] : object.items())
            lanes[name] = {number_of(end, "last", 0), number_of(end, "epoch", 0)};
    return lanes;
}

json backup_json(const backup::Backup& backup) {
    return {{"id", backup.id},
            {"set", backup.set},
            {"node", backup.node},
            {"version", backup.version},
            {"created_ms", backup.created_ms},
            {"files", backup.files.size()},
            {"bytes", backup.bytes()},
            {"pause_ms", backup.pause_ms},
            {"lanes", lanes_json(backup.lanes)}};
}

std::uint64_t bytes_below(const std::string& directory) {
    std::uint64_t sum = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error))
        sum += it->file_size(error);
    return sum;
}

/// A directory that is gone again at the end.
class Temporary {
  public:
    explicit Temporary(std::string path) : path_(std::move(path)) { remove(); }
    ~Temporary() { remove(); }
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    const std::string& path() const { return path_; }

  private:
    void remove() const {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    const std::string path_;
};

} // namespace

BackupService::BackupService(BackupOptions options, const identity::Identity& self, store::Store& store,
                             EventRing& events)
    : options_(std::move(options)), backups_(options_.directory), self_(self), store_(store),
      events_(events) {
    const auto last = backups_.newest(self_.name, self_.cluster_id);
    if (last && *last) probe_.last.set(static_cast<double>((*last)->created_ms) / 1000);
}

BackupService::~BackupService() { stop(); }

void BackupService::stop() {
    std::thread job;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        job = std::move(thread_);
    }
    if (job.joinable()) job.join();
}

json BackupService::plan(const json& args) const {
    const bool cluster = args.value("scope", "node") == "cluster";
    json nodes = json::array({self_.name});
    if (cluster) nodes = options_.nodes;
    return {{"dry_run", true},
            {"scope", cluster ? "cluster" : "node"},
            {"nodes", std::move(nodes)},
            {"directory", options_.directory},
            {"bytes", store_.stats().blocks_bytes},
            {"keep", options_.keep}};
}

Result<json> BackupService::start(const json& args, AskPeer ask) {
    const std::string scope = args.value("scope", "node");
    if (scope != "node" && scope != "cluster")
        return fail(Errc::invalid_argument, "scope='" + scope + "' is neither 'node' nor 'cluster'");
    if (scope == "cluster") {
        const std::string set = backup::backup_id(unix_now_ms(), "cluster");
        return begin({set, "cluster backup", "running"},
                     [this, set, ask = std::move(ask)] { return back_up_cluster(set, ask); });
    }
    const std::string id = backups_.free_id(unix_now_ms(), self_.name);
    return begin({id, "backup", "running"},
                 [this, id, set = args.value("set", ""), cut = lanes_of(args.value("cut", json::object()))] {
                     return back_up_node(id, set, cut);
                 });
}

Result<json> BackupService::verify(const std::string& id) {
    if (auto known = backups_.find(id); !known) return std::unexpected(known.error());
    return begin({id, "verification", "running"}, [this, id] { return verify_one(id); });
}

Result<json> BackupService::begin(Job job, std::function<Result<json>()> work) {
    const std::lock_guard lock(mutex_);
    if (stopping_) return fail(Errc::unavailable, "this node is shutting down", "ask again when it is back");
    if (job_ && job_->state == "running")
        return fail(Errc::precondition_failed, fmt::format("a {} is under way: {}", job_->kind, job_->id),
                    "wait for its end: `dwcp-shell -c 'backup list'` shows how far it is");
    if (thread_.joinable()) thread_.join();
    job_ = std::move(job);
    thread_ = std::thread([this, work = std::move(work)] {
        auto result = work();
        const std::lock_guard done(mutex_);
        job_->state = result ? "done" : "failed";
        if (result) {
            job_->result = std::move(*result);
            return;
        }
        job_->problem = result.error().render();
        log::error("backup_job_failed", {{"job", job_->id}, {"kind", job_->kind}, {"why", job_->problem}});
    });
    return job_json();
}

backup::Progress BackupService::progress() {
    return [this](std::uint64_t bytes) {
        const std::lock_guard lock(mutex_);
        job_->done_bytes += bytes;
        return !stopping_;
    };
}

Result<json> BackupService::back_up_node(const std::string& id, const std::string& set,
                                         const backup::LaneEnds& cut) {
    const auto begun = std::chrono::steady_clock::now();
    const Temporary copy(options_.data_dir + "/store.checkpoint");
    const auto failed = [&](const Error& error) {
        probe_.failures.add();
        events_.record("backup_failed", id, {{"why", error.message}});
        return std::unexpected(error);
    };
    backup::Backup backup{.id = id,
                          .set = set,
                          .node = self_.name,
                          .site = self_.site,
                          .cluster = self_.cluster_id,
                          .public_key = self_.public_key().hex(),
                          .version = DWCP_VERSION,
                          .created_ms = unix_now_ms(),
                          .lanes = {},
                          .cut = cut,
                          .files = {}};
    const auto pause = store_.checkpoint(copy.path());
    if (!pause) return failed(pause.error());
    backup.pause_ms = std::chrono::duration<double, std::milli>(*pause).count();
    {
        const auto opened = store::Store::open({copy.path(), kCopyMemoryBytes, true});
        if (!opened) return failed(opened.error());
        auto ends = lane_ends(**opened);
        if (!ends) return failed(ends.error());
        backup.lanes = std::move(*ends);
    }
    {
        const std::lock_guard lock(mutex_);
        job_->total_bytes = bytes_below(copy.path());
    }
    const Temporary config(options_.data_dir + "/config.backup.toml");
    if (auto written = identity::write_guarded(config.path(), options_.config_text); !written)
        return failed(written.error());
    backup::Source source{copy.path(), {{"config.toml", config.path()}}};
    for (const char* name : {"node.id", "node.key", "known_peers", "operator.token"})
        source.files[name] = options_.data_dir + "/" + name;
    auto made = backups_.create(std::move(backup), source, progress());
    if (!made) return failed(made.error());
    if (const auto pruned = backups_.prune(options_.keep, self_.name, self_.cluster_id); !pruned)
        log::warn("backups_not_pruned", {{"why", pruned.error().message}});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    probe_.last.set(static_cast<double>(made->created_ms) / 1000);
    probe_.seconds.set(seconds);
    probe_.bytes.set(static_cast<double>(made->bytes()));
    events_.record("backup_taken", id,
                   {{"bytes", std::to_string(made->bytes())},
                    {"seconds", fmt::format("{:.3f}", seconds)},
                    {"pause_ms", fmt::format("{:.1f}", made->pause_ms)}});
    json result = backup_json(*made);
    result["seconds"] = seconds;
    return result;
}

Result<json> BackupService::back_up_peer(const NodeName& node, const std::string& set, const json& cut,
                                         const AskPeer& ask) {
    const auto begun = ask(node, "backup.now", {{"scope", "node"}, {"set", set}, {"cut", cut}});
    if (!begun) return begun;
    const std::string id = begun->value("id", "");
    int failures = 0;
    for (;;) {
        if (stopping_) return fail(Errc::cancelled, "this node is shutting down");
        std::this_thread::sleep_for(kPollEvery);
        const auto shown = ask(node, "backup.show", {{"path", id}});
        if (!shown && ++failures > kPollFailuresMax) return shown;
        if (!shown) continue;
        failures = 0;
        const std::string state = shown->value("state", "done");
        if (state == "running") continue;
        if (state == "done") return shown->value("result", *shown);
        return fail(Errc::unavailable, fmt::format("{}: {}", node, shown->value("problem", "failed")));
    }
}

Result<json> BackupService::back_up_cluster(const std::string& set, const AskPeer& ask) {
    std::vector<NodeName> order{options_.sequencer};
    for (const NodeName& node : options_.nodes)
        if (node != options_.sequencer) order.push_back(node);
    json cut = json::object();
    json nodes = json::array();
    for (const NodeName& node : order) {
        auto one = node == self_.name
                       ? back_up_node(backups_.free_id(unix_now_ms(), self_.name), set, lanes_of(cut))
                       : back_up_peer(node, set, cut, ask);
        if (!one) {
            one.error().message = fmt::format("the backup {} is incomplete: {}", set, one.error().message);
            return one;
        }
        if (node == options_.sequencer) cut = one->value("lanes", json::object());
        nodes.push_back(std::move(*one));
    }
    events_.record("cluster_backup_taken", set, {{"nodes", std::to_string(nodes.size())}});
    return json{{"set", set}, {"nodes", std::move(nodes)}};
}

Result<json> BackupService::verify_one(const std::string& id) {
    const auto backup = backups_.find(id);
    if (!backup) return std::unexpected(backup.error());
    {
        const std::lock_guard lock(mutex_);
        job_->total_bytes = 2 * backup->bytes(); // the files, then what is in them
    }
    const auto found = verify_backup(backups_.path_of(id), progress());
    if (!found) return std::unexpected(found.error());
    events_.record(found->problems.empty() ? "backup_verified" : "backup_damaged", id,
                   {{"objects", std::to_string(found->objects)},
                    {"blocks", std::to_string(found->blocks)},
                    {"problems", std::to_string(found->problems.size())}});
    return json{{"id", id},
                {"ok", found->problems.empty()},
                {"files", found->files},
                {"objects", found->objects},
                {"blocks", found->blocks},
                {"problems", found->problems}};
}

json BackupService::job_json() const {
    return {{"id", job_->id},
            {"kind", job_->kind},
            {"state", job_->state},
            {"done_bytes", job_->done_bytes},
            {"total_bytes", job_->total_bytes},
            {"problem", job_->problem},
            {"result", job_->result}};
}

Result<json> BackupService::list() const {
    std::vector<std::string> problems;
    const auto found = backups_.list(&problems);
    if (!found) return std::unexpected(found.error());
    json list = json::array();
    for (const auto& backup : *found)
        list.push_back(backup_json(backup));
    const std::lock_guard lock(mutex_);
    return json{{"directory", options_.directory},
                {"backups", std::move(list)},
                {"problems", problems},
                {"job", job_ ? job_json() : json()}};
}

Result<json> BackupService::show(const std::string& id) const {
    {
        const std::lock_guard lock(mutex_);
        if (job_ && job_->id == id) return job_json();
    }
    const auto backup = backups_.find(id);
    if (!backup) return std::unexpected(backup.error());
    return backup_json(*backup);
}

} // namespace dwcp::node
