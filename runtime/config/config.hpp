// A node's configuration, as the rest of the program sees it. How it is read, checked and explained:
// properties.hpp.
//
// Filled from a TOML file before anything starts. Keys marked live may be changed later by reading the file
// again (settings.hpp); whoever uses one asks for it when it is needed.
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/identity/principal.hpp"
#include "runtime/log/log.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace dwcp::config {

/// "127.0.0.1:7100". Other hosts than loopback need [tls].
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;

    /// As written in a file; an IPv6 host stands in brackets.
    std::string text() const {
        return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
    }
    auto operator<=>(const Endpoint&) const = default;
};

struct Peer {
    std::string name;
    std::string site;
    Endpoint control;
    Endpoint data;
    std::string public_key; ///< 64 hex digits; empty: trusted on first use and pinned in the data directory.
    std::string congestion; ///< "", "bbr" or "cubic"; empty: [data].congestion.
};

struct NodeConfig {
    std::string file;            ///< Where it was read from; empty: not from a file.
    std::set<std::string> given; ///< The keys that were said there: "data.streams_max", "peers[0].name".

    // [node]
    std::string name;
    std::string site;
    std::string cluster_id;
    std::string data_dir;

    // [listen]
    Endpoint control;
    Endpoint data;
    Endpoint http;

    // [tls]: all three or none; with them every listener speaks TLS.
    std::string tls_certificate; ///< PEM file.
    std::string tls_key;
    std::string tls_ca;
    bool tls() const { return !tls_certificate.empty(); }

    // [roles]: how many instances of each system this node hosts; 0: the role is absent.
    std::uint32_t manager_instances = 0;
    std::uint32_t compression_instances = 0;
    std::uint32_t allocator_instances = 0;
    bool consensus = false;
    bool gateway = false;

    std::vector<Peer> peers; // [[peers]]

    // [consensus]
    std::string sequencer; ///< Node that orders the majority-write lanes; empty: the first name in
                           ///< alphabetical order.

    // [control]
    std::uint32_t heartbeat_interval_ms = 0;
    std::uint32_t heartbeat_timeout_ms = 0;
    std::uint32_t connect_timeout_ms = 0;
    std::uint32_t reconnect_min_ms = 0;
    std::uint32_t reconnect_max_ms = 0;

    // [data]
    std::uint32_t streams_min = 0;
    std::uint32_t streams_max = 0;
    std::string congestion;
    std::uint32_t stream_credit_blocks = 0;
    std::uint32_t request_timeout_ms = 0;
    std::uint32_t worker_threads = 0;

    // [breaker]
    std::uint32_t breaker_failures_consecutive = 0; ///< 0: never for that.
    std::uint32_t breaker_open_ms = 0;
    std::uint32_t breaker_lane_open_ms = 0;
    std::uint32_t breaker_successes_to_close = 0;
    std::uint32_t breaker_probes_max = 0;
    std::uint32_t breaker_window_ms = 0;
    std::uint32_t breaker_calls_min = 0;
    std::uint32_t breaker_failure_pct = 0; ///< 0: never for that.
    std::uint32_t breaker_slow_call_ms = 0;
    std::uint32_t breaker_slow_pct = 0; ///< 0: never for that.

    // [manager]
    std::uint32_t requests_per_s = 0;
    std::uint32_t requests_burst = 0;
    std::uint32_t workloads_in_flight_max = 0;
    std::uint32_t commit_target_ms = 0; ///< 0: it does not matter.
    std::uint32_t replicas_default = 0;
    std::uint64_t object_bytes_max = 0;
    std::uint32_t uploads_open_max = 0;
    std::string manager_release; ///< "stable", "canary" or "ramp".
    std::uint32_t upload_expiry_s = 0;

    // [compression]
    std::uint32_t link_mbps = 0; ///< Bandwidth between sites that the rules plan for, Mbit/s.

    // [allocator]
    std::uint64_t capacity_bytes = 0;

    // [http]
    std::uint32_t http_threads = 0;
    std::uint32_t http_idle_timeout_ms = 0;
    std::uint32_t http_min_rate_bytes_per_s = 0;           ///< 0: clients may be as slow as they like.
    identity::Role http_local_role = identity::Role::none; ///< Of clients on this machine without a token.

    // [health]
    std::uint32_t deep_every_ms = 0;
    std::uint32_t failures_per_million = 0; ///< Objective: so many requests may fail.
    std::uint32_t latency_ms = 0;           ///< Objective: 99 % are answered within it.
    std::uint32_t window_s = 0;             ///< Over which both are judged.
    std::uint32_t health_requests_min = 0;  ///< In the window, below which nothing is judged.

    // [ramp]
    std::string ramp_plan_file; ///< Of `ramp start` without a plan; empty: one must be given.
    std::uint32_t ramp_poll_interval_ms = 0;
    std::uint32_t ramp_lease_ms = 0; ///< 0: from the poll interval.
    std::uint32_t ramp_takeover_after_ms = 0;

    // [chaos]
    bool chaos = false; ///< Whether admins may inject faults here.

    // [backup]
    std::string backup_directory; ///< Empty: DATA_DIR/backups.
    std::uint32_t backup_keep = 0;

    // [supervisor]
    std::uint32_t restart_backoff_min_ms = 0;
    std::uint32_t restart_backoff_max_ms = 0;
    std::uint32_t restart_reset_after_ms = 0;
    std::uint32_t restart_period_ms = 0; ///< In which ends and restarts are counted.
    std::uint32_t rollback_after = 0;
    std::uint32_t quarantine_after = 0;
    std::uint32_t intensity = 0;
    std::uint32_t root_intensity = 0;
    std::uint32_t restart_burst = 0;
    std::uint32_t restart_refill_ms = 0;
    std::uint32_t start_timeout_ms = 0;
    std::uint32_t stop_grace_ms = 0;
    std::uint32_t drain_timeout_ms = 0;

    // [log]
    log::Level log_level = log::Level::info;
    log::Format log_format = log::Format::console;
    std::string log_file;
};

/// Everything that is wrong with a file, at once. Each entry reads "FILE:LINE: key: what was found, what is
/// allowed".
struct Problems {
    std::vector<std::string> list;
};

/// Reads and checks a file. Relative paths in it are relative to the current directory.
std::expected<NodeConfig, Problems> load_file(const std::string& path);
/// The same for text; `origin` stands for the file name in messages.
std::expected<NodeConfig, Problems> load_text(const std::string& text, const std::string& origin);

/// The effective configuration as annotated TOML: each key with its sentence, unit, bounds and default as
/// comments.
std::string print_config(const NodeConfig& config);
/// The example with every key at its default, as shipped in node_configs/example.toml (a test compares them).
std::string print_example();
/// One key explained ("data.streams_max"); an unknown key fails and names the nearest.
Result<std::string> explain(const std::string& key);

} // namespace dwcp::config
