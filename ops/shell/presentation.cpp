#include "ops/shell/presentation.hpp"

#include <algorithm>
#include <cctype>
#include <utility>
#include <vector>

namespace dwcp::shell {
namespace {

const std::vector<Presentation>& presentations() {
    static const std::vector<Presentation> all = {
        {.verb = "status", .arguments = "site-b", .print = print_status},
        {.verb = "nodes", .arguments = "-o json", .list = "nodes", .print = print_nodes},
        {.verb = "tree", .arguments = "site-b", .list = "actors", .print = print_tree},
        {.verb = "health", .arguments = "site-b", .list = "checks", .print = print_health},
        {.verb = "whoami", .arguments = ""},
        {.verb = "metrics",
         .arguments = "mailbox --limit 20",
         .list = "series",
         .columns = "name labels value",
         .optional = "grep"},
        {.verb = "mailbox.top",
         .arguments = "--by busy --limit 5",
         .list = "actors",
         .columns = "path depth rejected busy_ms busy_ratio"},
        {.verb = "actor.show",
         .arguments = "site-b:manager/0",
         .columns = "time_ms path life reason delay_ms release"},
        {.verb = "actor.trace",
         .arguments = "manager/0 --seconds 30",
         .list = "messages",
         .columns = "time_ms type duration_us outcome"},
        {.verb = "trace",
         .arguments = "9f2b6c1e04d7a853b1c06f5e2a9d7c44",
         .list = "spans",
         .print = print_trace},
        {.verb = "actor.kill", .arguments = "site-b:manager/0 --yes", .confirms = true},
        {.verb = "actor.restart", .arguments = "manager/0 --reason 'after a change'", .confirms = true},
        {.verb = "actor.quarantine",
         .arguments = "compression/0 --reason 'it spoils blocks'",
         .confirms = true},
        {.verb = "actor.resume", .arguments = "compression/0"},
        {.verb = "drain", .arguments = "site-b --reason 'new disk'", .confirms = true},
        {.verb = "undrain", .arguments = "site-b"},
        {.verb = "log.level", .arguments = "debug --seconds 60"},
        {.verb = "config.show",
         .arguments = "log.",
         .list = "keys",
         .columns = "key value default source live unit",
         .optional = "grep"},
        {.verb = "config.diff",
         .arguments = "site-b",
         .list = "keys",
         .columns = "key running file default live needs"},
        {.verb = "config.explain", .arguments = "data.streams_max"},
        {.verb = "config.reload", .arguments = "--dry-run", .columns = "key was value"},
        {.verb = "audit.list", .arguments = "--limit 20", .list = "records", .print = print_audit},
        {.verb = "audit.verify", .arguments = "site-b"},
        {.verb = "breaker.list",
         .arguments = "--peer site-b",
         .list = "breakers",
         .columns = "name state_name forced failures_in_a_row trips probes_in_ms since_ms reason"},
        {.verb = "breaker.force-open",
         .arguments = "site-b/send_block --reason 'its disk is replaced'",
         .confirms = true},
        {.verb = "breaker.force-closed",
         .arguments = "site-b/send_block --reason 'it trips for nothing'",
         .confirms = true},
        {.verb = "breaker.reset", .arguments = "site-b/send_block"},
        {.verb = "chaos.status",
         .arguments = "",
         .list = "faults",
         .columns = "id kind target ends_in_s reason hits"},
        {.verb = "chaos.kill", .arguments = "manager/0 --reason drill", .confirms = true, .optional = "path"},
        {.verb = "chaos.pause", .arguments = "manager/0 --seconds 5 --reason drill", .confirms = true},
        {.verb = "chaos.delay",
         .arguments = "site-b --milliseconds 200 --seconds 30 --reason drill",
         .confirms = true},
        {.verb = "chaos.drop",
         .arguments = "site-b --percent 20 --seconds 30 --reason drill",
         .confirms = true},
        {.verb = "chaos.corrupt",
         .arguments = "site-b --percent 5 --seconds 30 --reason drill",
         .confirms = true},
        {.verb = "chaos.canary",
         .arguments = "manager error --percent 20 --seconds 30 --reason drill",
         .confirms = true},
        {.verb = "chaos.fill-disk",
         .arguments = "--leave-bytes 100000000 --seconds 60 --reason drill",
         .confirms = true},
        {.verb = "chaos.stop", .arguments = "--id 3"},
        {.verb = "backup.now", .arguments = "--scope cluster --reason 'before the upgrade'", .waits = true},
        {.verb = "backup.list",
         .arguments = "site-b",
         .list = "backups",
         .columns = "id set node created_ms files bytes pause_ms"},
        {.verb = "backup.show", .arguments = "20261124-085512-site-a"},
        {.verb = "ramp.status", .arguments = "", .print = print_ramp_status},
        {.verb = "ramp.plan", .arguments = "--day 1h", .list = "steps", .print = print_ramp_plan},
        {.verb = "ramp.history", .arguments = "--limit 20", .list = "records", .print = print_ramp_history},
        {.verb = "ramp.explain", .arguments = "", .list = "sentences", .print = print_ramp_explain},
        {.verb = "ramp.evidence", .arguments = "12 -o json"},
        {.verb = "ramp.start",
         .arguments = "--day 1h --reason 'release 12'",
         .confirms = true,
         .print = print_ramp_plan},
        {.verb = "ramp.pause", .arguments = "--reason 'a change of network'"},
        {.verb = "ramp.resume", .arguments = "--reason 'it is over'"},
        {.verb = "ramp.promote", .arguments = "--reason 'seen enough'", .confirms = true},
        {.verb = "ramp.abort", .arguments = "--reason 'not today'", .confirms = true},
        // Whoever takes traffic back is not asked twice.
        {.verb = "ramp.rollback", .arguments = "--reason 'users complain'"},
        {.verb = "ramp.override", .arguments = "'p99 < 200 ms' --reason 'known noise'", .confirms = true},
        {.verb = "ramp.approve", .arguments = "half --reason go", .optional = "subject"},
        {.verb = "ramp.attest", .arguments = "runbooks --reason 'walked through on Monday'"},
        {.verb = "ramp.kill-switch", .arguments = "on --reason 'an incident'", .optional = "state"},
        {.verb = "backup.verify", .arguments = "20261124-085512-site-a", .waits = true},
    };
    return all;
}

constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
    {"path", "[NODE:]PATH"},
    {"node", "NODE"},
    {"peer", "NODE"},
    {"key", "CONFIG-KEY"},
    {"breaker", "BREAKER"},
    {"level", "trace|debug|info|warn|error|off"},
    {"by", "depth|busy|rejected"},
    {"link", "control|data|both"},
    {"scope", "node|cluster"},
    {"system", "manager|selector"},
    {"kind", "error|latency|corruption|crash"},
    {"plan", "FILE"},
    {"day", "SPAN"},
    {"lasts", "SPAN"},
    {"state", "on|off"},
    {"at", "ramp-write|ramp-commit"},
};

} // namespace

const Presentation& presentation_of(std::string_view verb) {
    static const Presentation none{};
    const auto found = std::ranges::find(presentations(), verb, &Presentation::verb);
    return found == presentations().end() ? none : *found;
}

std::string kind_of(std::string_view verb, std::string_view parameter) {
    const bool of_actors = verb.starts_with("actor.") || verb.starts_with("chaos.");
    if (parameter == "path" && !of_actors) return "ID";
    const auto* const found = std::ranges::find(kKinds, parameter, [](const auto& row) { return row.first; });
    if (found != std::end(kKinds)) return std::string(found->second);
    std::string name(parameter);
    std::ranges::transform(name, name.begin(), [](unsigned char c) {
        return c == '_' ? '-' : static_cast<char>(std::toupper(c));
    });
    return name;
}

} // namespace dwcp::shell
