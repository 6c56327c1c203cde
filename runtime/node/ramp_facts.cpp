#include "runtime/node/ramp_facts.hpp"

#include "runtime/metrics/metrics.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <fstream>
#include <limits>
#include <string_view>
#include <unistd.h>

namespace dwcp::node {
namespace {

using nlohmann::json;

/// Events that no release may cause.
constexpr std::array<std::string_view, 5> kCriticalEvents{"actor_given_up", "supervisor_escalated",
                                                          "actor_crash_looping", "control_gateway_failed",
                                                          "store_failed"};
/// Events that prove that somebody tampered with this node.
constexpr std::array<std::string_view, 1> kSecurityEvents{"audit_broken"};
/// Why a control frame of a peer was dropped without anybody's ill will: what a node that stalled or started
/// again, or its peer, still sends in a session that is gone.
constexpr std::array<std::string_view, 3> kHarmlessFrames{"no_session", "stale_incarnation", "refused"};
/// Whom frames are attributed to that no peer sent: anybody who reaches the port.
constexpr std::string_view kStranger = "unknown";
/// Frames of this reason are blocks that were damaged on their way.
constexpr std::string_view kDamagedFrame = "bad_checksum";
/// The event of a block that arrived whole and is not what its address says.
constexpr std::string_view kDamagedBlock = "block_received_corrupt";

/// What ops/prometheus names; made from its files when this was built.
constexpr const char* kRuleMetrics[] = {
#include "runtime/node/rule_metrics.inc"
};

std::uint64_t process_cpu_ns() {
    timespec used{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<std::uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(used.tv_nsec);
}

double memory_share() {
    const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
    double limit = page * static_cast<double>(sysconf(_SC_PHYS_PAGES));
    // A limit of the control group, where there is one; "max" is none and reads as nothing.
    if (double cgroup = 0; std::ifstream("/sys/fs/cgroup/memory.max") >> cgroup && cgroup > 0)
        limit = std::min(limit, cgroup);
    double total_pages = 0, resident_pages = 0;
    std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
    return limit > 0 ? resident_pages * page / limit : 0;
}

template<std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

std::string label_of(const metrics::Sample& sample, const char* label) {
    const auto found = sample.labels.find(label);
    return found == sample.labels.end() ? std::string() : found->second;
}

} // namespace

std::string family_of(std::string_view series) {
    for (const std::string_view suffix : {"_bucket", "_count", "_sum"})
        if (series.ends_with(suffix)) return std::string(series.substr(0, series.size() - suffix.size()));
    return std::string(series);
}

bool is_breach(std::string_view peer, std::string_view reason) {
    return peer != kStranger && !is_one_of(kHarmlessFrames, reason);
}

RampFacts::RampFacts(RampFactsSources sources, ramp::FactsWindow& window)
    : sources_(std::move(sources)), window_(window), cpu_ns_(process_cpu_ns()),
      looked_(std::chrono::steady_clock::now()) {
    for (const char* name : kRuleMetrics)
        if (sources_.tls || std::string_view(name).find("_tls_") == std::string_view::npos)
            expected_.insert(family_of(name));
    looks_.emplace("ramp-facts", sources_.every, [this] { look(); });
}

void RampFacts::look() {
    ramp::Facts facts;
    examine(facts);
    count(facts);
    facts.resource_use = resource_use();
    window_.look(std::move(facts), std::chrono::steady_clock::now());
}

void RampFacts::examine(ramp::Facts& facts) {
    const json report = sources_.health();
    std::size_t lanes = 0;
    for (const json& check : report.value("checks", json::array())) {
        const std::string name = check.value("name", "");
        const bool ok = check.value("ok", false);
        ++facts.checks;
        if (name.starts_with("lane ") && ok) ++lanes;
        if (ok) continue;
        ++facts.checks_failing;
        if (facts.failing.size() < ramp::kFailingNamesMax) facts.failing.push_back(name);
    }
    ++lane_looks_;
    if (lanes >= sources_.lanes) ++lane_looks_available_;
    facts.lane_looks = lane_looks_;
    facts.lane_looks_available = lane_looks_available_;
}

void RampFacts::count(ramp::Facts& facts) const {
    std::set<std::string> present;
    for (const auto& sample : metrics::samples("dwcp_")) {
        const std::string family = family_of(sample.name);
        const auto value = static_cast<std::uint64_t>(std::max(0.0, sample.value));
        if (expected_.contains(family)) present.insert(family);
        if (family == "dwcp_lane_submit_failures_total") facts.consensus_failures += value;
        if (family == "dwcp_store_corruptions_total") facts.corruptions += value;
        if (family == "dwcp_data_bad_frames_total" && label_of(sample, "reason") == kDamagedFrame)
            facts.corruptions += value;
        if (family == "dwcp_control_bad_frames_total" &&
            is_breach(label_of(sample, "peer"), label_of(sample, "reason")))
            facts.security_breaches += value;
        if (family != "dwcp_events_total") continue;
        const std::string event = label_of(sample, "event");
        if (is_one_of(kCriticalEvents, event)) facts.critical_incidents += value;
        if (event == kDamagedBlock) facts.corruptions += value;
        if (is_one_of(kSecurityEvents, event)) facts.security_breaches += value;
    }
    facts.metrics_expected = expected_.size();
    facts.metrics_present = present.size();
}

/// The scarcest of what this node may use: the processors, the memory, the disk for blocks.
double RampFacts::resource_use() {
    const auto now = std::chrono::steady_clock::now();
    const std::uint64_t cpu_ns = process_cpu_ns();
    const double elapsed_ns =
        static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(now - looked_).count());
    const double cores = std::max(1U, std::thread::hardware_concurrency());
    const double cpu = elapsed_ns > 0 ? static_cast<double>(cpu_ns - cpu_ns_) / elapsed_ns / cores : 0;
    cpu_ns_ = cpu_ns;
    looked_ = now;
    const auto space = sources_.space();
    const double disk = space.capacity_bytes > 0 ? static_cast<double>(space.used_bytes) /
                                                       static_cast<double>(space.capacity_bytes)
                                                 : 1;
    return std::clamp(std::max({cpu, memory_share(), disk}), 0.0, 1.0);
}

} // namespace dwcp::node
