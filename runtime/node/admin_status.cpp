// `status` and `nodes`: how this node does, and the cluster as it sees it.
#include "actors/consensus/messages.hpp"
#include "actors/manager/messages.hpp"
#include "runtime/caf/call.hpp"
#include "runtime/node/admin_verbs.hpp"
#include "runtime/node/health.hpp"
#include "runtime/node/tree.hpp"

#include <fmt/format.h>

#include <chrono>

namespace dwcp::node {
namespace {

using nlohmann::json;

/// As the alert rule on the same: a week to act in.
constexpr UnixMillis kCertificateWarningMs = 7LL * 24 * 3'600'000;

TimePoint deadline() { return std::chrono::steady_clock::now() + kAskDeadline; }

json tls_state(const tls::Context* tls) {
    if (tls == nullptr) return {{"enabled", false}};
    const tls::Certificate own = tls->own();
    return {{"enabled", true},
            {"certificate", own.subject.uri()},
            {"serial", own.serial},
            {"until_ms", own.until_ms},
            {"ca_until_ms", tls->ca_until_ms()}};
}

/// What somebody should look at, the worst first.
json alerts(const AdminServices& services, const json& health) {
    json list = json::array();
    const auto alert = [&](const char* name, const char* severity, std::string detail) {
        list.push_back({{"name", name}, {"severity", severity}, {"detail", std::move(detail)}});
    };
    for (const auto& check : health.value("checks", json::array()))
        if (!check.value("ok", true))
            alert("check_failed", health.value("status", "") == "unhealthy" ? "critical" : "warning",
                  check.value("name", "") + ": " + check.value("detail", ""));
    const auto degradation = health.value("degradation", json::object());
    if (const auto number = degradation.value("number", 0); number > 0)
        alert("degraded_service", number > 1 ? "critical" : "warning",
              "the node is " + degradation.value("level", "") + ": " + degradation.value("reason", ""));
    for (const auto& child : services.board.all())
        if (!child.quarantine.empty())
            alert("actor_quarantined", "warning", child.path + " by " + child.quarantine);
    if (const auto corruptions = services.store.stats().corruptions; corruptions > 0)
        alert("data_corrupted", "critical", fmt::format("{} damaged records since the start", corruptions));
    const auto free_bytes = services.store.stats().disk_free_bytes;
    if (free_bytes <= services.disk_reserve_bytes)
        alert("disk_reserve_reached", "critical",
              fmt::format("the disk has {} MiB free, {} MiB are kept in reserve: puts are refused",
                          free_bytes >> 20, services.disk_reserve_bytes >> 20));
    if (services.tls) {
        const auto left_ms = services.tls->own().until_ms - unix_now_ms();
        if (left_ms < kCertificateWarningMs)
            alert("certificate_expires", left_ms < 0 ? "critical" : "warning",
                  fmt::format("this node's certificate ends in {} hours", left_ms / 3'600'000));
    }
    if (*services.draining) alert("draining", "info", "this node takes no new requests");
    return list;
}

/// What serves, briefly; `ramp status` has the rest.
json releases(const AdminServices& services) {
    json list = json::array();
    for (auto* system : services.releases.all()) {
        list.push_back({{"system", system->names().system},
                        {"stable", system->names().stable},
                        {"canary", system->names().canary},
                        {"canary_percent", system->canary_percent()},
                        {"canary_in_flight", system->canary_in_flight()},
                        {"forced", system->forced()},
                        {"unsettled", system->unsettled()}});
    }
    return list;
}

json status(const AdminServices& services) {
    const auto checks = services.health.report();
    std::uint64_t restarts = 0;
    const auto children = services.board.all();
    for (const auto& child : children)
        restarts += child.restarts;
    const auto stats = services.store.stats();
    const auto& self = services.identity;
    return {{"node", self.name},
            {"site", self.site},
            {"cluster", self.cluster_id},
            {"incarnation", fmt::format("{:016x}", self.incarnation)},
            {"public_key", self.public_key().hex()},
            {"version", DWCP_VERSION},
            {"state", *services.draining ? "draining" : "running"},
            {"uptime_s", milliseconds_since(services.started) / 1000},
            {"health", checks["status"]},
            {"degradation", checks.value("degradation", json::object())},
            {"alerts", alerts(services, checks)},
            {"actors", children.size()},
            {"restarts_total", restarts},
            {"releases", releases(services)},
            {"tls", tls_state(services.tls.get())},
            {"workloads", workload_counts(services)},
            {"store",
             {{"blocks_bytes", stats.blocks_bytes},
              {"disk_free_bytes", stats.disk_free_bytes},
              {"corruptions", stats.corruptions}}},
            {"lanes", lane_states(services.system, services.resolver, deadline())}};
}

json this_node(const AdminServices& services) {
    return {{"name", services.identity.name},
            {"site", services.identity.site},
            {"self", true},
            {"up", true},
            {"address", services.control_address},
            {"incarnation", fmt::format("{:016x}", services.identity.incarnation)},
            {"rtt_ms", 0},
            {"since_ms", unix_now_ms() - static_cast<UnixMillis>(milliseconds_since(services.started))},
            {"problem", ""}};
}

json data_link(const links::PeerDataStatus& link) {
    json pools = json::array();
    for (const auto& pool : link.pools) {
        pools.push_back({{"pool", links::to_string(pool.pool)},
                         {"up", pool.up},
                         {"streams", pool.streams},
                         {"streams_wanted", pool.streams_wanted},
                         {"queued", pool.queued},
                         {"reason", pool.reason}});
    }
    return {{"up", link.up},
            {"streams", link.streams},
            {"streams_wanted", link.streams_wanted},
            {"reason", link.reason},
            {"congestion", link.congestion},
            {"delivery_rate_mbps", link.delivery_rate_bps / 1e6},
            {"rtt_ms", link.rtt_ms},
            {"loss_ratio", link.loss_ratio},
            {"bytes_sent", link.bytes_sent},
            {"bytes_received", link.bytes_received},
            {"queued", link.queued},
            {"bad_frames", link.bad_frames},
            {"pools", std::move(pools)}};
}

json nodes(const AdminServices& services) {
    json list = json::array();
    list.push_back(this_node(services));
    const auto data = services.data.status();
    for (const auto& peer : services.control.peers()) {
        json entry{{"name", peer.name},       {"site", peer.site},
                   {"self", false},           {"up", peer.up},
                   {"address", peer.address}, {"incarnation", fmt::format("{:016x}", peer.incarnation)},
                   {"rtt_ms", peer.rtt_ms},   {"since_ms", peer.since_ms},
                   {"problem", peer.problem}};
        for (const auto& link : data)
            if (link.name == peer.name) entry["data"] = data_link(link);
        list.push_back(std::move(entry));
    }
    return {{"nodes", std::move(list)}};
}

} // namespace

json workload_counts(const AdminServices& services) {
    json counts{{"open", 0}, {"sealed", 0}, {"committed", 0}, {"failed", 0}};
    std::size_t silent = 0;
    for (std::uint32_t i = 0; i < services.manager_instances; ++i) {
        const auto reply = actor::call(services.system, services.resolver, "manager/" + std::to_string(i),
                                       manager::QueryWorkloads{"", "", 0}, deadline());
        if (!reply) {
            ++silent;
            continue;
        }
        for (const auto& [state, count] : (*reply)->counts)
            counts[state] = counts[state].get<std::size_t>() + count;
    }
    if (silent > 0) counts["managers_silent"] = silent;
    return counts;
}

json lane_states(caf::actor_system& system, const actor::Resolver& resolver, TimePoint deadline) {
    json lanes = json::array();
    for (const auto* name : kLanes) {
        const auto path = std::string("consensus/") + name;
        const auto reply = actor::call(system, resolver, path, consensus::QueryLane{}, deadline);
        if (!reply) continue;
        const auto& s = (*reply)->status;
        lanes.push_back({{"lane", s.lane},
                         {"engine", s.engine},
                         {"sequencer", s.sequencer},
                         {"members", s.members},
                         {"quorum", s.quorum},
                         {"members_up", s.members_up},
                         {"last_index", s.last_index},
                         {"committed", s.committed},
                         {"applied", s.applied},
                         {"available", s.available},
                         {"note", s.note}});
    }
    return lanes;
}

void add_status_verbs(VerbTable& verbs, const AdminServices& services) {
    verbs["status"] = [&services](const gateway::AdminCall&) { return status(services); };
    verbs["whoami"] = [&services](const gateway::AdminCall& call) {
        return json{{"name", call.by.name},
                    {"role", to_string(call.by.role)},
                    {"how", call.by.how},
                    {"node", services.identity.name},
                    {"cluster", services.identity.cluster_id}};
    };
    verbs["nodes"] = [&services](const gateway::AdminCall&) { return nodes(services); };
    verbs["health"] = [&services](const gateway::AdminCall&) { return services.health.report(); };
}

} // namespace dwcp::node
