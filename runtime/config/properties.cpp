#include "runtime/config/properties.hpp"

#include "protocols/wire/block.hpp"

#include <algorithm>
#include <concepts>
#include <limits>
#include <numeric>
#include <type_traits>

namespace dwcp::config {
namespace {

constexpr bool kRequired = true;
constexpr std::int64_t kMiB = 1LL << 20;
constexpr std::int64_t kGiB = 1LL << 30;
constexpr std::int64_t kTiB = 1LL << 40;

constexpr Text kName{"1 to 63 of a-z, 0-9 and '-'", is_node_name};
constexpr Text kListen{"\"HOST:PORT\"; beyond loopback (127.0.0.0/8, [::1], localhost) only with [tls]",
                       is_listen_endpoint};
constexpr Text kDial{
    "\"HOST:PORT\" with a port from 1; beyond loopback (127.0.0.0/8, [::1], localhost) only with [tls]",
    is_peer_endpoint};

template<class T>
Value to_value(const T& stored, const Rule& rule) {
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string>)
        return stored;
    else if constexpr (std::is_same_v<T, Endpoint>)
        return stored.text();
    else if constexpr (std::is_enum_v<T>)
        return std::string(std::get<Choice>(rule).names.at(static_cast<std::size_t>(stored)));
    else
        return static_cast<std::int64_t>(stored);
}

template<class T>
void from_value(T& stored, const Value& value, const Rule& rule) {
    if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::string>)
        stored = std::get<T>(value);
    else if constexpr (std::is_same_v<T, Endpoint>)
        stored = parse_endpoint(std::get<std::string>(value)).value_or(Endpoint{});
    else if constexpr (std::is_enum_v<T>) {
        const auto& names = std::get<Choice>(rule).names;
        stored = static_cast<T>(std::ranges::find(names, std::get<std::string>(value)) - names.begin());
    } else
        stored = static_cast<T>(std::get<std::int64_t>(value));
}

template<class Owner, class T>
Property<Owner> keep(Key key, T Owner::*member) {
    const Rule rule = key.rule;
    return {std::move(key), [=](const Owner& owner) { return to_value(owner.*member, rule); },
            [=](Owner& owner, const Value& value) { from_value(owner.*member, value, rule); }};
}

template<class Owner, std::unsigned_integral T>
Property<Owner> number(std::string_view path, T Owner::*member, std::int64_t fallback, std::string_view unit,
                       Range range, std::string_view sentence) {
    return keep({path, sentence, unit, range, fallback, false}, member);
}

template<class Owner>
Property<Owner> flag(std::string_view path, bool Owner::*member, bool fallback, std::string_view sentence) {
    return keep({path, sentence, {}, AnyBool{}, fallback, false}, member);
}

template<class Owner, class T>
Property<Owner> text(std::string_view path, T Owner::*member, std::string fallback, Rule rule,
                     std::string_view sentence, bool required = false) {
    return keep({path, sentence, {}, std::move(rule), std::move(fallback), required}, member);
}

/// A key that whoever uses it asks for each time.
template<class Owner>
Property<Owner> live(Property<Owner> property) {
    property.live = true;
    return property;
}

using Table = std::vector<Property<NodeConfig>>;

void append(Table& table, Table more) { std::ranges::move(more, std::back_inserter(table)); }

Table who_and_where() {
    using C = NodeConfig;
    return {
        text("node.name", &C::name, "site-a", kName, "Name of this node, unique in its cluster.", kRequired),
        text("node.site", &C::site, "east", kName,
             "Site where this node stands; replicas of a block go to different sites.", kRequired),
        text("node.cluster_id", &C::cluster_id, "demo", kName,
             "Cluster this node belongs to; links to any other cluster are refused.", kRequired),
        text("node.data_dir", &C::data_dir, "run/site-a", Text{"a path, not empty", is_path},
             "Directory of this node's key, journal and blocks, used by no other node; made at the first "
             "start.",
             kRequired),

        text("listen.control", &C::control, "127.0.0.1:7101", kListen,
             "Where other nodes reach this one for control messages; port 0 takes any free port.", kRequired),
        text("listen.data", &C::data, "127.0.0.1:7201", kListen,
             "Where other nodes reach this one for blocks; port 0 takes any free port.", kRequired),
        text("listen.http", &C::http, "127.0.0.1:8101", kListen,
             "Where clients, the shell and metrics scrapers reach this node; port 0 takes any free port.",
             kRequired),

        text("tls.certificate", &C::tls_certificate, "", Text{"a path or empty", is_path_or_empty},
             "This node's certificate and any intermediate ones, PEM; with the two others it turns TLS on "
             "for every listener and link, on loopback too. ops/certs makes them."),
        text("tls.key", &C::tls_key, "", Text{"a path or empty", is_path_or_empty},
             "The certificate's private key, PEM, readable by this user alone (mode 0600)."),
        text("tls.ca", &C::tls_ca, "", Text{"a path or empty", is_path_or_empty},
             "The cluster's certificate authority, PEM; two of them while one replaces the other."),

        number("roles.manager", &C::manager_instances, 1, "instances", {0, 64},
               "Managers, which take workloads in and see them through; 0: none on this node."),
        number("roles.compression", &C::compression_instances, 1, "instances", {0, 64},
               "Compression selectors, which choose a codec for each block; 0: none on this node."),
        number("roles.allocator", &C::allocator_instances, 1, "instances", {0, 64},
               "Allocators, which choose the nodes for replicas; 0: none on this node."),
        flag("roles.consensus", &C::consensus, true,
             "Whether this node takes part in ordering manifests and transactions."),
        flag("roles.gateway", &C::gateway, true, "Whether this node serves objects and operators over HTTP."),

        text(
            "consensus.sequencer", &C::sequencer, "",
            Text{"this node's name, a peer's name or empty", is_node_name_or_empty},
            "Node that orders the majority-write lanes; empty: the first name of all in alphabetical order."),
    };
}

Table links() {
    using C = NodeConfig;
    return {
        number("control.heartbeat_interval_ms", &C::heartbeat_interval_ms, 500, "ms", {50, 60'000},
               "How often an idle control link proves that it lives; must be the same on every node."),
        number("control.heartbeat_timeout_ms", &C::heartbeat_timeout_ms, 2'000, "ms", {100, 600'000},
               "Silence after which a peer counts as down; must be the same on every node."),
        number("control.connect_timeout_ms", &C::connect_timeout_ms, 1'000, "ms", {10, 60'000},
               "Longest wait for a peer to accept a connection."),
        number("control.reconnect_min_ms", &C::reconnect_min_ms, 50, "ms", {1, 60'000},
               "Wait before the first attempt to reach a lost peer again."),
        number("control.reconnect_max_ms", &C::reconnect_max_ms, 2'000, "ms", {1, 600'000},
               "Longest wait between two attempts; the wait doubles up to here."),

        number("data.streams_min", &C::streams_min, 1, "streams", {1, 64},
               "Fewest parallel streams to one peer, kept open also when idle."),
        number("data.streams_max", &C::streams_max, 8, "streams", {1, 64},
               "Most parallel streams to one peer; how many are used follows delivery rate and loss."),
        text("data.congestion", &C::congestion, "bbr", Choice{{"bbr", "cubic"}},
             "TCP congestion control of data links; bbr keeps its rate under random loss."),
        number("data.stream_credit_blocks", &C::stream_credit_blocks, 8, "blocks", {1, 1'024},
               "Blocks of up to 1 MiB that a peer may send on a stream before this node has taken them in."),
        number("data.request_timeout_ms", &C::request_timeout_ms, 10'000, "ms", {100, 3'600'000},
               "Longest wait for a peer to store, confirm or return blocks."),
        number("data.worker_threads", &C::worker_threads, 2, "threads", {1, 256},
               "Threads that hash, decode and store blocks that arrive."),
    };
}

Table breakers() {
    using C = NodeConfig;
    return {
        live(
            number("breaker.failures_consecutive", &C::breaker_failures_consecutive, 5, "calls", {0, 1'000},
                   "Failures in a row after which what is asked of a peer is not tried any more for a while; "
                   "0: never for that.")),
        live(number("breaker.open_ms", &C::breaker_open_ms, 30'000, "ms", {100, 3'600'000},
                    "How long an open breaker refuses before it lets probes through; at once when the peer's "
                    "link comes up.")),
        live(number("breaker.lane_open_ms", &C::breaker_lane_open_ms, 1'000, "ms", {100, 3'600'000},
                    "The same for what lanes ask of each other: commits must not wait for long.")),
        live(number("breaker.successes_to_close", &C::breaker_successes_to_close, 2, "calls", {1, 1'000},
                    "Probes that must succeed in a row before a breaker closes.")),
        live(number("breaker.probes_max", &C::breaker_probes_max, 2, "calls", {1, 1'000},
                    "Probes under way at a time while a breaker is half-open.")),
        live(number("breaker.window_ms", &C::breaker_window_ms, 10'000, "ms", {100, 3'600'000},
                    "Time over which the shares of failed and of slow calls are counted.")),
        live(number("breaker.calls_min", &C::breaker_calls_min, 20, "calls", {1, 1'000'000},
                    "Calls in that time below which no share trips a breaker.")),
        live(number("breaker.failure_pct", &C::breaker_failure_pct, 50, "%", {0, 100},
                    "Share of failed calls that trips a breaker; 0: never for that.")),
        live(number("breaker.slow_call_ms", &C::breaker_slow_call_ms, 5'000, "ms", {1, 3'600'000},
                    "Time from which on a call counts as slow.")),
        live(number(
            "breaker.slow_pct", &C::breaker_slow_pct, 0, "%", {0, 100},
            "Share of slow calls that trips a breaker; 0: never for that, since a link that is full is "
            "slow and works.")),
    };
}

Table systems() {
    using C = NodeConfig;
    return {
        live(number("manager.requests_per_s", &C::requests_per_s, 2'000, "requests/s", {1, 10'000'000},
                    "Requests a second that are admitted in the long run; more are refused as too many.")),
        live(number("manager.requests_burst", &C::requests_burst, 4'000, "requests", {1, 10'000'000},
                    "Requests that may come at once after a quiet time.")),
        live(number("manager.workloads_in_flight_max", &C::workloads_in_flight_max, 256, "workloads",
                    {1, 65'536}, "Workloads under way at once; more are refused as too many.")),
        live(number("manager.commit_target_ms", &C::commit_target_ms, 5'000, "ms", {0, 600'000},
                    "Time from a workload's seal to its receipt: while most take longer, fewer may be under "
                    "way, down to an eighth of manager.workloads_in_flight_max; 0: it does not matter.")),
        text("manager.release", &C::manager_release, "ramp", Choice{{"stable", "canary", "ramp"}},
             "Which release ships blocks: stable uses one stream to a peer, canary data.streams_min to "
             "data.streams_max; ramp: stable, until a rollout says else."),
        number("manager.replicas_default", &C::replicas_default, 2, "nodes", {1, 16},
               "Nodes that hold each block when the request does not say."),
        number("manager.object_bytes_max", &C::object_bytes_max, 64 * kGiB, "bytes", {kBlockBytes, 16 * kTiB},
               "Largest object that is accepted."),

        number("manager.uploads_open_max", &C::uploads_open_max, 100, "uploads", {1, 10'000},
               "Multi-part uploads that are open at this node at once; more are refused as too many."),
        number("manager.upload_expiry_s", &C::upload_expiry_s, 86'400, "s", {60, 30 * 86'400},
               "Time after which a multi-part upload that was not completed is forgotten with its parts."),

        live(number("compression.link_mbps", &C::link_mbps, 500, "Mbit/s", {1, 1'000'000},
                    "Bandwidth between sites that the codec rules plan for.")),

        number("allocator.capacity_bytes", &C::capacity_bytes, 64 * kGiB, "bytes", {16 * kMiB, 1'024 * kTiB},
               "Disk that blocks may take on this node; must exist, it is not reserved."),

        number("http.threads", &C::http_threads, 32, "threads", {2, 1'024},
               "Requests served at once; the rest wait."),
        number("http.idle_timeout_ms", &C::http_idle_timeout_ms, 5'000, "ms", {100, 600'000},
               "Silence after which a client's connection is closed."),
        number("http.min_rate_bytes_per_s", &C::http_min_rate_bytes_per_s, 1'024, "bytes/s", {0, kMiB},
               "A client that sends its body, or takes its answer, slower than this is cut; 0 for none."),
        live(text(
            "http.local_role", &C::http_local_role, "writer", Choice{{"none", "viewer", "writer"}},
            "What a client on this machine may do without a certificate and without the operator token.")),

        live(number("health.deep_every_ms", &C::deep_every_ms, 10'000, "ms", {100, 600'000},
                    "Time between two deep looks at this node: mailboxes, a block there and back over each "
                    "data link, every codec. What fails two looks in a row is begun anew.")),
        live(number(
            "health.failures_per_million", &C::failures_per_million, 1'000, "requests", {1, 1'000'000},
            "Requests of a million that may fail; ten times that is degraded, a hundred times severely "
            "degraded, 500 times an emergency, and ever more is refused by priority.")),
        live(number("health.latency_ms", &C::latency_ms, 1'000, "ms", {1, 600'000},
                    "Time in which 99 of 100 requests without a body are to be answered; 10 % slower are "
                    "degraded, half severely degraded.")),
        live(number("health.window_s", &C::window_s, 60, "s", {1, 3'600},
                    "Time over which both are judged; a level falls a step after a quarter of it.")),
        live(number("health.requests_min", &C::health_requests_min, 50, "requests", {1, 1'000'000},
                    "Requests in that time below which nothing is judged.")),

        live(text("ramp.plan_file", &C::ramp_plan_file, "", Text{"a path or empty", is_path_or_empty},
                  "Rollout plan that `ramp start` plays unless it is given another one.")),
        number("ramp.poll_interval_ms", &C::ramp_poll_interval_ms, 1'000, "ms", {50, 60'000},
               "How often the ramp's host asks every node how its releases do; triggers are looked at as "
               "often."),
        number("ramp.lease_ms", &C::ramp_lease_ms, 0, "ms", {0, 600'000},
               "Time without the ramp's host after which a node takes its canaries to 0; 0: six polls, at "
               "least 3 s."),
        number("ramp.takeover_after_ms", &C::ramp_takeover_after_ms, 5'000, "ms", {500, 600'000},
               "Time without the ramp's host after which another node takes a ramp under way over."),

        live(flag("chaos.enabled", &C::chaos, false,
                  "Whether admins may inject faults into this node; never on one that people rely on.")),

        text("backup.directory", &C::backup_directory, "", Text{"a path or empty", is_path_or_empty},
             "Where backups of this node go; empty: backups in node.data_dir."),
        number("backup.keep", &C::backup_keep, 7, "backups", {1, 1'000},
               "Complete backups of this node that are kept there; older ones are removed after a new one."),

        number("supervisor.restart_backoff_min_ms", &C::restart_backoff_min_ms, 10, "ms", {1, 60'000},
               "Wait before a failed actor is started again."),
        number("supervisor.restart_backoff_max_ms", &C::restart_backoff_max_ms, 1'000, "ms", {1, 600'000},
               "Longest wait when it fails again and again; the wait doubles up to here."),
        number(
            "supervisor.restart_reset_after_ms", &C::restart_reset_after_ms, 5'000, "ms", {100, 3'600'000},
            "Time without a failure after which the wait starts small again, and its release is a good one."),
        number("supervisor.period_ms", &C::restart_period_ms, 60'000, "ms", {1'000, 3'600'000},
               "Time within which the ends of an actor and the restarts of a supervisor are counted."),
        number("supervisor.rollback_after", &C::rollback_after, 5, "ends", {1, 1'000},
               "Ends of an actor within the period on a new release, after which it is put back on its last "
               "good one."),
        number("supervisor.quarantine_after", &C::quarantine_after, 20, "ends", {1, 1'000},
               "Ends of an actor within the period, after which it stays down until `actor resume`."),
        number("supervisor.intensity", &C::intensity, 60, "restarts", {1, 1'000},
               "Restarts within the period that a supervisor stands; one more, and its parent restarts it."),
        number("supervisor.root_intensity", &C::root_intensity, 10, "restarts", {1, 1'000},
               "Restarts of supervisors within the period that the node stands; one more ends its process "
               "with code 70."),
        number("supervisor.restart_burst", &C::restart_burst, 100, "restarts", {1, 10'000},
               "Restarts of a whole node that may follow each other without a wait."),
        number("supervisor.restart_refill_ms", &C::restart_refill_ms, 100, "ms", {1, 60'000},
               "Time in which the node may do one more restart, once the burst is used up."),
        number("supervisor.start_timeout_ms", &C::start_timeout_ms, 30'000, "ms", {100, 600'000},
               "Longest time from an actor's start until it is ready; then it is ended, which counts as a "
               "failure."),
        number("supervisor.stop_grace_ms", &C::stop_grace_ms, 5'000, "ms", {0, 600'000},
               "Time that an actor has to end in an orderly way before it is ended by force."),
        number("supervisor.drain_timeout_ms", &C::drain_timeout_ms, 10'000, "ms", {100, 600'000},
               "Longest wait at a shutdown for workloads under way."),

        live(text("log.level", &C::log_level, "info",
                  Choice{{"trace", "debug", "info", "warn", "error", "off"}},
                  "Least severe lines that are written.")),
        text("log.format", &C::log_format, "console", Choice{{"console", "json"}},
             "Aligned text for people or one JSON object a line for machines."),
        text("log.file", &C::log_file, "", Text{"a path or empty", is_path_or_empty},
             "File for the log, rotated at 64 MiB, three old ones kept; empty: standard error."),
    };
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
        }
    }
    return row.back();
}

} // namespace

const std::vector<Property<NodeConfig>>& node_properties() {
    static const Table table = [] {
        Table all = who_and_where();
        append(all, links());
        append(all, breakers());
        append(all, systems());
        return all;
    }();
    return table;
}

const std::vector<Property<Peer>>& peer_properties() {
    static const std::vector<Property<Peer>> table = {
        text("peers.name", &Peer::name, "site-b", kName, "The peer's node.name.", kRequired),
        text("peers.site", &Peer::site, "west", kName, "The peer's node.site.", kRequired),
        text("peers.control", &Peer::control, "127.0.0.1:7102", kDial, "The peer's listen.control.",
             kRequired),
        text("peers.data", &Peer::data, "127.0.0.1:7202", kDial, "The peer's listen.data.", kRequired),
        text("peers.public_key", &Peer::public_key, "",
             Text{"64 hex digits or empty", is_public_key_or_empty},
             "The peer's Ed25519 key; empty: trusted at the first handshake, then pinned in the data "
             "directory."),
        text("peers.congestion", &Peer::congestion, "", Choice{{"", "bbr", "cubic"}},
             "Congestion control of the data link to this peer; empty: data.congestion."),
    };
    return table;
}

const std::vector<const Key*>& all_keys() {
    static const std::vector<const Key*> keys = [] {
        std::vector<const Key*> all;
        for (const Key& key : node_properties())
            all.push_back(&key);
        for (const Key& key : peer_properties())
            all.push_back(&key);
        return all;
    }();
    return keys;
}

std::string_view nearest(std::string_view text, const std::vector<std::string_view>& candidates) {
    std::string_view best;
    std::size_t best_distance = std::numeric_limits<std::size_t>::max();
    for (std::string_view candidate : candidates) {
        const std::size_t distance = edit_distance(text, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

} // namespace dwcp::config
