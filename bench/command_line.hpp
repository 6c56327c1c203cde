// The options that every suite of bench/run has, and what wrong usage exits with.
#pragma once

#include "runtime/log/log.hpp"

#include <CLI/CLI.hpp>

#include <optional>
#include <string>

namespace dwcp::bench {

struct SuiteSettings {
    std::string cases = ".*"; ///< A regular expression that names of cases must match.
    bool quick = false;
    bool json = false;
};

/// `quick`: what --quick leaves out, in words.
inline void add_suite_options(CLI::App& app, SuiteSettings& settings, const std::string& quick) {
    app.add_option("--case", settings.cases, "Only the cases whose name matches this regular expression");
    app.add_flag("--quick", settings.quick, quick);
    app.add_flag("--json", settings.json, "A line a figure on standard output");
}

/// The exit code to end with, or nullopt to go on; only warnings are logged from then on.
inline std::optional<int> parse_command_line(CLI::App& app, int argc, char** argv) {
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    log::set_level(log::Level::warn);
    return std::nullopt;
}

} // namespace dwcp::bench
