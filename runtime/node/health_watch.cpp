#include "runtime/node/health_watch.hpp"

#include <chrono>

namespace dwcp::node {
namespace {

constexpr const char* kStatuses[] = {"healthy", "degraded", "unhealthy"};

void set_lane(const char* name, const char* help, const std::string& lane, double value) {
    metrics::gauge(name, help, {{"lane", lane}}).set(value);
}

void set_available(const std::string& lane, bool available) {
    set_lane("dwcp_lane_available", "Whether a command submitted here now can be committed (0 or 1).", lane,
             available);
}

void set_status(const std::string& status) {
    for (const char* name : kStatuses) {
        metrics::gauge("dwcp_health_status", "This node's health: 1 at the status that it has.",
                       {{"status", name}})
            .set(status == name);
    }
}

metrics::Counter looks(const char* status) {
    return metrics::counter("dwcp_health_looks_total",
                            "Times that this node looked after its health, by what it found.",
                            {{"status", status}});
}

double unix_seconds() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace

HealthWatch::HealthWatch(HealthWatchSources sources)
    : sources_(std::move(sources)), looked_(std::chrono::steady_clock::now()) {
    for (const char* status : kStatuses)
        looks(status); // there from the start, at 0
    hook_ = metrics::on_expose([this] { doubt(); });
    looks_.emplace("health", sources_.every, [this] { look(); });
}

void HealthWatch::look() {
    const auto begin = std::chrono::steady_clock::now();
    look_at_checks();
    look_at_lanes();
    metrics::histogram("dwcp_health_look_duration_seconds",
                       "Time that one look after the node's health took.", metrics::duration_bounds())
        .observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    metrics::gauge("dwcp_health_last_look_timestamp_seconds",
                   "When this node last looked after its health, since the Unix epoch.")
        .set(unix_seconds());
    looked_ = std::chrono::steady_clock::now();
}

/// Old figures are no health.
void HealthWatch::doubt() {
    if (std::chrono::steady_clock::now() - looked_.load() < sources_.stale_after) return;
    set_status("unhealthy");
    for (const auto& lane : sources_.lanes)
        set_available(lane, false);
}

void HealthWatch::look_at_checks() {
    const auto found = sources_.health();
    const std::string status = found.value("status", "unhealthy");
    std::set<std::string> ok;
    for (const auto& check : found.value("checks", nlohmann::json::array())) {
        const std::string name = check.value("name", "");
        checks_.insert(name);
        if (check.value("ok", false)) ok.insert(name);
    }
    for (const auto& name : checks_) {
        metrics::gauge("dwcp_health_check_ok", "Whether a check of this node's health held (0 or 1).",
                       {{"check", name}})
            .set(ok.contains(name));
    }
    set_status(status);
    for (const char* name : kStatuses) {
        if (status == name) looks(name).add();
    }
}

void HealthWatch::look_at_lanes() {
    for (const auto& lane : sources_.lanes) {
        const auto status = sources_.lane_status(lane);
        set_available(lane, status && status->available);
        if (!status) continue;
        set_lane("dwcp_lane_members", "Nodes of a lane.", lane, static_cast<double>(status->members.size()));
        set_lane("dwcp_lane_members_up", "Nodes of a lane that this node sees, itself included.", lane,
                 status->members_up);
        set_lane("dwcp_lane_quorum_members", "Nodes of a lane that must agree before it commits.", lane,
                 status->quorum);
    }
}

} // namespace dwcp::node
