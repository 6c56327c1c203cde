// dwcp-bench-ramp: the ramp's judge in simulated stages, and rollbacks of real nodes.
#include "bench/ramp_bench.hpp"

#include "bench/ramp_judge.hpp"
#include "bench/ramp_rollback.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <regex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace dwcp::bench {

RampReport::RampReport(const SuiteSettings& settings) : settings_(settings) {
    if (!settings.json) fmt::print("{:<50} {:<24} {:>10}  {}\n", "case", "metric", "value", "unit");
}

void RampReport::add(const std::string& name, const std::string& metric, double value,
                     const std::string& unit, const nlohmann::json& conditions) const {
    if (settings_.json) {
        std::cout << nlohmann::json{{"suite", "ramp"}, {"case", name}, {"metric", metric},
                                    {"value", value},  {"unit", unit}, {"conditions", conditions}}
                         .dump()
                  << '\n'
                  << std::flush;
        return;
    }
    const std::string fault = conditions.value("fault", "");
    fmt::print("{:<50} {:<24} {:>10.3g}  {}\n", fault.empty() ? name : "  " + fault, metric, value, unit);
    std::fflush(stdout);
}

namespace {

double quantile(const std::vector<double>& ascending, double q) {
    if (ascending.empty()) return 0;
    const auto rank = static_cast<std::size_t>(std::ceil(q * static_cast<double>(ascending.size())));
    return ascending[std::max<std::size_t>(rank, 1) - 1];
}

void rollback(const SuiteSettings& settings, const RampReport& report) {
    const std::size_t rollbacks = settings.quick ? 3 : 10;
    const auto figures = measure_rollbacks(rollbacks, "corruption");
    const nlohmann::json conditions{{"nodes", 3},
                                    {"links", "loopback"},
                                    {"rollbacks", rollbacks},
                                    {"canary", "manager at 50 % on every node"},
                                    {"fault", ""},
                                    {"trigger", "data corruption"},
                                    {"puts_per_s", figures.puts_per_s},
                                    {"cores", std::thread::hardware_concurrency()}};
    report.add("rollback", "rollback_p50_ms", quantile(figures.restored_ms, 0.5), "ms", conditions);
    report.add("rollback", "rollback_p99_ms", quantile(figures.restored_ms, 0.99), "ms", conditions);
    report.add("rollback", "last_canary_p99_ms", quantile(figures.last_canary_ms, 0.99), "ms", conditions);
    report.add("rollback", "time_to_detect_p50_ms", quantile(figures.detected_ms, 0.5), "ms", conditions);
    report.add("rollback", "acknowledged_puts", static_cast<double>(figures.acknowledged), "count",
               conditions);
    report.add("rollback", "keys_lost_or_reordered", static_cast<double>(figures.lost), "count", conditions);
}

int run(const SuiteSettings& settings) {
    const std::regex pattern(settings.cases);
    const RampWanted wanted = [&](const std::string& name) { return std::regex_search(name, pattern); };
    const RampReport report(settings);
    measure_judge(settings, wanted, report);
    if (wanted("rollback")) rollback(settings, report);
    return 0;
}

} // namespace
} // namespace dwcp::bench

int main(int argc, char** argv) {
    using namespace dwcp::bench;
    CLI::App app{"Measures the ramp: how often its judge is wrong, and how fast it rolls back",
                 "dwcp-bench-ramp"};
    SuiteSettings settings;
    add_suite_options(app, settings, "Fewer simulated stages");
    if (const auto exit = parse_command_line(app, argc, argv)) return *exit;
    try {
        return run(settings);
    } catch (const std::exception& error) {
        std::cerr << "dwcp-bench-ramp: " << error.what() << '\n';
        return 1;
    }
}
