#include "ops/runner/report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::runner {
namespace {

constexpr double kMB = 1e6;
constexpr double kBackLimitMs = 100; ///< For the median: one may meet a busy moment of the machine.
constexpr double kServeLimitMs =
    1'000; ///< For the slowest: a whole put, while a dozen clients load the machine.
constexpr double kNodeLimitMs = 5'000;
constexpr std::size_t kProblemsShown = 10;

double megabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / kMB; }
double rate(std::uint64_t bytes, double seconds) { return seconds > 0 ? megabytes(bytes) / seconds : 0; }

/// A name as a terminal may show it: no control characters.
std::string printable(std::string name) {
    std::ranges::replace_if(
        name, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    return name;
}

struct Tally {
    std::size_t equal = 0, changed = 0, vanished = 0, failed = 0;
    std::uint64_t equal_bytes = 0;
};

Tally tally_of(const Report& report) {
    Tally tally;
    for (const Shipped& shipped : *report.outcomes)
        switch (shipped.outcome) {
        case Outcome::equal:
            ++tally.equal;
            tally.equal_bytes += shipped.size_bytes;
            break;
        case Outcome::changed:
            ++tally.changed;
            break;
        case Outcome::vanished:
            ++tally.vanished;
            break;
        case Outcome::waiting:
        case Outcome::acknowledged:
        case Outcome::failed:
            ++tally.failed;
            break;
        }
    return tally;
}

Check check_files(const Tally& tally) {
    return {"every file came back equal from a site that did not receive it",
            tally.failed == 0 && tally.equal > 0,
            fmt::format("{} equal by SHA-256, {} failed, {} changed on disk meanwhile, {} vanished",
                        tally.equal, tally.failed, tally.changed, tally.vanished)};
}

Check check_actors(const Report& report) {
    std::vector<double> back, serve;
    for (const auto& kill : report.actor_kills)
        if (kill.back) back.push_back(kill.back_ms), serve.push_back(kill.serve_ms);
    std::ranges::sort(back);
    const double median = back.empty() ? 0 : back[back.size() / 2];
    const double slowest = serve.empty() ? 0 : std::ranges::max(serve);
    return {"every killed actor was back and served",
            !back.empty() && back.size() == report.actor_kills.size() && median < kBackLimitMs &&
                slowest < kServeLimitMs,
            fmt::format("{} of {}; back in {:.0f} ms in the median (limit {:.0f} ms), a put had succeeded "
                        "after {:.0f} ms at "
                        "worst (limit {:.0f} ms), under load",
                        back.size(), report.actor_kills.size(), median, kBackLimitMs, slowest,
                        kServeLimitMs)};
}

Check check_systems(const Report& report) {
    std::string missing;
    for (const char* system : {"manager", "compression", "allocator", "consensus", "gateway"})
        if (std::ranges::none_of(report.actor_kills,
                                 [&](const auto& kill) { return kill.path.starts_with(system); }))
            missing += std::string(missing.empty() ? "" : ", ") + system;
    return {"an actor of every system was killed", missing.empty(),
            missing.empty() ? fmt::format("{} actors", report.actor_kills.size()) : "none of " + missing};
}

Check check_restarts(const Report& report) {
    std::uint64_t counted = report.restarts_before_node_kill;
    for (const auto& node : report.nodes)
        counted += node.restarts;
    return {"the supervisors counted every restart", counted >= report.actor_kills.size(),
            fmt::format("{} restarts, {} kills", counted, report.actor_kills.size())};
}

std::vector<Check> check_node(const NodeKill& kill) {
    const bool back = kill.happened && kill.problem.empty();
    return {
        {"the killed node came back by itself", back && kill.connected_ms < kNodeLimitMs,
         back ? fmt::format("ready in {:.0f} ms, peers in {:.0f} ms (limit {:.0f} ms)", kill.ready_ms,
                            kill.connected_ms, kNodeLimitMs)
              : kill.problem},
        {"the killed node's workloads were taken up again",
         back && kill.undecided == 0 && kill.decided_ms < kNodeLimitMs,
         fmt::format("{} under way or done: {} committed, {} reported as failed, {} undecided; in {:.0f} ms "
                     "(limit {:.0f} ms)",
                     kill.workloads, kill.committed, kill.failed, kill.undecided, kill.decided_ms,
                     kNodeLimitMs)},
        {"nothing acknowledged by the killed node was lost", back && kill.lost == 0 && kill.acknowledged > 0,
         fmt::format("{} acknowledged, {} lost", kill.acknowledged, kill.lost)},
    };
}

Check check_end(const Report& report) {
    std::string trouble;
    for (const auto& node : report.nodes) {
        if (!node.ready) trouble += node.name + " is not ready; ";
        if (!node.connected) trouble += node.name + " does not see all peers; ";
        if (node.corruptions > 0)
            trouble += fmt::format("{} saw {} corrupt values; ", node.name, node.corruptions);
    }
    return {"all nodes are ready, connected and without corruption at the end",
            trouble.empty() && !report.nodes.empty(),
            trouble.empty() ? fmt::format("{} nodes", report.nodes.size()) : trouble};
}

std::string codec_table(const Report& report) {
    std::string text =
        fmt::format("\n  {:<12} {:>8} {:>12} {:>12} {:>7}\n", "codec", "objects", "MB", "MB stored", "ratio");
    for (const auto& [codec, total] : report.codecs)
        text += fmt::format(
            "  {:<12} {:>8} {:>12.1f} {:>12.1f} {:>7.2f}\n", codec, total.objects, megabytes(total.raw_bytes),
            megabytes(total.stored_bytes),
            total.stored_bytes > 0 ? megabytes(total.raw_bytes) / megabytes(total.stored_bytes) : 0.0);
    return text;
}

std::string kill_table(const Report& report) {
    std::string text =
        fmt::format("\n  {:<26} {:<10} {:>10} {:>12}\n", "killed", "on", "back ms", "serves ms");
    for (const auto& kill : report.actor_kills)
        text += fmt::format("  {:<26} {:<10} {:>10.1f} {:>12.1f}{}{}\n", kill.path, kill.node, kill.back_ms,
                            kill.serve_ms, kill.problem.empty() ? "" : "  ", kill.problem);
    const auto& node = report.node_kill;
    if (node.happened)
        text += fmt::format("  {:<26} {:<10} {:>10.1f} {:>12.1f}  after {:.0f} ms away\n", "the whole node",
                            node.node, node.ready_ms, node.decided_ms, node.away_ms);
    return text;
}

std::string problem_list(const Report& report) {
    std::string text;
    std::size_t shown = 0, more = 0;
    for (std::size_t i = 0; i < report.outcomes->size(); ++i) {
        const Shipped& shipped = (*report.outcomes)[i];
        if (shipped.outcome == Outcome::equal) continue;
        if (shown == kProblemsShown)
            ++more;
        else if (++shown; true)
            text += fmt::format("  {}: {}\n", printable(report.collection->files[i].path.string()),
                                shipped.problem.empty() ? "not finished" : shipped.problem);
    }
    if (more > 0) text += fmt::format("  and {} more\n", more);
    return text.empty() ? text : "\nfiles that did not come back equal:\n" + text;
}

std::string left_out_list(const Collection& collection) {
    std::string text;
    for (const auto& [reason, count] : collection.left_out)
        text += fmt::format("  {:>6}  {}, for example {}\n", count, reason,
                            printable(collection.left_out_example.at(reason)));
    return text.empty() ? text : "\nleft out:\n" + text;
}

nlohmann::json to_json(const ActorKill& kill) {
    return {{"path", kill.path},       {"node", kill.node},         {"back", kill.back},
            {"back_ms", kill.back_ms}, {"serve_ms", kill.serve_ms}, {"problem", kill.problem}};
}

nlohmann::json to_json(const NodeKill& kill) {
    return {{"node", kill.node},
            {"happened", kill.happened},
            {"away_ms", kill.away_ms},
            {"ready_ms", kill.ready_ms},
            {"decided_ms", kill.decided_ms},
            {"connected_ms", kill.connected_ms},
            {"workloads", kill.workloads},
            {"acknowledged", kill.acknowledged},
            {"committed", kill.committed},
            {"failed", kill.failed},
            {"undecided", kill.undecided},
            {"lost", kill.lost},
            {"problem", kill.problem}};
}

} // namespace

std::vector<Check> judge(const Report& report) {
    std::vector<Check> checks{check_files(tally_of(report)), check_systems(report), check_actors(report),
                              check_restarts(report)};
    std::ranges::move(check_node(report.node_kill), std::back_inserter(checks));
    if (report.rollout) std::ranges::move(judge(*report.rollout), std::back_inserter(checks));
    checks.push_back(check_end(report));
    return checks;
}

bool all_held(const std::vector<Check>& checks) { return std::ranges::all_of(checks, &Check::held); }

std::string to_text(const Report& report, const std::vector<Check>& checks) {
    const Tally tally = tally_of(report);
    std::uint64_t raw = 0, stored = 0;
    for (const auto& [codec, total] : report.codecs)
        raw += total.raw_bytes, stored += total.stored_bytes;
    std::string text = fmt::format("\n{}\n\n", report.source);
    text += fmt::format("  files        {} ({:.1f} MB), {} returned equal\n", report.collection->files.size(),
                        megabytes(report.collection->bytes), tally.equal);
    text += fmt::format("  put          {:.1f} MB/s over {:.1f} s, incidents included\n",
                        rate(report.put.bytes, report.put_seconds), report.put_seconds);
    text += fmt::format("  get          {:.1f} MB/s over {:.1f} s, from another site, hashed here\n",
                        rate(report.get.bytes, report.get_seconds), report.get_seconds);
    text += fmt::format("  compression  {:.1f} MB stored as {:.1f} MB, ratio {:.2f}\n", megabytes(raw),
                        megabytes(stored), stored > 0 ? megabytes(raw) / megabytes(stored) : 0.0);
    text += fmt::format("  retries      {} refusals (429, 503), {} broken connections\n",
                        report.put.refusals + report.get.refusals,
                        report.put.broken_connections + report.get.broken_connections);
    for (const auto& node : report.nodes)
        text +=
            fmt::format("  {:<12} started in {:.0f} ms, {} restarts of actors, {:.0f} MB of memory at most\n",
                        node.name, node.start_ms, node.restarts, megabytes(node.resident_peak_bytes));
    text += codec_table(report) + kill_table(report) + left_out_list(*report.collection) +
            problem_list(report) + "\n";
    if (report.rollout) text += to_text(*report.rollout) + "\n";
    for (const auto& check : checks)
        text += fmt::format("  {}  {}: {}\n", check.held ? "PASS" : "FAIL", check.name, check.detail);
    const auto held = std::ranges::count_if(checks, &Check::held);
    text += fmt::format("\n  {} of {} checks held\n", held, checks.size());
    return text;
}

nlohmann::json to_json(const Report& report, const std::vector<Check>& checks) {
    const Tally tally = tally_of(report);
    nlohmann::json json{
        {"source", report.source},
        {"held", all_held(checks)},
        {"files", report.collection->files.size()},
        {"bytes", report.collection->bytes},
        {"equal", tally.equal},
        {"failed", tally.failed},
        {"changed", tally.changed},
        {"vanished", tally.vanished},
        {"left_out", report.collection->left_out},
        {"put", {{"seconds", report.put_seconds}, {"mb_per_s", rate(report.put.bytes, report.put_seconds)}}},
        {"get", {{"seconds", report.get_seconds}, {"mb_per_s", rate(report.get.bytes, report.get_seconds)}}},
        {"refusals", report.put.refusals + report.get.refusals},
        {"broken_connections", report.put.broken_connections + report.get.broken_connections},
        {"node_kill", to_json(report.node_kill)}};
    if (report.rollout) json["rollout"] = to_json(*report.rollout);
    for (const auto& [codec, total] : report.codecs)
        json["codecs"][codec] = {
            {"objects", total.objects}, {"raw_bytes", total.raw_bytes}, {"stored_bytes", total.stored_bytes}};
    for (const auto& kill : report.actor_kills)
        json["actor_kills"].push_back(to_json(kill));
    for (const auto& node : report.nodes)
        json["nodes"].push_back({{"name", node.name},
                                 {"ready", node.ready},
                                 {"connected", node.connected},
                                 {"start_ms", node.start_ms},
                                 {"restarts", node.restarts},
                                 {"corruptions", node.corruptions},
                                 {"resident_peak_bytes", node.resident_peak_bytes}});
    for (const auto& check : checks)
        json["checks"].push_back({{"name", check.name}, {"held", check.held}, {"detail", check.detail}});
    return json;
}

} // namespace dwcp::runner
