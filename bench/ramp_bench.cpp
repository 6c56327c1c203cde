// dwcp-bench-ramp: the ramp's judge in simulated stages.
#include "bench/ramp_bench.hpp"

#include "bench/ramp_judge.hpp"

#include <fmt/format.h>

#include <iostream>
#include <regex>
#include <stdexcept>

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

int run(const SuiteSettings& settings) {
    const std::regex pattern(settings.cases);
    const RampWanted wanted = [&](const std::string& name) { return std::regex_search(name, pattern); };
    const RampReport report(settings);
    measure_judge(settings, wanted, report);
    return 0;
}

} // namespace
} // namespace dwcp::bench

int main(int argc, char** argv) {
    using namespace dwcp::bench;
    CLI::App app{"Measures the ramp: how often its judge is wrong", "dwcp-bench-ramp"};
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
