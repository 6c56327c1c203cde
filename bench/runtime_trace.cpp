// What it costs to record a step of a workload for `dwcp-shell trace`.
#include "bench/runtime_bench.hpp"
#include "runtime/trace/ring.hpp"

#include <algorithm>
#include <chrono>

namespace dwcp::bench {
namespace {

/// More than a room holds, so that most of them push one out.
constexpr std::size_t kSpans = 20 * trace::kSpansPerActor;

double ns_each(const std::vector<std::string>& workloads, const trace::Recorder& recorder) {
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < kSpans; ++i) {
        const auto mark = trace::mark();
        recorder.record({.workload = workloads[i % workloads.size()],
                         .name = "ship",
                         .detail = "site-b",
                         .numbers = {{"blocks", 1}, {"bytes", kSpans}}},
                        mark);
    }
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count() /
           static_cast<double>(kSpans);
}

double median_ns(const RuntimeSettings& settings, const std::vector<std::string>& workloads) {
    const trace::Recorder recorder("bench", "manager/0");
    std::vector<double> rounds;
    for (int round = 0; round < (settings.quick ? 5 : 21); ++round)
        rounds.push_back(ns_each(workloads, recorder));
    std::ranges::sort(rounds);
    return rounds[rounds.size() / 2];
}

} // namespace

void measure_tracing(const RuntimeSettings& settings, const Wanted& wanted, const RuntimeReport& report) {
    std::vector<std::string> many(kSpans);
    for (std::size_t i = 0; i < many.size(); ++i)
        many[i] = "0123456789abcdef0123456789" + std::to_string(100'000 + i);
    const nlohmann::json conditions = {{"spans", kSpans}, {"threads", 1}, {"room", trace::kSpansPerActor}};
    if (wanted("trace_span_new"))
        report.add("trace_span_new", "cost_ns", median_ns(settings, many), "ns", conditions);
    if (wanted("trace_span_again"))
        report.add("trace_span_again", "cost_ns", median_ns(settings, {many.front()}), "ns", conditions);
}

} // namespace dwcp::bench
