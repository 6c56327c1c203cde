#include "protocols/base/ids.hpp"
#include "runtime/config/report.hpp"
#include "runtime/config/rules.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::config {
namespace {

std::string quoted(const std::string& text) { return fmt::format("\"{}\"", text); }

void check_order(Report& report, const std::string& low_path, std::uint32_t low, const std::string& high_path,
                 std::uint32_t high) {
    if (!report.good({low_path, high_path}) || low <= high) return;
    report.contradiction(high_path, std::to_string(high), fmt::format("at least {} ({})", low_path, low),
                         low_path);
}

void check_heartbeat(const NodeConfig& config, Report& report) {
    const std::string interval = "control.heartbeat_interval_ms";
    const std::string timeout = "control.heartbeat_timeout_ms";
    const std::uint32_t least = 2 * config.heartbeat_interval_ms;
    if (!report.good({interval, timeout}) || config.heartbeat_timeout_ms >= least) return;
    // With less, one heartbeat that comes late takes a healthy link down.
    report.contradiction(timeout, std::to_string(config.heartbeat_timeout_ms),
                         fmt::format("at least twice {} ({}), so {} or more (ms)", interval,
                                     config.heartbeat_interval_ms, least),
                         interval);
}

/// What each of these keys holds must be held by no other of them.
struct Claim {
    std::string path;
    std::string value; ///< As shown in messages.
};

void check_distinct(Report& report, const std::vector<Claim>& claims, std::string_view what) {
    for (std::size_t i = 0; i < claims.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            const auto& [path, value] = claims[i];
            const auto& [taken_by, taken] = claims[j];
            if (value != taken || !report.good({path, taken_by})) continue;
            report.contradiction(path, value, fmt::format("{} other than that of {}", what, taken_by),
                                 taken_by);
        }
    }
}

void check_names(const NodeConfig& config, Report& report) {
    std::vector<Claim> names = {{"node.name", quoted(config.name)}};
    std::vector<Claim> keys;
    for (std::size_t i = 0; i < config.peers.size(); ++i) {
        const Peer& peer = config.peers[i];
        names.push_back({peer_path(i, "name"), quoted(peer.name)});
        PublicKey key; // compared as bytes: the file may write it in either case
        if (from_hex(peer.public_key, key.bytes))
            keys.push_back({peer_path(i, "public_key"), quoted(key.hex())});
    }
    check_distinct(report, names, "a name");
    check_distinct(report, keys, "a key");

    const std::string sequencer = quoted(config.sequencer);
    const auto known = std::ranges::any_of(names, [&](const Claim& c) { return c.value == sequencer; });
    if (config.sequencer.empty() || known || !report.good({"consensus.sequencer", "node.name"})) return;
    std::string list;
    for (const Claim& name : names)
        list += (list.empty() ? "" : ", ") + name.value;
    report.contradiction("consensus.sequencer", sequencer,
                         "this node's or a peer's name, so one of " + list + ", or empty", "node.name");
}

void check_endpoints(const NodeConfig& config, Report& report) {
    std::vector<Claim> ports;
    std::vector<Claim> endpoints;
    const auto listens = [&](const std::string& path, const Endpoint& endpoint) {
        if (endpoint.port == 0) return; // any free port: the system sees to it
        ports.push_back({path, std::to_string(endpoint.port)});
        endpoints.push_back({path, quoted(endpoint.text())});
    };
    listens("listen.control", config.control);
    listens("listen.data", config.data);
    listens("listen.http", config.http);
    check_distinct(report, ports, "a port");
    for (std::size_t i = 0; i < config.peers.size(); ++i) {
        endpoints.push_back({peer_path(i, "control"), quoted(config.peers[i].control.text())});
        endpoints.push_back({peer_path(i, "data"), quoted(config.peers[i].data.text())});
    }
    check_distinct(report, endpoints, "an address");
}

void check_replicas(const NodeConfig& config, Report& report) {
    const std::string path = "manager.replicas_default";
    const std::size_t nodes = config.peers.size() + 1;
    if (!report.good({path}) || config.replicas_default <= nodes) return;
    report.contradiction(path, std::to_string(config.replicas_default),
                         fmt::format("at most {}: this node and its {} peers", nodes, nodes - 1),
                         "node.name");
}

/// A role asks its helpers on its own node, so it cannot be there without them.
void check_roles(const NodeConfig& config, Report& report) {
    const auto needs = [&](const std::string& role, const std::string& found, bool present,
                           const std::string& helper, bool helper_present) {
        if (!present || helper_present || !report.good({role, helper})) return;
        report.contradiction(role, found, fmt::format("only on a node with {}", helper), helper);
    };
    if (!config.consensus && report.good({"roles.consensus"})) {
        report.contradiction(
            "roles.consensus", "false",
            "true: in this version every node carries the lanes, which tell it what its blocks are for",
            "roles.consensus");
    }
    const std::string managers = std::to_string(config.manager_instances);
    const bool manager = config.manager_instances > 0;
    needs("roles.gateway", "true", config.gateway, "roles.manager", manager);
    needs("roles.manager", managers, manager, "roles.compression", config.compression_instances > 0);
    needs("roles.manager", managers, manager, "roles.allocator", config.allocator_instances > 0);
}

void check_tls(const NodeConfig& config, Report& report) {
    const std::pair<std::string, const std::string*> files[] = {{"tls.certificate", &config.tls_certificate},
                                                                {"tls.key", &config.tls_key},
                                                                {"tls.ca", &config.tls_ca}};
    for (const auto& [path, value] : files)
        for (const auto& [other, other_value] : files)
            if (value->empty() && !other_value->empty() && report.good({path, other})) {
                report.contradiction(path, "\"\"", fmt::format("a file, since {} is given", other), other);
                return;
            }
}

/// What leaves this machine is encrypted and both ends are known, or it does not leave.
void check_beyond_loopback(const NodeConfig& config, Report& report) {
    if (config.tls() || !report.good({"tls.certificate", "tls.key", "tls.ca"})) return;
    const auto check = [&](const std::string& path, const Endpoint& endpoint) {
        if (!report.good({path}) || is_loopback(endpoint.host)) return;
        report.contradiction(path, quoted(endpoint.text()),
                             "a loopback host (127.0.0.0/8, [::1] or localhost), as [tls] is not set; to "
                             "leave this machine, make certificates with ops/certs (ops/certs --help) and "
                             "set tls.certificate, tls.key and tls.ca",
                             path);
    };
    check("listen.control", config.control);
    check("listen.data", config.data);
    check("listen.http", config.http);
    for (std::size_t i = 0; i < config.peers.size(); ++i) {
        check(peer_path(i, "control"), config.peers[i].control);
        check(peer_path(i, "data"), config.peers[i].data);
    }
}

} // namespace

void cross_check(const NodeConfig& config, Report& report) {
    check_heartbeat(config, report);
    check_order(report, "control.reconnect_min_ms", config.reconnect_min_ms, "control.reconnect_max_ms",
                config.reconnect_max_ms);
    check_order(report, "data.streams_min", config.streams_min, "data.streams_max", config.streams_max);
    check_order(report, "supervisor.restart_backoff_min_ms", config.restart_backoff_min_ms,
                "supervisor.restart_backoff_max_ms", config.restart_backoff_max_ms);
    // One that keeps failing is put back, then quarantined, before its siblings are made to suffer for it.
    check_order(report, "supervisor.rollback_after", config.rollback_after, "supervisor.quarantine_after",
                config.quarantine_after);
    check_order(report, "supervisor.quarantine_after", config.quarantine_after, "supervisor.intensity",
                config.intensity);
    check_names(config, report);
    check_endpoints(config, report);
    check_replicas(config, report);
    check_roles(config, report);
    check_tls(config, report);
    check_beyond_loopback(config, report);
}

} // namespace dwcp::config
