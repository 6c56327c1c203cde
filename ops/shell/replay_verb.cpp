#include "ops/shell/table.hpp"
#include "ops/shell/verbs.hpp"
#include "runtime/release/plan_file.hpp"
#include "runtime/release/replay.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <memory>
#include <sstream>

namespace dwcp::shell {
namespace {

using nlohmann::json;

struct ReplayOptions {
    std::string file, plan_file, gate;
};

Outcome<std::string> read_recording(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    const auto bytes = file ? static_cast<std::int64_t>(file.tellg()) : -1;
    if (bytes < 0) return give_up(Exit::failed, fmt::format("cannot read {}", path), "does the file exist?");
    if (static_cast<std::uint64_t>(bytes) > release::kRecordingBytesMax)
        return give_up(Exit::failed,
                       fmt::format("{} has more than {} bytes", path, release::kRecordingBytesMax),
                       "replay a part of it");
    std::string text(static_cast<std::size_t>(bytes), '\0');
    file.seekg(0);
    if (!file.read(text.data(), bytes)) return give_up(Exit::failed, fmt::format("cannot read {}", path));
    return text;
}

Outcome<ramp::Plan> find_plan(const ReplayOptions& options, const release::Recording& recording) {
    std::string text = recording.plan_toml, origin = "the plan in " + options.file;
    if (!options.plan_file.empty()) {
        auto read = release::read_plan_text(options.plan_file);
        if (!read) return std::unexpected(to_failure(read.error()));
        text = *std::move(read);
        origin = options.plan_file;
    }
    if (text.empty())
        return give_up(Exit::usage, fmt::format("{} holds no plan", options.file),
                       "--plan FILE, such as node_configs/rollout.toml");
    auto plan = release::parse_plan(text, origin);
    if (!plan) return std::unexpected(to_failure(plan.error()));
    return *std::move(plan);
}

json optional_time(const std::optional<UnixMillis>& at_ms) { return at_ms ? json(*at_ms) : json(); }

json answer_of(const release::Replay& replay) {
    json changes = json::array(), verdicts = json::array();
    for (const auto& change : replay.changes)
        changes.push_back({{"at_ms", change.at_ms}, {"what", change.what}, {"reason", change.reason}});
    for (const auto& verdict : replay.verdicts)
        verdicts.push_back({{"criterion", verdict.criterion},
                            {"outcome", to_string(verdict.outcome)},
                            {"n_canary", verdict.n_canary},
                            {"n_stable", verdict.n_stable},
                            {"reason", verdict.reason}});
    return {{"gate", replay.gate},
            {"systems", replay.systems},
            {"day_ms", replay.day_ms},
            {"rehearsal", replay.day_ms < ramp::kRealDayMs},
            {"looks", replay.looks},
            {"rolled_back_ms", optional_time(replay.rolled_back_ms)},
            {"reviewed_ms", optional_time(replay.reviewed_ms)},
            {"passed_ms", optional_time(replay.passed_ms)},
            {"changes", std::move(changes)},
            {"verdicts", std::move(verdicts)},
            {"not_judged", replay.not_judged}};
}

std::string since(UnixMillis at_ms, UnixMillis begin_ms) {
    return fmt::format("{:.1f} s", static_cast<double>(at_ms - begin_ms) / 1e3);
}

void print(std::ostream& out, const release::Replay& replay) {
    const UnixMillis begin_ms = replay.changes.front().at_ms;
    out << fmt::format("{} looks at {}, gate {}{}\n", replay.looks, fmt::join(replay.systems, ", "),
                       replay.gate, replay.day_ms < ramp::kRealDayMs ? ", judged as a rehearsal" : "");
    Table over_time({">AFTER", "WHAT", "WHY"});
    for (const auto& change : replay.changes)
        over_time.add({since(change.at_ms, begin_ms), change.what, change.reason});
    over_time.print(out);
    out << "\nat the last look:\n";
    Table verdicts({"OUTCOME", "CRITERION", "WHY"});
    for (const auto& verdict : replay.verdicts)
        verdicts.add({std::string(to_string(verdict.outcome)), verdict.criterion, verdict.reason});
    verdicts.print(out);
    if (!replay.not_judged.empty())
        out << fmt::format("not judged offline: {}\n", fmt::join(replay.not_judged, ", "));
    const auto line = [&](const char* words, const std::optional<UnixMillis>& at_ms) {
        if (at_ms) out << fmt::format("{} after {}\n", words, since(*at_ms, begin_ms));
    };
    line("would have rolled back", replay.rolled_back_ms);
    line("would have begun a review", replay.reviewed_ms);
    line("would have passed", replay.passed_ms);
    if (!replay.rolled_back_ms && !replay.reviewed_ms && !replay.passed_ms)
        out << "would have gone on waiting\n";
}

Outcome<void> run_replay(Context& context, const ReplayOptions& options) {
    const auto text = read_recording(options.file);
    if (!text) return std::unexpected(text.error());
    const auto recording = release::parse_recording(*text, options.file);
    if (!recording) return std::unexpected(to_failure(recording.error()));
    const auto plan = find_plan(options, *recording);
    if (!plan) return std::unexpected(plan.error());
    const auto replay = release::replay(*recording, *plan, options.gate);
    if (!replay) return std::unexpected(to_failure(replay.error()));
    show(context.terminal, context.settings.format, answer_of(*replay), "changes",
         [&](std::ostream& out) { print(out, *replay); });
    return {};
}

} // namespace

void add_replay_verb(CLI::App& app, std::vector<Verb>& verbs) {
    const auto options = std::make_shared<ReplayOptions>();
    CLI::App* parser = add_parser(app, "ramp replay",
                                  "Judge what a ramp recorded again, offline: when would it have passed, "
                                  "when rolled back? Asks no node.");
    parser->add_option("FILE", options->file, "What `ramp evidence` gave, or observations a line")
        ->required();
    parser->add_option("--plan", options->plan_file, "Judge by this plan; without it by the recorded one");
    parser->add_option("--gate", options->gate, "Judge this gate of the plan; without it the recorded one");
    verbs.push_back({"ramp replay", parser->get_description(),
                     "ramp replay evidence.json --plan node_configs/rollout.toml", parser,
                     [options](Context& context) { return run_replay(context, *options); }, false,
                     "`changes` over time and the last `verdicts`, from the shell."});
}

} // namespace dwcp::shell
