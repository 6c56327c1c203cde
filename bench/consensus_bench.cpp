// dwcp-bench-consensus: committees over processes, and large ones in a simulation.
#include "bench/consensus_bench.hpp"

#include "bench/transport_process.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <regex>
#include <stdexcept>

namespace dwcp::bench {

ConsensusReport::ConsensusReport(const SuiteSettings& settings) : settings_(settings) {}

void ConsensusReport::add(const std::string& name, const std::vector<Figure>& figures,
                          const nlohmann::json& conditions) const {
    if (settings_.json) {
        for (const auto& [metric, value, unit] : figures) {
            const nlohmann::json line = {{"suite", "consensus"}, {"case", name}, {"metric", metric},
                                         {"value", value},       {"unit", unit}, {"conditions", conditions}};
            fmt::print("{}\n", line.dump());
        }
    } else {
        fmt::print("{}", name);
        if (conditions.contains("clients_in_flight"))
            fmt::print("  {} in flight, {} B, {} processes, {:.0f} a block",
                       conditions["clients_in_flight"].get<std::size_t>(),
                       conditions["payload_bytes"].get<std::size_t>(),
                       conditions["processes"].get<std::size_t>(), conditions["block_size"].get<double>());
        fmt::print("\n");
        for (const auto& [metric, value, unit] : figures)
            fmt::print("    {:<34} {:>12.3f} {}\n", metric, value, unit);
        if (conditions.contains("for_scale"))
            fmt::print("    for scale: {}\n", conditions["for_scale"].get<std::string>());
    }
    std::fflush(stdout);
}

namespace {

void run(const SuiteSettings& settings) {
    const std::regex pattern(settings.cases);
    const ConsensusWanted wanted = [&](const std::string& name) {
        if (interrupted()) throw std::runtime_error("interrupted");
        return std::regex_search(name, pattern);
    };
    const ConsensusReport report(settings);
    measure_committees(settings, wanted, report);
}

} // namespace
} // namespace dwcp::bench

int main(int argc, char** argv) {
    dwcp::bench::SuiteSettings settings;
    CLI::App app("Latency, throughput and cost of a lane's engines; ends with an error if two processes "
                 "decide differently.");
    dwcp::bench::add_suite_options(app, settings, "A second a load, the usual cases; ends within 60 s");
    if (const auto exit = dwcp::bench::parse_command_line(app, argc, argv)) return *exit;
    dwcp::bench::watch_for_interrupt();
    try {
        dwcp::bench::run(settings);
    } catch (const std::exception& error) {
        fmt::print(stderr, "\ndwcp-bench-consensus: {}\n", error.what());
        return dwcp::bench::interrupted() ? 130 : 1;
    }
    return 0;
}
