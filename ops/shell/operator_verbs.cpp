#include "ops/shell/table.hpp"
#include "ops/shell/units.hpp"
#include "ops/shell/verbs.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

#include <memory>
#include <pwd.h>
#include <unistd.h>

namespace dwcp::shell {
namespace {

using nlohmann::json;

std::string with_node(const std::string& path, const std::string& node) {
    return node.empty() ? path : path + "?node=" + http::percent_encode(node);
}

void print_status(std::ostream& out, const json& status) {
    Table facts({"", ""});
    facts.add({"node", fmt::format("{} (site {}, cluster {})", text_at(status, "node"),
                                   text_at(status, "site"), text_at(status, "cluster"))});
    facts.add({"state", fmt::format("{}, {}", text_at(status, "state"), text_at(status, "health"))});
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
    const json& lanes = list_at(status, "lanes");
    if (lanes.empty()) return;
    out << '\n';
    Table table(
        {"LANE", "AVAILABLE", ">MEMBERS UP", ">QUORUM", ">COMMITTED", ">APPLIED", "SEQUENCER", "ENGINE"});
    for (const json& lane : lanes)
        table.add({text_at(lane, "lane"), flag_at(lane, "available") ? "yes" : "NO: " + text_at(lane, "note"),
                   fmt::format("{}/{}", number_at(lane, "members_up"), list_at(lane, "members").size()),
                   text_at(lane, "quorum"), text_at(lane, "committed"), text_at(lane, "applied"),
                   text_at(lane, "sequencer"), text_at(lane, "engine")});
    table.print(out);
}

void print_nodes(std::ostream& out, const json& answer, std::int64_t now_ms) {
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
                   human_age(static_cast<std::int64_t>(number_at(node, "since_ms")), now_ms),
                   self ? "-" : text_at(node, "rtt_ms") + " ms", streams,
                   data.is_object() ? human_bytes(number_at(data, "bytes_sent")) : "-",
                   data.is_object() ? human_bytes(number_at(data, "bytes_received")) : "-",
                   text_at(node, "address"), text_at(node, "problem")});
    }
    table.print(out);
}

/// Children under their parents, in the order they came.
void add_branch(Table& table, const json& actors, const std::string& parent, std::size_t depth) {
    constexpr std::size_t kDepthMax = 16; // no tree of ours is deeper; an answer with a circle must end
    if (depth > kDepthMax) return;
    for (const json& actor : actors) {
        if (text_at(actor, "parent") != parent) continue;
        const std::string path = text_at(actor, "path");
        table.add({std::string(2 * depth, ' ') + path, text_at(actor, "state"), text_at(actor, "life"),
                   text_at(actor, "restarts"),
                   human_span(static_cast<std::int64_t>(number_at(actor, "uptime_ms"))),
                   text_at(actor, "mailbox_depth"), text_at(actor, "mailbox_rejected"),
                   human_span(static_cast<std::int64_t>(number_at(actor, "busy_ms"))),
                   text_at(actor, "last_reason")});
        if (!path.empty() && path != parent) add_branch(table, actors, path, depth + 1);
    }
}

void print_tree(std::ostream& out, const json& answer) {
    const json& actors = list_at(answer, "actors");
    Table table(
        {"ACTOR", "STATE", ">LIFE", ">RESTARTS", ">UP", ">MAILBOX", ">REJECTED", ">BUSY", "LAST END"});
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

void print_events(std::ostream& out, const json& answer, std::int64_t now_ms) {
    Table table({">ID", "WHEN", "EVENT", "SUBJECT", "DETAIL"});
    for (const json& event : list_at(answer, "events")) {
        std::string detail;
        const json& fields = part_at(event, "fields");
        for (const auto& [name, value] : fields.items())
            detail += (detail.empty() ? "" : " ") + name + "=" +
                      (value.is_string() ? value.get<std::string>() : one_line(value));
        table.add({text_at(event, "id"),
                   human_age(static_cast<std::int64_t>(number_at(event, "time_ms")), now_ms),
                   text_at(event, "name"), text_at(event, "subject"), detail});
    }
    table.print(out);
}

void print_members(std::ostream& out, const json& object) {
    Table table({"", ""});
    for (const auto& [name, value] : object.items())
        table.add({name, text_at(object, name.c_str())});
    table.print(out);
}

struct ActorName {
    std::string node;
    std::string path;
};

/// "site-b:manager/0" or "manager/0".
ActorName parse_actor(const std::string& text) {
    const std::size_t colon = text.find(':');
    return colon == std::string::npos ? ActorName{"", text}
                                      : ActorName{text.substr(0, colon), text.substr(colon + 1)};
}

std::string operator_name() {
    const passwd* user = getpwuid(getuid());
    char host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    return fmt::format("{}@{}", user != nullptr ? user->pw_name : std::to_string(getuid()), host);
}

/// Typing the actor's name again, or --yes: killing the wrong one must not be one slip away.
Outcome<void> confirm(Terminal& terminal, const std::string& verb, const std::string& actor, bool yes) {
    if (yes) return {};
    if (!terminal.in_is_terminal)
        return give_up(Exit::usage,
                       fmt::format("'actor {}' asks for a confirmation and there is no terminal", verb),
                       "add --yes if you mean it");
    terminal.err << fmt::format("Type {} again to {} it: ", actor, verb) << std::flush;
    std::string typed;
    std::getline(terminal.in, typed);
    if (typed != actor) return give_up(Exit::failed, "not confirmed, nothing was done");
    return {};
}

Outcome<void> command_actor(Context& context, const std::string& verb, const std::string& actor, bool yes) {
    const ActorName name = parse_actor(actor);
    if (auto confirmed = confirm(context.terminal, verb, actor, yes); !confirmed) return confirmed;
    const auto token = read_token(context.settings);
    if (!token) return std::unexpected(token.error());
    json body = {{"path", name.path}, {"who", operator_name()}};
    if (!name.node.empty()) body["node"] = name.node;
    const auto answer =
        context.client.post("/v1/actors/" + verb, body, {{"Authorization", "Bearer " + *token}});
    if (!answer) return std::unexpected(answer.error());
    show(context.terminal, context.settings.format, *answer, "",
         [&](std::ostream& out) { out << printable(text_at(*answer, "outcome")) << '\n'; });
    return {};
}

/// A question whose answer is printed by `print`.
template<class Print>
Outcome<void> ask(Context& context, const std::string& path, const std::string& list, const Print& print) {
    const auto answer = context.client.get(path);
    if (!answer) return std::unexpected(answer.error());
    show(context.terminal, context.settings.format, *answer, list,
         [&](std::ostream& out) { print(out, *answer); });
    return {};
}

void add_questions(CLI::App& app, std::vector<Verb>& verbs) {
    const auto node = std::make_shared<std::string>();
    const auto add = [&](const char* name, const char* summary) {
        CLI::App* parser = app.add_subcommand(name, summary);
        return parser;
    };
    CLI::App* status = add("status", "Show how a node is doing.");
    status->add_option("NODE", *node, "Another node of the cluster, by name");
    verbs.push_back({"status", status->get_description(), "status site-b", status, [node](Context& context) {
                         return ask(context, with_node("/v1/status", *node), "", print_status);
                     }});
    CLI::App* nodes = add("nodes", "List the nodes of the cluster as this one sees them.");
    verbs.push_back({"nodes", nodes->get_description(), "nodes -o json", nodes, [](Context& context) {
                         return ask(context, "/v1/nodes", "nodes",
                                    [&](std::ostream& out, const json& answer) {
                                        print_nodes(out, answer, context.terminal.now_ms());
                                    });
                     }});
    CLI::App* tree = add("tree", "Show the actors of a node under their supervisors.");
    tree->add_option("NODE", *node, "Another node of the cluster, by name");
    verbs.push_back({"tree", tree->get_description(), "tree site-b", tree, [node](Context& context) {
                         return ask(context, with_node("/v1/tree", *node), "actors", print_tree);
                     }});
}

void add_events(CLI::App& app, std::vector<Verb>& verbs) {
    struct Choice {
        std::string node;
        std::optional<std::uint64_t> after;
        std::uint64_t limit = 100;
    };
    const auto choice = std::make_shared<Choice>();
    CLI::App* events = app.add_subcommand("events", "Show what happened on a node, oldest first.");
    events->add_option("NODE", choice->node, "Another node of the cluster, by name");
    events->add_option("--after", choice->after,
                       "Only events with a higher id than this; without, the latest");
    events->add_option("--limit", choice->limit, "At most so many")->check(CLI::Range(1, 1000));
    verbs.push_back(
        {"events", events->get_description(), "events --limit 20", events, [choice](Context& context) {
             std::string path = fmt::format("/v1/events?limit={}", choice->limit);
             if (choice->after) path += fmt::format("&after={}", *choice->after);
             if (!choice->node.empty()) path += "&node=" + http::percent_encode(choice->node);
             return ask(context, path, "events", [&](std::ostream& out, const json& answer) {
                 print_events(out, answer, context.terminal.now_ms());
             });
         }});
}

void add_actor(CLI::App& app, std::vector<Verb>& verbs) {
    CLI::App* actor = app.add_subcommand("actor", "Look at one actor, kill it or restart it.");
    actor->require_subcommand(1, 1);
    const auto name = std::make_shared<std::string>();
    const auto yes = std::make_shared<bool>(false);
    const auto add = [&](const char* verb, const char* summary) {
        CLI::App* parser = actor->add_subcommand(verb, summary);
        parser
            ->add_option("[NODE:]PATH", *name,
                         "An actor as 'tree' names it, e.g. manager/0 or site-b:manager/0")
            ->required();
        return parser;
    };
    CLI::App* shown = add("show", "Show one actor.");
    verbs.push_back(
        {"actor show", shown->get_description(), "actor show manager/0", shown, [name](Context& context) {
             const ActorName parsed = parse_actor(*name);
             const auto path = "/v1/actors/" + http::percent_encode_path(parsed.path);
             return ask(context, with_node(path, parsed.node), "", print_members);
         }});
    const std::pair<std::string, const char*> commands[] = {
        {"kill", "End an actor as a crash would; its supervisor brings it back."},
        {"restart", "End an actor in an orderly way; its supervisor brings it back."}};
    for (const auto& [verb, summary] : commands) {
        CLI::App* parser = add(verb.c_str(), summary);
        parser->add_flag("--yes", *yes, "Do not ask for a confirmation");
        verbs.push_back({"actor " + verb, summary, "actor " + verb + " site-b:manager/0 --yes", parser,
                         [name, yes, verb = verb](Context& context) {
                             return command_actor(context, verb, *name, *yes);
                         }});
    }
}

} // namespace

void add_operator_verbs(CLI::App& app, std::vector<Verb>& verbs) {
    add_questions(app, verbs);
    add_actor(app, verbs);
    add_events(app, verbs);
}

} // namespace dwcp::shell
