#include "tests/unit/ramp_judge/evidence.hpp"

#include <algorithm>
#include <cmath>

namespace dwcp::ramp::test {

namespace {

/// The standard normal quantile (Acklam's central and tail approximation is more than tests need: bisection).
double normal_quantile(double q) {
    double low = -9, high = 9;
    for (int i = 0; i < 60; ++i) {
        const double middle = (low + high) / 2;
        (std::erfc(-middle / std::sqrt(2.0)) / 2 < q ? low : high) = middle;
    }
    return low;
}

} // namespace

Work work(const Traffic& traffic) {
    Work work;
    work.requests = traffic.requests;
    work.errors = traffic.errors;
    const std::uint64_t good = traffic.requests - std::min(traffic.requests, traffic.errors);
    if (traffic.sigma == 0) work.latency.add(traffic.p50_s, good);
    // At most 2,000 places, each with its share of the latencies; the remainder joins the first ones.
    const std::uint64_t places = traffic.sigma == 0 ? 0 : std::min<std::uint64_t>(good, 2'000);
    for (std::uint64_t i = 0; i < places; ++i) {
        const double q = (static_cast<double>(i) + 0.5) / static_cast<double>(places);
        work.latency.add(traffic.p50_s * std::exp(traffic.sigma * normal_quantile(q)),
                         good / places + (i < good % places ? 1 : 0));
    }
    work.bytes = static_cast<std::uint64_t>(traffic.bytes_each * static_cast<double>(good));
    work.cost_us = static_cast<std::uint64_t>(traffic.cost_us_each * static_cast<double>(good));
    return work;
}

Evidence evidence(const Traffic& canary, const Traffic& stable) {
    Evidence evidence;
    evidence.systems = {"manager"};
    evidence.window_ms = kRealDayMs;
    evidence.window_complete = true;
    evidence.now_ms = kNow;
    evidence.observation.at_ms = kNow;
    for (const char* name : {"site-a", "site-b", "site-c"}) {
        NodeReport node;
        node.node = name;
        node.incarnation = 1;
        node.seq = 1;
        node.window_ms = kRealDayMs;
        node.total.checks = 5;
        node.total.lane_looks = node.total.lane_looks_available = 1'000;
        node.total.metrics_expected = node.total.metrics_present = 40;
        node.total.resource_use = 0.4;
        SystemReport& report = node.systems["manager"];
        report.stable = "one-stream-1";
        report.canary = "multi-stream-1";
        evidence.observation.nodes.push_back(std::move(node));
    }
    SystemReport& first = evidence.observation.nodes[0].systems["manager"];
    first.canary_percent = 10;
    first.total = {work(stable), work(canary)};
    return evidence;
}

void set_recent(Evidence& evidence, const Traffic& canary, const Traffic& stable) {
    evidence.observation.nodes[0].systems["manager"].recent = {work(stable), work(canary)};
}

void set_percent(Evidence& evidence, double percent) {
    for (NodeReport& node : evidence.observation.nodes)
        node.systems["manager"].canary_percent = percent;
}

void set_history(Evidence& evidence, std::int64_t ms, Glance glance) {
    evidence.history.clear();
    for (std::int64_t ago_ms = ms; ago_ms >= 0; ago_ms -= 1'000) {
        glance.at_ms = evidence.now_ms - ago_ms;
        evidence.history.push_back(glance);
    }
}

Criterion criterion(Check check, double limit, std::uint64_t samples_min) {
    Criterion criterion;
    criterion.name = "a criterion";
    criterion.check = check;
    criterion.limit = limit;
    criterion.samples_min = samples_min;
    return criterion;
}

Trigger trigger(Trigger::What what, double limit, std::uint64_t samples_min) {
    Trigger trigger;
    trigger.name = "a trigger";
    trigger.what = what;
    trigger.limit = limit;
    trigger.samples_min = samples_min;
    return trigger;
}

Strictness real_clock() { return {}; }

Strictness rehearsal() {
    Strictness strictness;
    strictness.scale = 5'000.0 / kRealDayMs;
    return strictness;
}

} // namespace dwcp::ramp::test
