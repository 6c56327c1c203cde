#include "runtime/node/node.hpp"

#include "actors/allocator/allocator_actor.hpp"
#include "actors/consensus/messages.hpp"
#include "actors/consensus/transactions.hpp"
#include "actors/gateway/actor_backend_actor.hpp"
#include "actors/gateway/event_feed.hpp"
#include "actors/gateway/load_governor.hpp"
#include "actors/gateway/routes.hpp"
#include "actors/manager/journal.hpp"
#include "actors/manager/metadata.hpp"
#include "actors/supervisor/supervisor_actor.hpp"
#include "protocols/crypto/ed25519.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/caf/system.hpp"
#include "runtime/chaos/ballast.hpp"
#include "runtime/http/http_server.hpp"
#include "runtime/identity/identity.hpp"
#include "runtime/identity/operator_token.hpp"
#include "runtime/log/log.hpp"
#include "runtime/node/admin.hpp"
#include "runtime/node/admin_backup.hpp"
#include "runtime/node/admin_ramp.hpp"
#include "runtime/node/admin_trace.hpp"
#include "runtime/node/backups.hpp"
#include "runtime/node/breaker_settings.hpp"
#include "runtime/node/deep_checks.hpp"
#include "runtime/node/health.hpp"
#include "runtime/node/health_watch.hpp"
#include "runtime/node/live_config.hpp"
#include "runtime/node/node_metrics.hpp"
#include "runtime/node/own_tls.hpp"
#include "runtime/node/ramp_node.hpp"
#include "runtime/node/releases.hpp"
#include "runtime/node/restore.hpp"
#include "runtime/node/service_manager.hpp"
#include "runtime/node/tree.hpp"
#include "runtime/node/watchdog.hpp"
#include "runtime/tls/certificate_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sys/resource.h>

namespace dwcp::node {
namespace {

/// Of the store; it also keeps as much of the disk in reserve.
constexpr std::uint64_t kStoreMemoryBytes = 256U << 20;
/// Waiting disk work of a node; each item is at most a block.
constexpr std::size_t kDiskQueueMax = 4096;
/// Waits on fsync mostly, so more than cores.
constexpr std::size_t kDiskThreads = 4;
constexpr std::size_t kCodecQueueMax = 256;
/// A lane whose actor has not answered by then counts as not available.
constexpr Duration kLaneAnswerLimit = std::chrono::seconds(1);
constexpr Duration kSweepEvery = std::chrono::hours(1);
/// Looking for blocks whose readers' grace is over.
constexpr Duration kCollectEvery = std::chrono::seconds(10);

/// Descriptors that the store, the links and the actor system may need at once, whatever clients do.
constexpr rlim_t kOwnDescriptors = 1024;
constexpr std::size_t kHttpConnectionsMax = 1024;
constexpr std::size_t kHttpConnectionsMin = 64;

/// Clients may take half of what the node itself can spare, so that they can never starve its disk.
std::size_t http_connections_max() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= kOwnDescriptors)
        return kHttpConnectionsMin;
    const auto spare = static_cast<std::size_t>(limit.rlim_cur - kOwnDescriptors);
    return std::clamp(spare / 2, kHttpConnectionsMin, kHttpConnectionsMax);
}

Duration ms(std::uint32_t value) { return std::chrono::milliseconds(value); }

/// A Result<T> that must hold: the Error leaves the builder.
template<class T>
T need(Result<T> result) {
    if (!result) throw result.error();
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class RunningNode final : public Node {
  public:
    RunningNode(const config::NodeConfig& config, std::function<void(int)> on_lost)
        : config_(config), on_lost_(std::move(on_lost)) {}
    ~RunningNode() override { end(); }

    void open_state();
    void join_links();
    void grow_tree();
    void listen();
    void watch_itself();
    void watch_deeply();
    bool drain() override;
    void reload() override;

  private:
    void end();
    TreeServices tree_services();
    std::unique_ptr<BackupService> backups();
    std::unique_ptr<gateway::LoadGovernor> governor();
    void hold_sweeps_after_restore();
    wire::NodeSpace own_space() const;
    void tell_about_peer(const links::PeerState& peer);
    void serve_peers();

    const config::NodeConfig config_;
    const std::function<void(int)> on_lost_;
    LiveConfig live_{config_};
    const std::shared_ptr<std::atomic<bool>> draining_ = std::make_shared<std::atomic<bool>>(false);
    const std::shared_ptr<std::atomic<bool>> told_to_end_ = std::make_shared<std::atomic<bool>>(false);

    // In the order of dependence; destroyed in reverse.
    EventRing events_;
    Deadlines deadlines_;
    chaos::LinkFaults link_faults_{static_cast<std::uint64_t>(unix_now_ms())};
    chaos::CanaryFaults canary_faults_{static_cast<std::uint64_t>(unix_now_ms())};
    chaos::Faults faults_{deadlines_, events_};
    resilience::Breakers breakers_{breaker_settings(config_), events_};
    identity::Identity identity_;
    std::string operator_token_;
    std::shared_ptr<tls::Context> tls_; ///< Null: plain text, on loopback only.
    std::unique_ptr<tls::CertificateWatch> certificates_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<audit::AuditLog> audit_;
    std::unique_ptr<identity::TrustStore> trust_;
    std::unique_ptr<manager::BlockKeeper> keeper_;
    std::unique_ptr<manager::Metadata> metadata_;
    std::unique_ptr<consensus::Transactions> transactions_;
    std::unique_ptr<release::ReleaseRegistry> releases_;
    manager::OpenUploads uploads_;
    supervisor::TreeMemory tree_{restart_budget(config_)};
    actor::Resolver resolver_;
    std::unique_ptr<actor::System> system_;
    std::unique_ptr<links::DataPlane> data_;
    std::shared_ptr<const void> withdrawals_; ///< Keeps the data links told of them.
    std::unique_ptr<links::ControlLinks> control_;
    std::unique_ptr<WorkerPool> disk_;
    std::unique_ptr<WorkerPool> codecs_;
    std::shared_ptr<const supervisor::Plan> plan_;
    caf::actor supervisor_;
    std::unique_ptr<Health> health_;
    std::unique_ptr<BackupService> backups_;
    std::unique_ptr<RampNode> ramp_;
    std::unique_ptr<Admin> admin_;
    std::unique_ptr<gateway::LoadGovernor> governor_;
    std::unique_ptr<gateway::ActorBackend> backend_;
    std::unique_ptr<gateway::EventFeed> events_feed_;
    std::unique_ptr<http::HttpServer> http_;
    std::unique_ptr<NodeMetrics> metrics_;
    std::unique_ptr<DeepChecks> deep_checks_;
    std::unique_ptr<DeepHealth> deep_health_;
    std::unique_ptr<HealthWatch> health_watch_;
    std::unique_ptr<Watchdog> watchdog_;

    std::optional<Repeater> sweeper_;
};

// --- state

void RunningNode::open_state() {
    std::error_code failed;
    std::filesystem::create_directories(config_.data_dir, failed);
    if (failed) {
        throw Error{Errc::io_error, "data directory " + config_.data_dir + ": " + failed.message(),
                    "choose another node.data_dir or create it for this user"};
    }
    identity_ =
        need(identity::load_or_create(config_.data_dir, config_.name, config_.site, config_.cluster_id));
    operator_token_ = need(identity::load_or_create_operator_token(config_.data_dir));
    log::configure(
        {config_.log_level, config_.log_format, config_.log_file, config_.name, identity_.incarnation});
    log::info("node_starting", {{"version", DWCP_VERSION}, {"public_key", identity_.public_key().hex()}});
    tls_ = need(load_own_tls(config_));
    if (tls_) certificates_ = std::make_unique<tls::CertificateWatch>(tls_, tls_files(config_), events_);
    chaos::remove_ballast(config_.data_dir);
    store_ = need(store::Store::open({config_.data_dir + "/store", kStoreMemoryBytes}));
    audit_ = need(audit::AuditLog::open(*store_, config_.name));
    keeper_ = std::make_unique<manager::BlockKeeper>(config_.name, *store_, events_);
    metadata_ = std::make_unique<manager::Metadata>(config_.name, *store_, *keeper_);
    transactions_ = std::make_unique<consensus::Transactions>(*store_);
    releases_ = std::make_unique<release::ReleaseRegistry>(config_.name, events_);
    add_releases(*releases_, config_);
    // Unfinished workloads pin their blocks before the first sweep may look at them.
    need(manager::Journal(*store_).recover([](const std::string&) { return true; }, *keeper_));
    std::map<NodeName, std::string> keys;
    for (const auto& peer : config_.peers)
        keys[peer.name] = peer.public_key;
    trust_ = need(identity::TrustStore::open(config_.data_dir, keys));
    hold_sweeps_after_restore();
    disk_ = std::make_unique<WorkerPool>("disk", kDiskThreads, kDiskQueueMax);
    codecs_ = std::make_unique<WorkerPool>("codec", config_.worker_threads, kCodecQueueMax);
    TimePoint next_sweep{}; // at once: an earlier life may have left something
    sweeper_.emplace("sweeper", kCollectEvery, [this, next_sweep]() mutable {
        const auto now = std::chrono::steady_clock::now();
        if (now >= next_sweep) {
            keeper_->sweep();
            next_sweep = now + kSweepEvery;
        }
        keeper_->collect_due();
        if (certificates_) certificates_->look(unix_now_ms());
    });
}

void RunningNode::reload() {
    if (!certificates_) return;
    if (const auto reloaded = certificates_->reload(); reloaded && !*reloaded) log::info("tls_unchanged");
}

/// In a restored store nobody knows which blocks are needed before the lanes have been replayed.
void RunningNode::hold_sweeps_after_restore() {
    const auto until = need(store_->get(store::Family::state, kReplayKey));
    if (!until) return;
    if (metadata_->last_applied() >= std::strtoull(std::string(as_text(*until)).c_str(), nullptr, 10)) {
        store::Batch batch;
        batch.erase(store::Family::state, kReplayKey);
        need(store_->write(batch, store::Sync::yes));
        return;
    }
    keeper_->hold_sweeps();
    log::info("sweeps_held", {{"why", "the lanes of a restored store are replayed first"}});
}

// --- links

void RunningNode::join_links() {
    system_ = std::make_unique<actor::System>(
        actor::SystemOptions{.heartbeat_interval_ms = config_.heartbeat_interval_ms,
                             .heartbeat_timeout_ms = config_.heartbeat_timeout_ms});
    links::DataPlaneOptions data;
    data.faults = &link_faults_;
    data.canary_faults = &canary_faults_;
    data.pools = {links::Pool::one_stream, links::Pool::multi_stream};
    data.breakers = &breakers_;
    data.listen_host = config_.data.host;
    data.listen_port = config_.data.port;
    data.streams_min = config_.streams_min;
    data.streams_max = config_.streams_max;
    data.stream_credit_blocks = config_.stream_credit_blocks;
    data.worker_threads = config_.worker_threads;
    data.connect_timeout_ms = config_.connect_timeout_ms;
    data.reconnect_min_ms = config_.reconnect_min_ms;
    data.reconnect_max_ms = config_.reconnect_max_ms;
    data.tls = tls_;
    data_ = need(links::DataPlane::start(data, identity_, *trust_, *keeper_, events_));
    std::vector<links::ControlPeer> peers;
    for (const auto& peer : config_.peers) {
        data_->add_peer({peer.name, peer.data.host, peer.data.port,
                         peer.congestion.empty() ? config_.congestion : peer.congestion});
        peers.push_back({peer.name, peer.site, peer.control.host, peer.control.port});
    }
    withdrawals_ = join_releases(*releases_, *data_);
    links::ControlOptions control;
    control.faults = &link_faults_;
    control.breakers = &breakers_;
    control.listen_host = config_.control.host;
    control.listen_port = config_.control.port;
    control.heartbeat_interval_ms = config_.heartbeat_interval_ms;
    control.heartbeat_timeout_ms = config_.heartbeat_timeout_ms;
    control.connect_timeout_ms = config_.connect_timeout_ms;
    control.reconnect_min_ms = config_.reconnect_min_ms;
    control.reconnect_max_ms = config_.reconnect_max_ms;
    control.tls = tls_;
    control_ =
        need(links::ControlLinks::start(control, peers, *system_, resolver_, identity_, *trust_, events_));
}

void RunningNode::tell_about_peer(const links::PeerState& peer) {
    for (const auto& path : paths_told_of_peers(config_)) {
        if (const auto live = resolver_.find(path)) {
            caf::anon_send(live->handle, actor::Local<consensus::PeerChanged>(consensus::PeerChanged{peer}));
        }
    }
}

void RunningNode::serve_peers() {
    control_->watch([this](const links::PeerState& peer) { tell_about_peer(peer); });
    control_->serve_function(allocator::kSpaceService, [this](const links::PeerRequest&) -> Result<Bytes> {
        return wire::encode(own_space());
    });
    control_->serve_function(gateway::kCommittedService, [this](const links::PeerRequest&) -> Result<Bytes> {
        const auto committed = gateway::committed_index(*system_, resolver_);
        if (!committed) return std::unexpected(committed.error());
        return to_bytes(std::to_string(*committed));
    });
    control_->serve_function(kTraceService, [self = config_.name](const links::PeerRequest& request) {
        return serve_spans(self, request);
    });
    ramp_->serve(*control_);
    control_->serve_function(kAdminService,
                             [this](const links::PeerRequest& request) { return admin_->serve(request); });
}

// --- actors

wire::NodeSpace RunningNode::own_space() const {
    const auto stats = store_->stats();
    // The disk may hold less than the configuration promises; what the store keeps in reserve is not for
    // blocks.
    const auto free = stats.disk_free_bytes - std::min(stats.disk_free_bytes, kStoreMemoryBytes);
    return {std::min<std::uint64_t>(config_.capacity_bytes, stats.blocks_bytes + free), stats.blocks_bytes,
            *draining_};
}

TreeServices RunningNode::tree_services() {
    return {.config = config_,
            .live = live_,
            .system = *system_,
            .events = events_,
            .store = *store_,
            .data = *data_,
            .control = *control_,
            .disk = *disk_,
            .codecs = *codecs_,
            .keeper = *keeper_,
            .metadata = *metadata_,
            .uploads = uploads_,
            .transactions = *transactions_,
            .ramp = *ramp_,
            .releases = *releases_,
            .canary_faults = canary_faults_,
            .own_space = [this] { return own_space(); },
            .draining = draining_};
}

std::unique_ptr<BackupService> RunningNode::backups() {
    BackupOptions options;
    options.data_dir = config_.data_dir;
    options.directory =
        config_.backup_directory.empty() ? config_.data_dir + "/backups" : config_.backup_directory;
    options.keep = config_.backup_keep;
    options.config_text = config::print_config(config_);
    options.sequencer = sequencer_of(config_);
    options.nodes = members_of(config_);
    return std::make_unique<BackupService>(std::move(options), identity_, *store_, events_);
}

std::unique_ptr<gateway::LoadGovernor> RunningNode::governor() {
    gateway::GovernorOptions options;
    options.node = config_.name;
    options.objectives = [this] {
        const auto config = live_.get();
        health::Objectives objectives;
        objectives.failures_per_million = config->failures_per_million;
        objectives.latency = ms(config->latency_ms);
        objectives.window = std::chrono::seconds(config->window_s);
        objectives.hold = objectives.window / 4;
        objectives.requests_min = config->health_requests_min;
        return objectives;
    };
    options.draining = [draining = draining_] { return draining->load(); };
    return std::make_unique<gateway::LoadGovernor>(std::move(options), events_);
}

void RunningNode::grow_tree() {
    live_.on_change(
        [this](const config::NodeConfig& config) { breakers_.change_settings(breaker_settings(config)); });
    live_.on_change([before = config_.log_level](const config::NodeConfig& config) mutable {
        // Only a change of the file's: a level that an operator set for a time stays else.
        if (std::exchange(before, config.log_level) != config.log_level) log::set_level(config.log_level);
    });
    backups_ = backups();
    health_ = std::make_unique<Health>(*system_, resolver_, tree_.board, *store_, *control_);
    ramp_ = std::make_unique<RampNode>(
        RampNodeServices{config_,
                         identity_,
                         *store_,
                         events_,
                         *releases_,
                         {config_, *system_, resolver_, *backups_, events_,
                          [this](const supervisor::ActorCommand& command) {
                              return command_actor(admin_->services(), command);
                          }},
                         [this] { return nlohmann::json(config::print_config(*live_.get())); }});
    governor_ = governor();
    health_->show_degradation([this] { return governor_->view(); });
    admin_ = std::make_unique<Admin>(AdminServices{identity_,
                                                   *system_,
                                                   resolver_,
                                                   tree_.board,
                                                   events_,
                                                   *store_,
                                                   *control_,
                                                   *data_,
                                                   *health_,
                                                   *audit_,
                                                   live_,
                                                   deadlines_,
                                                   faults_,
                                                   link_faults_,
                                                   canary_faults_,
                                                   *releases_,
                                                   breakers_,
                                                   ramp_->kill_points(),
                                                   draining_,
                                                   told_to_end_,
                                                   config_.manager_instances,
                                                   config_.control.text(),
                                                   std::chrono::steady_clock::now(),
                                                   tls_,
                                                   kStoreMemoryBytes});
    add_backup_verbs(*admin_, *backups_);
    add_ramp_verbs(*admin_, *ramp_);
    actor::ActorContext context{.path = "supervisor", .resolver = &resolver_};
    const auto stats = context.stats;
    plan_ = plan_tree(tree_services());
    supervisor_ = supervisor::spawn_supervisor(*system_, std::move(context), plan_, tree_, events_, on_lost_);
    resolver_.publish("supervisor", supervisor_, stats, std::chrono::steady_clock::now());
    serve_peers();
}

// --- clients

void RunningNode::listen() {
    gateway::BackendOptions options;
    options.self = config_.name;
    options.sequencer = sequencer_of(config_);
    options.manager_instances = config_.manager_instances;
    options.admin = [this](const gateway::AdminCall& call) { return admin_->run(call); };
    options.refused = [this](const gateway::AdminCall& call, const Error& why) {
        admin_->refused(call, why);
    };
    options.health = [this] { return health_->report(); };
    options.ready = [this]() -> Result<void> {
        if (*draining_) return fail(Errc::unavailable, "this node is draining", "use another node");
        return {};
    };
    options.is_operator_token = [this](std::string_view token) {
        return crypto::equal_constant_time(as_bytes(token), as_bytes(operator_token_));
    };
    backend_ = std::make_unique<gateway::ActorBackend>(std::move(options), *system_, resolver_, *control_,
                                                       *metadata_, *transactions_);
    events_feed_ =
        std::make_unique<gateway::EventFeed>(events_, fmt::format("{:016x}", identity_.incarnation));
    http_ = std::make_unique<http::HttpServer>();
    gateway::RouteOptions routes;
    routes.node = config_.name;
    routes.object_bytes_max = config_.object_bytes_max;
    routes.upload_expiry = std::chrono::seconds(config_.upload_expiry_s);
    routes.operator_token_file = config_.data_dir + "/operator.token";
    routes.local_role = [this] { return live_.get()->http_local_role; };
    routes.events = events_feed_.get();
    routes.governor = governor_.get();
    routes.upload_places = [this] { return live_.get()->workloads_in_flight_max; };
    routes.tls = tls_ != nullptr;
    gateway::register_routes(*http_, *backend_, routes);
    http::Options server;
    server.host = config_.http.host;
    server.port = config_.http.port;
    server.threads = config_.http_threads;
    server.connections_max = http_connections_max();
    server.connections_per_source_max = std::max<std::size_t>(server.connections_max / 8, 1);
    server.idle_timeout = std::chrono::milliseconds(config_.http_idle_timeout_ms);
    server.min_rate_bytes_per_s = config_.http_min_rate_bytes_per_s;
    server.tls = tls_;
    server.events = &events_;
    need(http_->start(server));
    // The real ports: a configured 0 means any.
    const auto at = [](const config::Endpoint& listen, std::uint16_t port) {
        return config::Endpoint{listen.host, port}.text();
    };
    events_.record("node_started", config_.name,
                   {{"http", at(config_.http, http_->port())},
                    {"control", at(config_.control, control_->port())},
                    {"data", at(config_.data, data_->port())}});
}

// --- looking after itself

/// Before listen(): the first scrape finds everything.
void RunningNode::watch_itself() {
    metrics_ = std::make_unique<NodeMetrics>(
        NodeMetricsSources{config_, tree_.board, resolver_, *store_, *control_, *data_, draining_,
                           [this] { return live_.get()->chaos; }, kStoreMemoryBytes});
    watch_deeply();
    HealthWatchSources health;
    health.health = [this] { return health_->report(); };
    if (config_.consensus) health.lanes.assign(kLanes.begin(), kLanes.end());
    health.lane_status = [this](const std::string& lane) -> std::optional<consensus::Status> {
        const auto answer = actor::call(*system_, resolver_, "consensus/" + lane, consensus::QueryLane{},
                                        std::chrono::steady_clock::now() + kLaneAnswerLimit);
        return answer ? std::optional((*answer)->status) : std::nullopt;
    };
    health_watch_ = std::make_unique<HealthWatch>(std::move(health));
    ramp_->watch([this] { return health_->report(); }, [this] { return own_space(); });
    const auto service = ServiceManager::from_environment();
    if (!service.watchdog_interval()) return;
    WatchdogOptions watchdog;
    watchdog.interval = *service.watchdog_interval();
    watchdog.actor_paths = supervisor::workers_of(*plan_);
    watchdog.ping = [service] { service.alive(); };
    watchdog_ = std::make_unique<Watchdog>(std::move(watchdog), *system_, resolver_);
}

void RunningNode::watch_deeply() {
    deep_checks_ = std::make_unique<DeepChecks>(*system_, resolver_, tree_.board, *data_, draining_);
    DeepHealthSources deep;
    deep.look = [this] { return deep_checks_->look(); };
    deep.look_at = [this](const std::string& part) { return deep_checks_->look_at(part); };
    deep.recover = [this](const std::string& part) { return deep_checks_->recover(part); };
    deep.every = [this] { return ms(live_.get()->deep_every_ms); };
    deep_health_ =
        std::make_unique<DeepHealth>(std::move(deep), events_, static_cast<std::uint64_t>(unix_now_ms()));
    health_->show(deep_health_.get());
}

// --- the end

bool RunningNode::drain() {
    *told_to_end_ = true;
    *draining_ = true;
    events_.record("node_draining", config_.name);
    return http_->drain(ms(config_.drain_timeout_ms));
}

void RunningNode::end() {
    *draining_ = true;
    faults_.stop({}); // a paused actor could not end
    if (keeper_) keeper_->stop_sweeping();
    resolver_.close(); // whoever waits for an actor gets its answer now
    watchdog_.reset();
    if (ramp_) ramp_->stop();
    health_watch_.reset();
    if (health_) health_->show(nullptr);
    deep_health_.reset();
    metrics_.reset();
    if (supervisor_) {
        // It ends after everything below it: from here on no actor uses the links, the pools or the store.
        caf::scoped_actor waiter{*system_};
        waiter->send_exit(supervisor_, caf::exit_reason::user_shutdown);
        waiter->wait_for(supervisor_);
        tree_.offspring.end_all(*system_); // it was killed, or did not wait for one that hangs
    }
    supervisor_ = nullptr;
    // Every thread that ever asked an actor must be gone before the actor system: CAF's destructor waits for
    // them without end, since each holds a reference to its logger.
    http_.reset();
    backend_.reset();
    // A job asks other nodes over the control links; who is asked here by another node finds it stopped.
    if (backups_) backups_->stop();
    sweeper_.reset();
    // Callbacks of links and pools post to actors, so they end while the actor system still exists. Disk jobs
    // send blocks, and the answers to these want disk jobs: the pool stops first and refuses what comes
    // after.
    control_.reset();
    if (disk_) disk_->stop();
    withdrawals_.reset();
    data_.reset();
    codecs_.reset();
    disk_.reset();
    system_.reset(); // waits for every actor
    log::info("node_stopped");
}

} // namespace

Result<std::unique_ptr<Node>> Node::start(const config::NodeConfig& config,
                                          std::function<void(int)> on_lost) {
    auto node = std::make_unique<RunningNode>(config, std::move(on_lost));
    try {
        node->open_state();
        node->join_links();
        node->grow_tree();
        node->watch_itself();
        node->listen();
    } catch (Error& error) {
        return std::unexpected(std::move(error));
    } catch (const std::exception& error) {
        return fail(Errc::internal, std::string("the node could not start: ") + error.what(),
                    "see its log for what came before");
    }
    return node;
}

} // namespace dwcp::node
