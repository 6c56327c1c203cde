#include "ops/shell/printers.hpp"

#include "ops/shell/output.hpp"
#include "ops/shell/table.hpp"
#include "ops/shell/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <sstream>
#include <utility>

namespace dwcp::shell {
namespace {

using nlohmann::json;

/// Milliseconds since 1970 and spans of them have the same ending; what lies before 2001 is a span.
constexpr std::int64_t kLeastTimeMs = 1'000'000'000'000;

Colour colour_of(const std::string& state) {
    if (state == "healthy" || state == "running" || state == "up") return Colour::good;
    if (state == "degraded" || state == "draining") return Colour::doubtful;
    return state == "unhealthy" || state == "down" ? Colour::bad : Colour::plain;
}

std::string joined(const json& list) {
    std::string text;
    for (const json& entry : list)
        text += (text.empty() ? "" : ", ") + (entry.is_string() ? entry.get<std::string>() : one_line(entry));
    return text;
}

bool is_table(const json& value) {
    return value.is_array() && !value.empty() &&
           std::all_of(value.begin(), value.end(), [](const json& entry) { return entry.is_object(); });
}

/// "last_busy_ms" as "last busy": the unit stands beside each number.
std::string label(const std::string& name) {
    std::string text = name;
    for (const char* unit : {"_ms", "_bytes", "_us", "_s"})
        if (text.ends_with(unit) && text.size() > std::string(unit).size()) {
            text.resize(text.size() - std::string(unit).size());
            break;
        }
    std::ranges::replace(text, '_', ' ');
    return text;
}

std::string heading(const std::string& name, bool right) {
    std::string text = label(name);
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return (right ? ">" : "") + text;
}

/// As `audit verify --head` takes it.
std::string audit_head(const json& head) { return text_at(head, "n") + "-" + text_at(head, "hash"); }

/// "ann (certificate)", "local (token), says root@host": what proved it, and what was only said.
std::string audit_who(const json& record) {
    const json& by = part_at(record, "by");
    const std::string claims = text_at(record, "claims");
    return fmt::format("{} ({}){}", text_at(by, "name"), text_at(by, "how"),
                       claims.empty() ? "" : ", says " + claims);
}

std::string audit_result(const json& record, const json* end) {
    if (text_at(record, "kind") != "refused" && end == nullptr) return "no end on this page";
    const json& result = part_at(end != nullptr ? *end : record, "result");
    const std::string said = text_at(part_at(result, "answer"), "outcome");
    const std::string detail = said.empty() ? text_at(result, "message") : said;
    const std::string outcome = end != nullptr ? text_at(result, "outcome") : "refused";
    return detail.empty() ? outcome : outcome + ": " + detail;
}

/// What -o json has whole.
std::string beginning_of(const std::string& text) {
    constexpr std::size_t kShown = 48; // a table of seven columns is to fit a screen
    return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

std::vector<std::string> columns_of(const json& list, const std::string& wanted) {
    std::vector<std::string> names;
    std::istringstream words(wanted);
    for (std::string name; words >> name;)
        names.push_back(name);
    if (!names.empty()) return names;
    std::set<std::string> all;
    for (const json& entry : list)
        for (const auto& [name, value] : entry.items())
            all.insert(name);
    return {all.begin(), all.end()};
}

void print_list(std::ostream& out, const json& list, const std::string& columns, const Look& look) {
    const auto names = columns_of(list, columns);
    std::vector<std::string> headings;
    for (const auto& name : names)
        headings.push_back(heading(name, std::all_of(list.begin(), list.end(), [&](const json& entry) {
                                       const json& value = part_at(entry, name.c_str());
                                       return value.is_number() || value.is_null();
                                   })));
    Table table(headings);
    for (const json& entry : list) {
        std::vector<std::string> cells;
        for (const auto& name : names)
            cells.push_back(shown_value(name, part_at(entry, name.c_str()), look.now_ms));
        table.add(std::move(cells));
    }
    table.print(out);
}

std::string release_of(const json& actor) {
    const std::string now = text_at(actor, "release");
    const std::string good = text_at(actor, "last_good_release");
    return good.empty() || good == now ? now : now + " (good: " + good + ")";
}

/// What keeps it down, else what ended it last.
std::string end_of(const json& actor) {
    const std::string quarantine = text_at(actor, "quarantine");
    return quarantine.empty() ? text_at(actor, "last_reason") : "quarantine: " + quarantine;
}

/// Children under their parents, in the order they came.
void add_branch(Table& table, const json& actors, const std::string& parent, std::size_t depth) {
    constexpr std::size_t kDepthMax = 16; // no tree of ours is deeper; an answer with a circle must end
    if (depth > kDepthMax) return;
    for (const json& actor : actors) {
        if (text_at(actor, "parent") != parent) continue;
        const std::string path = text_at(actor, "path");
        const auto uptime_ms = static_cast<std::int64_t>(number_at(actor, "uptime_ms"));
        table.add({std::string(2 * depth, ' ') + path, text_at(actor, "strategy"), text_at(actor, "state"),
                   text_at(actor, "life"), text_at(actor, "restarts"),
                   uptime_ms > 0 ? human_span(uptime_ms) : "-", text_at(actor, "mailbox_depth"),
                   text_at(actor, "mailbox_rejected"),
                   human_span(static_cast<std::int64_t>(number_at(actor, "busy_ms"))), release_of(actor),
                   end_of(actor)});
        if (!path.empty() && path != parent) add_branch(table, actors, path, depth + 1);
    }
}

} // namespace

void print_status(std::ostream& out, const json& status, const Look&) {
    Table facts({"", ""});
    facts.add({"node", fmt::format("{} (site {}, cluster {})", text_at(status, "node"),
                                   text_at(status, "site"), text_at(status, "cluster"))});
    facts.add({"state", text_at(status, "state") + ", " + text_at(status, "health")});
    facts.add({"up for", human_span(static_cast<std::int64_t>(number_at(status, "uptime_s") * 1000))});
    facts.add({"version", text_at(status, "version")});
    facts.add({"actors", fmt::format("{}, {} restarts", number_at(status, "actors"),
                                     number_at(status, "restarts_total"))});
    const json& workloads = part_at(status, "workloads");
    facts.add({"workloads", fmt::format("{} open, {} sealed, {} committed, {} failed",
                                        number_at(workloads, "open"), number_at(workloads, "sealed"),
                                        number_at(workloads, "committed"), number_at(workloads, "failed"))});
    const json& store = part_at(status, "store");
    facts.add(
        {"store",
         fmt::format("{} of blocks, {} free, {} corruptions", human_bytes(number_at(store, "blocks_bytes")),
                     human_bytes(number_at(store, "disk_free_bytes")), number_at(store, "corruptions"))});
    facts.print(out);
    Table alerts({"ALERT", "SEVERITY", "DETAIL"});
    for (const json& alert : list_at(status, "alerts"))
        alerts.add({text_at(alert, "name"), text_at(alert, "severity"), text_at(alert, "detail")});
    if (alerts.rows() > 0) {
        out << '\n';
        alerts.print(out);
    }
    const json& lanes = list_at(status, "lanes");
    if (lanes.empty()) return;
    out << '\n';
    Table table(
        {"LANE", "AVAILABLE", ">MEMBERS UP", ">QUORUM", ">COMMITTED", ">APPLIED", "SEQUENCER", "ENGINE"});
    for (const json& lane : lanes)
        table.add({text_at(lane, "lane"), flag_at(lane, "available") ? "yes" : "NO",
                   fmt::format("{}/{}", number_at(lane, "members_up"), list_at(lane, "members").size()),
                   text_at(lane, "quorum"), text_at(lane, "committed"), text_at(lane, "applied"),
                   text_at(lane, "sequencer"), text_at(lane, "engine")});
    table.print(out);
    Table reasons({"", ""}); // below, as they would push every column off the screen
    for (const json& lane : lanes)
        if (!flag_at(lane, "available")) reasons.add({text_at(lane, "lane"), text_at(lane, "note")});
    if (reasons.rows() == 0) return;
    out << '\n';
    reasons.print(out);
}

void print_nodes(std::ostream& out, const json& answer, const Look& look) {
    Table table(
        {"NODE", "SITE", "STATE", "SINCE", ">RTT", "DATA LINK", ">SENT", ">RECEIVED", "ADDRESS", "PROBLEM"});
    for (const json& node : list_at(answer, "nodes")) {
        const bool self = flag_at(node, "self");
        const json& data = part_at(node, "data");
        const std::string streams =
            !data.is_object() ? "-"
                              : fmt::format("{} streams, {}", number_at(data, "streams"),
                                            flag_at(data, "up") ? text_at(data, "congestion") : "down");
        table.add({text_at(node, "name"), text_at(node, "site"),
                   self                  ? "this node"
                   : flag_at(node, "up") ? "up"
                                         : "DOWN",
                   human_age(static_cast<std::int64_t>(number_at(node, "since_ms")), look.now_ms),
                   self ? "-" : text_at(node, "rtt_ms") + " ms", streams,
                   data.is_object() ? human_bytes(number_at(data, "bytes_sent")) : "-",
                   data.is_object() ? human_bytes(number_at(data, "bytes_received")) : "-",
                   text_at(node, "address"), text_at(node, "problem")});
    }
    table.print(out);
}

void print_tree(std::ostream& out, const json& answer, const Look&) {
    const json& actors = list_at(answer, "actors");
    Table table({"ACTOR", "STRATEGY", "STATE", ">LIFE", ">RESTARTS", ">UP", ">MAILBOX", ">REJECTED", ">BUSY",
                 "RELEASE", "LAST END"});
    // Roots are those whose parent is not listed.
    std::vector<std::string> roots;
    for (const json& actor : actors) {
        const std::string parent = text_at(actor, "parent");
        const auto is = [](const std::string& path) {
            return [&](const json& a) { return text_at(a, "path") == path; };
        };
        const bool listed = std::any_of(actors.begin(), actors.end(), is(parent));
        if (!listed && std::ranges::find(roots, parent) == roots.end()) roots.push_back(parent);
    }
    for (const std::string& root : roots) {
        const bool named = !root.empty();
        if (named) table.add({root});
        add_branch(table, actors, root, named ? 1 : 0);
    }
    table.print(out);
}

void print_events(std::ostream& out, const json& answer, const Look& look) {
    Table table({">ID", "WHEN", "EVENT", "SUBJECT", "DETAIL"});
    for (const json& event : list_at(answer, "events")) {
        std::string detail;
        const json& fields = part_at(event, "fields");
        for (const auto& [name, value] : fields.items())
            detail += (detail.empty() ? "" : " ") + name + "=" +
                      (value.is_string() ? value.get<std::string>() : one_line(value));
        table.add({text_at(event, "id"),
                   human_age(static_cast<std::int64_t>(number_at(event, "time_ms")), look.now_ms),
                   text_at(event, "name"), text_at(event, "subject"), detail});
    }
    table.print(out);
}

void print_audit(std::ostream& out, const json& answer, const Look& look) {
    const json& records = list_at(answer, "records");
    std::map<std::uint64_t, const json*> ends;
    for (const json& record : records)
        if (text_at(record, "kind") == "end") ends[number_at(record, "of")] = &record;
    Table table({">N", "WHEN", "WHO", "VERB", "ON", "REASON", "RESULT"});
    for (const json& record : records) {
        const std::string kind = text_at(record, "kind");
        if (kind == "end" && std::ranges::any_of(records, [&](const json& other) {
                return number_at(other, "n") == number_at(record, "of");
            }))
            continue; // stands in the line of its beginning
        const auto end = ends.find(number_at(record, "n"));
        const json* result = kind == "end" ? &record : end != ends.end() ? end->second : nullptr;
        const json& given = part_at(record, "args");
        const std::string args =
            given.is_null() ? "-" : beginning_of(shown_value("args", given, look.now_ms));
        table.add({text_at(record, "n"),
                   human_age(static_cast<std::int64_t>(number_at(record, "time_ms")), look.now_ms),
                   kind == "end" ? "-" : audit_who(record),
                   kind == "end" ? "end of " + text_at(record, "of") : text_at(record, "verb"),
                   args + (flag_at(record, "dry_run") ? " (dry run)" : ""), text_at(record, "reason"),
                   audit_result(record, result)});
    }
    table.print(out);
    if (table.rows() > 0) out << '\n';
    out << "head " << printable(audit_head(part_at(answer, "head"))) << '\n';
}

void print_health(std::ostream& out, const json& answer, const Look& look) {
    const std::string status = text_at(answer, "status");
    out << coloured(printable(status), colour_of(status), look.colours) << "\n\n";
    Table table({"CHECK", "OK", ">TOOK", "DETAIL"});
    for (const json& check : list_at(answer, "checks"))
        table.add({text_at(check, "name"), flag_at(check, "ok") ? "yes" : "NO",
                   shown_value("took_s", part_at(check, "seconds"), look.now_ms), text_at(check, "detail")});
    table.print(out);
}

void print_answer(std::ostream& out, const json& answer, const std::string& columns, const Look& look) {
    if (!answer.is_object()) {
        out << printable(one_line(answer)) << '\n';
        return;
    }
    Table facts({"", ""});
    for (const auto& [name, value] : answer.items())
        if (!is_table(value)) facts.add({label(name), shown_value(name, value, look.now_ms)});
    facts.print(out);
    const auto tables = std::count_if(answer.begin(), answer.end(), is_table);
    bool first = facts.rows() == 0;
    for (const auto& [name, value] : answer.items()) {
        if (!is_table(value)) continue;
        if (!std::exchange(first, false)) out << '\n';
        if (tables > 1) out << printable(label(name)) << ":\n"; // else which is which would be a guess
        print_list(out, value, columns, look);
    }
}

std::string shown_value(const std::string& name, const json& value, std::int64_t now_ms) {
    if (value.is_null()) return "-";
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_array()) return value.empty() ? "-" : joined(value);
    if (name == "head" && value.is_object()) return audit_head(value);
    if (value.is_object()) {
        std::string text;
        for (const auto& [member, inner] : value.items())
            text += (text.empty() ? "" : " ") + member + "=" + shown_value(member, inner, now_ms);
        return text;
    }
    if (!value.is_number()) return value.is_string() ? value.get<std::string>() : one_line(value);
    const double number = value.get<double>();
    if (!(std::abs(number) < 9e15)) return one_line(value);
    const auto whole = static_cast<std::int64_t>(number);
    if (name.ends_with("_ms")) return whole >= kLeastTimeMs ? human_age(whole, now_ms) : human_span(whole);
    if ((name.ends_with("_bytes") || name == "bytes") && number >= 0)
        return human_bytes(static_cast<std::uint64_t>(whole));
    if (name.ends_with("_us"))
        return number < 10'000 ? fmt::format("{} us", whole) : human_span(whole / 1000);
    if (name.ends_with("_s")) return human_span(static_cast<std::int64_t>(number * 1000));
    return value.is_number_float() ? fmt::format("{:.4g}", number) : one_line(value);
}

} // namespace dwcp::shell
