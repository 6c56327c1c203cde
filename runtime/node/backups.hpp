// Takes and verifies backups of this node, and of the whole cluster, while it runs.
//
// A backup takes minutes, so start() and verify() only begin it; show() tells how far it is. One job at a
// time: the next one is refused until it has ended. For a cluster this node asks one node after the other,
// the lanes' sequencer first (see restore.hpp for why).
//
// Life cycle: one a node. stop() while the store and the control links still are: it ends a job that is under
// way, which then leaves nothing behind, and refuses further ones. Questions are answered until it is
// destroyed. Thread-safe.
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/backup/backup.hpp"
#include "runtime/base/events.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/metrics/metrics.hpp"
#include "runtime/store/store.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace dwcp::node {

struct BackupOptions {
    std::string data_dir;
    std::string directory;       ///< Where backups go.
    std::size_t keep = 0;        ///< Complete ones.
    std::string config_text;     ///< Kept beside the data, for people.
    NodeName sequencer;          ///< Of the lanes.
    std::vector<NodeName> nodes; ///< Of the cluster, this one included.
};

class BackupService {
  public:
    /// Runs a verb on another node.
    using AskPeer = std::function<Result<nlohmann::json>(const NodeName& node, const std::string& verb,
                                                         nlohmann::json args)>;

    BackupService(BackupOptions options, const identity::Identity& self, store::Store& store,
                  EventRing& events);
    ~BackupService();
    void stop();

    /// {"scope": "node" or "cluster"}; from a node that backs up a cluster also {"set", "cut"}. Answers with
    /// the job. Errc::precondition_failed while another job runs.
    Result<nlohmann::json> start(const nlohmann::json& args, AskPeer ask);
    Result<nlohmann::json> verify(const std::string& id);
    /// What a start() with these arguments would do.
    nlohmann::json plan(const nlohmann::json& args) const;
    /// {"directory", "backups": [...], "problems": [...], "job": {...} or null}
    Result<nlohmann::json> list() const;
    /// One backup, or the job of that name.
    Result<nlohmann::json> show(const std::string& id) const;

  private:
    struct Job {
        std::string id;
        std::string kind;  ///< "backup", "cluster backup" or "verification".
        std::string state; ///< "running", "done" or "failed".
        std::uint64_t done_bytes = 0;
        std::uint64_t total_bytes = 0;
        std::string problem{};
        nlohmann::json result{};
    };
    struct Probe {
        metrics::Gauge last = metrics::gauge("dwcp_backup_last_success_timestamp_seconds",
                                             "When the newest complete backup of this node was taken.");
        metrics::Gauge seconds =
            metrics::gauge("dwcp_backup_duration_seconds", "How long the last backup of this node took.");
        metrics::Gauge bytes = metrics::gauge("dwcp_backup_size_bytes", "Size of the last backup.");
        metrics::Counter failures = metrics::counter("dwcp_backup_failures_total", "Backups that failed.");
    };

    Result<nlohmann::json> begin(Job job, std::function<Result<nlohmann::json>()> work);
    Result<nlohmann::json> back_up_node(const std::string& id, const std::string& set,
                                        const backup::LaneEnds& cut);
    Result<nlohmann::json> back_up_cluster(const std::string& set, const AskPeer& ask);
    Result<nlohmann::json> back_up_peer(const NodeName& node, const std::string& set,
                                        const nlohmann::json& cut, const AskPeer& ask);
    Result<nlohmann::json> verify_one(const std::string& id);
    backup::Progress progress();
    nlohmann::json job_json() const; ///< With the mutex held.

    const BackupOptions options_;
    const backup::Backups backups_;
    const identity::Identity& self_;
    store::Store& store_;
    EventRing& events_;
    const Probe probe_;

    mutable std::mutex mutex_;
    std::optional<Job> job_; ///< The running one, or the last.
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

} // namespace dwcp::node
