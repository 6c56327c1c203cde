// dwcp-sim: whole committees of consensus replicas in a simulated world of faults.
#include "tests/sim/consensus/campaign.hpp"
#include "tests/sim/consensus/describe.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <string>

namespace {

using namespace dwcp;
using namespace dwcp::sim;
using Wall = std::chrono::steady_clock;

constexpr int kExitViolation = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;
/// Between two lines of progress.
constexpr auto kProgressEvery = std::chrono::seconds(5);

std::atomic<bool> stop{false};
void on_signal(int) { stop = true; }

struct Arguments {
    std::string engine = "all";
    std::size_t n = 0;
    std::string scenario = "all";
    std::string seeds = "1..20";
    std::string mode = "both";
    std::string crypto = "cheap";
    std::uint64_t replay = 0;
    std::string json;
    double minutes = 0;
    unsigned jobs = 1;
    bool list = false;
    bool trace = false;
    bool campaign = false;
    bool as_json = false;
    bool is_replay = false;
};

double seconds_since(Wall::time_point start) {
    return std::chrono::duration<double>(Wall::now() - start).count();
}

int usage(const std::string& what) {
    fmt::print(stderr, "dwcp-sim: {}\n  try: dwcp-sim --help\n", what);
    return kExitUsage;
}

void list() {
    fmt::print("{:20}{:8}{:8}{:14}{}\n", "SCENARIO", "PBFT", "PROBFT", "ADVERSARIES", "WHAT HAPPENS");
    for (const auto& scenario : scenarios())
        fmt::print("{:20}{:8}{:8}{:14}{}\n", scenario.name, scenario.pbft ? "yes" : "-",
                   scenario.probft ? "yes" : "-", scenario.adversaries, scenario.sentence);
    fmt::print("\nNot simulated here:\n");
    for (const auto& [adversary, reason] : not_applicable())
        fmt::print("  {}: {}\n", adversary, reason);
}

std::optional<std::pair<std::uint64_t, std::uint64_t>> seeds_in(const std::string& text) {
    std::uint64_t first = 0, last = 0;
    int end = 0;
    if (std::sscanf(text.c_str(), "%lu..%lu%n", &first, &last, &end) == 2 &&
        end == static_cast<int>(text.size()) && first <= last)
        return std::pair{first, last};
    if (std::sscanf(text.c_str(), "%lu%n", &first, &end) == 1 && end == static_cast<int>(text.size()))
        return std::pair{first, first};
    return std::nullopt;
}

Mode mode_in(const std::string& text) {
    return text == "safety" ? Mode::safety : text == "liveness" ? Mode::liveness : Mode::both;
}

std::string replay_command(const Arguments& arguments, const Failure& failure) {
    std::string text = fmt::format(
        "dwcp-sim --engine {}{} --scenario {} --replay {} --trace", to_string(failure.engine),
        arguments.n != 0 ? fmt::format(" --n {}", arguments.n) : "", failure.scenario, failure.seed);
    if (arguments.mode != "both") text += " --mode " + arguments.mode;
    if (arguments.crypto != "cheap") text += " --crypto " + arguments.crypto;
    return text;
}

nlohmann::ordered_json to_json(const CampaignOptions& options, const CampaignReport& report, double seconds) {
    nlohmann::ordered_json json;
    json["seeds"] = {{"first", options.first_seed}, {"last", options.last_seed}, {"done", report.seeds_done}};
    json["interrupted"] = report.interrupted;
    std::uint64_t runs = 0, events = 0;
    auto& cases = json["cases"] = nlohmann::ordered_json::array();
    for (const auto& [name, tally] : report.tallies) {
        runs += tally.runs, events += tally.events;
        cases.push_back({{"engine", name.first},
                         {"scenario", name.second},
                         {"runs", tally.runs},
                         {"events", tally.events},
                         {"messages", tally.messages},
                         {"blocks", tally.heights},
                         {"commands", tally.commands},
                         {"crashes", tally.crashes},
                         {"certificates_verified", tally.certificates},
                         {"convictions", tally.convictions},
                         {"messages_refused", tally.refused},
                         {"views_max", tally.views_max},
                         {"healed_ms_max", tally.healed_max / kMillisecond},
                         {"over_threshold_losses", tally.lost},
                         {"trace", fmt::format("{:016x}", tally.trace)}});
    }
    json["runs"] = runs;
    json["events"] = events;
    json["violations"] = nlohmann::ordered_json::array();
    for (const auto& failure : report.failures)
        json["violations"].push_back({{"engine", to_string(failure.engine)},
                                      {"scenario", failure.scenario},
                                      {"seed", failure.seed},
                                      {"violation", failure.violation}});
    json["seconds"] = seconds;
    json["events_per_s"] =
        seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(events) / seconds) : 0;
    return json;
}

void print_table(const CampaignReport& report, double seconds) {
    fmt::print("{:8}{:21}{:>8}{:>12}{:>10}{:>10}{:>9}{:>7}{:>11}\n", "ENGINE", "SCENARIO", "RUNS", "EVENTS",
               "BLOCKS", "COMMANDS", "CRASHES", "VIEWS", "HEALED MS");
    Tally total;
    for (const auto& [name, tally] : report.tallies) {
        fmt::print("{:8}{:21}{:>8}{:>12}{:>10}{:>10}{:>9}{:>7}{:>11}\n", name.first, name.second, tally.runs,
                   tally.events, tally.heights, tally.commands, tally.crashes, tally.views_max,
                   tally.healed_max / kMillisecond);
        total.runs += tally.runs;
        total.events += tally.events;
    }
    fmt::print("{} runs, {} events in {:.1f} s ({:.0f} events/s){}\n", total.runs, total.events, seconds,
               static_cast<double>(total.events) / std::max(seconds, 1e-9),
               report.interrupted ? "; ended early" : "");
}

void explain(const Arguments& arguments, const Failure& failure, const CampaignOptions& options) {
    fmt::print("VIOLATION {} {} seed {}: {}\n  replay: {}\n", to_string(failure.engine), failure.scenario,
               failure.seed, failure.violation, replay_command(arguments, failure));
    if (stop) return;
    const auto plan =
        plan_for(*find_scenario(failure.scenario), failure.engine, options.n, failure.seed, options.mode);
    const auto shrunk = shrink(plan, failure.violation, options.real_crypto);
    fmt::print("  {} of its {} faults are enough ({} runs): {}\n", shrunk.plan.faults.size(),
               plan.faults.size(), shrunk.runs, shrunk.violation);
    for (const auto& fault : shrunk.plan.faults)
        fmt::print("    {}\n", describe(fault, plan.hosts));
}

int replay(const Arguments& arguments, const CampaignOptions& options) {
    if (options.engines.size() != 1 || options.scenarios.size() != 1)
        return usage("--replay needs one --engine and one --scenario");
    const auto plan = plan_for(*options.scenarios.front(), options.engines.front(), options.n,
                               arguments.replay, options.mode);
    fmt::print("{} hosts, {} members, seed {}; faults:\n", plan.hosts, plan.members, plan.seed);
    for (const auto& fault : plan.faults)
        fmt::print("  {}\n", describe(fault, plan.hosts));
    World::Tracer tracer;
    if (arguments.trace)
        tracer = [](Moment at, const std::string& line) {
            fmt::print("{:12.6f} ms  {}\n", static_cast<double>(at) / 1e6, line);
        };
    const auto report = run_plan(plan, options.real_crypto, tracer);
    fmt::print(
        "{} events, {} messages, {} blocks, {} commands, {} answered, view {}, epoch {}, {} convicted, "
        "healed in {} ms, trace {:016x}\n",
        report.events, report.messages, report.heights, report.commands, report.answered, report.views,
        report.epochs, report.convicted, report.healed_in / kMillisecond, report.trace);
    if (!report.note.empty()) fmt::print("note: {}\n", report.note);
    if (report.violation.empty()) return 0;
    fmt::print("VIOLATION: {}\n", report.violation);
    return kExitViolation;
}

int run(const Arguments& arguments, const CampaignOptions& options) {
    const auto start = Wall::now();
    auto last = start;
    const auto progress = [&](std::uint64_t runs, std::uint64_t of) {
        if (arguments.minutes > 0 && seconds_since(start) > arguments.minutes * 60) stop = true;
        if (Wall::now() - last < kProgressEvery) return;
        last = Wall::now();
        fmt::print(stderr, "{} of {} runs, {:.0f} s\n", runs, of, seconds_since(start));
    };
    const auto report = run_campaign(options, stop, progress);
    const double seconds = seconds_since(start);
    const bool by_time = arguments.minutes > 0 && seconds > arguments.minutes * 60;
    const auto json = to_json(options, report, seconds).dump(2);
    if (!arguments.json.empty() && arguments.json != "-") {
        std::ofstream file(arguments.json);
        file << json << "\n";
        if (!file) return usage("cannot write " + arguments.json);
    }
    if (arguments.as_json && (arguments.json.empty() || arguments.json == "-"))
        fmt::print("{}\n", json);
    else {
        print_table(report, seconds);
        for (std::size_t i = 0; i < report.failures.size(); ++i) {
            const auto& failure = report.failures[i];
            if (i < 10)
                explain(arguments, failure, options);
            else
                fmt::print("VIOLATION {} {} seed {}: {}\n", to_string(failure.engine), failure.scenario,
                           failure.seed, failure.violation);
        }
    }
    if (!report.failures.empty()) return kExitViolation;
    return report.interrupted && !by_time ? kExitInterrupted : 0;
}

int act(const Arguments& arguments) {
    CampaignOptions options;
    const auto engine = consensus::engine_from(arguments.engine);
    if (arguments.engine == "all")
        options.engines = {consensus::EngineKind::pbft, consensus::EngineKind::probft};
    else if (engine == consensus::EngineKind::pbft || engine == consensus::EngineKind::probft)
        options.engines = {*engine};
    else
        return usage("there is no engine '" + arguments.engine + "' here; pbft and probft are simulated");
    const auto* scenario = find_scenario(arguments.scenario);
    if (scenario == nullptr && arguments.scenario != "all")
        return usage("there is no scenario '" + arguments.scenario + "'; --list names them");
    for (const auto& each : scenarios())
        if (scenario == nullptr || scenario == &each) options.scenarios.push_back(&each);
    const auto seeds = seeds_in(arguments.seeds);
    if (!seeds) return usage("--seeds wants A..B, e.g. 1..100");
    if (scenario != nullptr && engine && !scenario->applies_to(*engine))
        return usage(fmt::format("scenario {} does not apply to {}; --list says why", scenario->name,
                                 arguments.engine));
    if (arguments.n != 0 && arguments.n < 4) return usage("--n wants at least 4, so that one may fail");
    options.n = arguments.n;
    std::tie(options.first_seed, options.last_seed) = *seeds;
    options.mode = mode_in(arguments.mode);
    options.real_crypto = arguments.crypto == "real";
    options.jobs = std::max(arguments.jobs, 1U);
    options.go_on = arguments.campaign;
    return arguments.is_replay ? replay(arguments, options) : run(arguments, options);
}

} // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    CLI::App app{
        "Runs whole committees of consensus replicas in a simulated world and checks their promises after "
        "every event. A seed decides everything; the same seed gives the same trace."};
    app.add_option("--engine", arguments.engine, "pbft, probft or all")->capture_default_str();
    app.add_option("--n", arguments.n, "Replicas; 0: four or seven, by the seed")->capture_default_str();
    app.add_option("--scenario", arguments.scenario, "One of --list, or all")->capture_default_str();
    app.add_option("--seeds", arguments.seeds, "A..B")->capture_default_str();
    app.add_option("--mode", arguments.mode,
                   "both: faults, then healing and progress; safety: faults to the end; "
                   "liveness: soon healing")
        ->check(CLI::IsMember({"both", "safety", "liveness"}))
        ->capture_default_str();
    app.add_option("--crypto", arguments.crypto, "cheap: keyed hashes; real: Ed25519 and ECVRF")
        ->check(CLI::IsMember({"cheap", "real"}))
        ->capture_default_str();
    auto* replayed = app.add_option("--replay", arguments.replay, "Run this seed alone and tell its faults")
                         ->type_name("SEED");
    app.add_flag("--trace", arguments.trace, "With --replay: tell every message");
    app.add_flag("--campaign", arguments.campaign, "Go on after a violation");
    app.add_option("--minutes", arguments.minutes, "End after so long, with a summary")->type_name("M");
    app.add_option("--jobs", arguments.jobs, "Threads; the result is the same with any number")
        ->capture_default_str();
    auto* json = app.add_option("--json", arguments.json, "Summary as JSON, into FILE or on standard output")
                     ->type_name("[FILE]")
                     ->expected(0, 1);
    app.add_flag("--list", arguments.list, "Name the scenarios");
    app.footer(
        "Exit codes: 0 every promise was kept, 1 a violation (the seed and how to replay it are printed), "
        "2 wrong usage, 130 interrupted.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kExitUsage;
    }
    arguments.is_replay = replayed->count() > 0;
    arguments.as_json = json->count() > 0;
    if (arguments.list) {
        list();
        return 0;
    }
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    return act(arguments);
}
