// dwcp-bench-runtime: round trips of actors and of control links against bare CAF.
#include "bench/runtime_bench.hpp"

#include "bench/transport_process.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <regex>

namespace dwcp::bench {

RuntimeReport::RuntimeReport(const RuntimeSettings& settings) : settings_(settings) {
    if (!settings.json) fmt::print("{:<28} {:<28} {:>10} {}\n", "case", "metric", "value", "unit");
}

void RuntimeReport::add(const std::string& name, const std::string& metric, double value,
                        const std::string& unit, const nlohmann::json& conditions) const {
    if (settings_.json) {
        const nlohmann::json figure = {{"suite", "runtime"}, {"case", name}, {"metric", metric},
                                       {"value", value},     {"unit", unit}, {"conditions", conditions}};
        fmt::print("{}\n", figure.dump());
    } else {
        fmt::print("{:<28} {:<28} {:>10.2f} {}\n", name, metric, value, unit);
    }
    std::fflush(stdout);
}

namespace {

void run(const RuntimeSettings& settings) {
    const std::regex pattern(settings.cases);
    const Wanted wanted = [&](const std::string& name) { return std::regex_search(name, pattern); };
    const RuntimeReport report(settings);
    measure_round_trips(settings, wanted, report);
    measure_tracing(settings, wanted, report);
    measure_nodes(settings, wanted, report);
}

} // namespace
} // namespace dwcp::bench

int main(int argc, char** argv) {
    dwcp::bench::RuntimeSettings settings;
    CLI::App app("What a node's runtime costs, against bare CAF in the same run.");
    dwcp::bench::add_suite_options(app, settings, "Fewer rounds; ends within 60 s");
    if (const auto exit = dwcp::bench::parse_command_line(app, argc, argv)) return *exit;
    dwcp::bench::watch_for_interrupt();
    try {
        dwcp::bench::run(settings);
    } catch (const std::exception& error) {
        fmt::print(stderr, "dwcp-bench-runtime: {}\n", error.what());
        return dwcp::bench::interrupted() ? 130 : 1;
    }
    return 0;
}
