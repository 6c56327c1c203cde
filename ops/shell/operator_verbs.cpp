#include "actors/gateway/operator_verbs.hpp"

#include "ops/shell/confirm.hpp"
#include "ops/shell/jobs.hpp"
#include "ops/shell/presentation.hpp"
#include "ops/shell/units.hpp"
#include "ops/shell/verbs.hpp"
#include "runtime/http/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <memory>
#include <pwd.h>
#include <unistd.h>

namespace dwcp::shell {
namespace {

using gateway::OperatorVerb;
using http::Parameter;
using nlohmann::json;

/// What was typed for one use of a verb. The options of its parser write into it.
struct Typed {
    std::map<std::string, std::string> texts;
    std::map<std::string, std::uint64_t> numbers;
    std::map<std::string, bool> flags;
    Asked asked;
    bool no_wait = false;

    std::string text(const std::string& name) const {
        const auto found = texts.find(name);
        return found == texts.end() ? "" : found->second;
    }
};

const Parameter* find_parameter(const OperatorVerb& verb, std::string_view name) {
    const auto& parameters = verb.route.parameters;
    const auto found = std::ranges::find(parameters, name, &Parameter::name);
    return found == parameters.end() ? nullptr : &*found;
}

/// "actor.kill" as "actor kill".
std::string typed_name(std::string name) {
    std::ranges::replace(name, '.', ' ');
    return name;
}

std::string flag_name(std::string name) {
    std::ranges::replace(name, '_', '-');
    return "--" + name;
}

bool has_actor(const OperatorVerb& verb) {
    return find_parameter(verb, "path") != nullptr && kind_of(verb.name, "path") == "[NODE:]PATH";
}

/// "site-b:manager/0" names the node too.
void split_actor(Typed& typed) {
    std::string& path = typed.texts["path"];
    const std::size_t colon = path.find(':');
    if (colon == std::string::npos) return;
    typed.texts["node"] = path.substr(0, colon);
    path.erase(0, colon + 1);
}

std::string operator_name() {
    const passwd* user = getpwuid(getuid());
    char host[256] = "unknown";
    gethostname(host, sizeof host - 1);
    return fmt::format("{}@{}", user != nullptr ? user->pw_name : std::to_string(getuid()), host);
}

/// The parameters that were given, as what they are.
json arguments_of(const OperatorVerb& verb, const CLI::App& parser, const Typed& typed) {
    json args = json::object();
    for (const auto& [name, text] : typed.texts)
        if (!text.empty()) args[name] = text;
    for (const auto& [name, number] : typed.numbers)
        if (parser.count(flag_name(name)) > 0) args[name] = number;
    for (const auto& [name, flag] : typed.flags)
        if (flag) args[name] = true;
    if (verb.mutates && !typed.asked.reason.empty()) args["reason"] = typed.asked.reason;
    if (verb.mutates && typed.asked.dry_run) args["dry_run"] = true;
    return args;
}

/// The route's path with what goes into it, and the rest as its query.
std::string question_path(const OperatorVerb& verb, json args) {
    std::string path = verb.route.pattern;
    if (path.ends_with('*')) {
        const auto in_path = std::ranges::find(verb.route.parameters, "path", &Parameter::in);
        const std::string name = in_path == verb.route.parameters.end() ? std::string("path") : in_path->name;
        path.pop_back();
        path += http::percent_encode_path(text_at(args, name.c_str()));
        args.erase(name);
    }
    char separator = '?';
    for (const auto& [name, value] : args.items()) {
        path +=
            fmt::format("{}{}={}", separator, name,
                        http::percent_encode(value.is_string() ? value.get<std::string>() : value.dump()));
        separator = '&';
    }
    return path;
}

/// A text that is too long to type is given as the file that holds it.
constexpr std::string_view kFileKind = "FILE";
constexpr std::size_t kFileBytesMax = 64U << 10;

Outcome<std::string> content_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string content(kFileBytesMax + 1, '\0');
    if (!file) return give_up(Exit::usage, "cannot read " + path, "give a file that is there");
    file.read(content.data(), static_cast<std::streamsize>(content.size()));
    content.resize(static_cast<std::size_t>(file.gcount()));
    if (content.size() > kFileBytesMax) return give_up(Exit::usage, path + " has more than 64 KiB");
    return content;
}

/// What has to be typed again: the actor as it was named, the breaker, the peer, or the node that the verb is
/// for.
Outcome<std::string> target_of(Context& context, const Typed& typed) {
    const std::string node = typed.text("node");
    if (const std::string path = typed.text("path"); !path.empty())
        return node.empty() ? path : node + ":" + path;
    for (const char* named : {"breaker", "peer"})
        if (const std::string name = typed.text(named); !name.empty()) return name;
    if (!node.empty()) return node;
    const auto status = context.client.get("/v1/status");
    if (!status) return std::unexpected(status.error());
    return text_at(*status, "node");
}

Outcome<json> command_node(Context& context, const OperatorVerb& verb, const Presentation& look,
                           const CLI::App& parser, Typed& typed) {
    const std::string name = typed_name(verb.name);
    if (verb.needs_reason)
        if (auto given = require_reason(context.terminal, name, typed.asked); !given)
            return std::unexpected(given.error());
    if (look.confirms && !typed.asked.yes && !typed.asked.dry_run) {
        const auto target = target_of(context, typed);
        if (!target) return std::unexpected(target.error());
        if (auto confirmed = confirm(context.terminal, name, *target, typed.asked); !confirmed)
            return std::unexpected(confirmed.error());
    }
    json args = arguments_of(verb, parser, typed);
    for (auto& [parameter, value] : args.items()) {
        if (kind_of(verb.name, parameter) != kFileKind) continue;
        auto content = content_of(value.get<std::string>());
        if (!content) return std::unexpected(content.error());
        value = std::move(*content);
    }
    args["who"] = operator_name();
    return context.client.post(verb.route.pattern, args);
}

/// An answer may say by itself that something is wrong.
Outcome<void> judge(const std::string& verb, const json& answer) {
    const json& ok = part_at(answer, "ok");
    if (ok.is_boolean() && !ok.get<bool>())
        return give_up(Exit::failed, fmt::format("{}: {}", verb, text_at(answer, "problem")));
    if (verb == "health" && text_at(answer, "status") == "unhealthy")
        return give_up(Exit::failed, "the node is unhealthy", "the checks that say NO name the part");
    return {};
}

Outcome<void> run(Context& context, const OperatorVerb& verb, const CLI::App& parser, Typed typed) {
    const Presentation& look = presentation_of(verb.name);
    if (has_actor(verb)) split_actor(typed);
    auto answer = verb.mutates ? command_node(context, verb, look, parser, typed)
                               : context.client.get(question_path(verb, arguments_of(verb, parser, typed)));
    if (answer && look.waits && !typed.no_wait && text_at(*answer, "state") == "running")
        answer = wait_for_job(context, typed.text("node"), std::move(*answer));
    if (!answer) return std::unexpected(answer.error());
    const Look how{context.terminal.now_ms(), context.terminal.colours()};
    show(context.terminal, context.settings.format, *answer, look.list, [&](std::ostream& out) {
        const std::string outcome = text_at(*answer, "outcome");
        if (look.print != nullptr)
            look.print(out, *answer, how);
        else if (verb.mutates && !outcome.empty())
            out << printable(outcome) << '\n';
        else
            print_answer(out, *answer, look.columns, how);
    });
    return look.waits ? judge_job(*answer) : judge(verb.name, *answer);
}

/// Required texts stand in their order, as do those that the presentation names; everything else is a flag.
void add_option(CLI::App& parser, const OperatorVerb& verb, const Parameter& parameter,
                const std::shared_ptr<Typed>& typed) {
    const Presentation& look = presentation_of(verb.name);
    const std::string kind = kind_of(verb.name, parameter.name);
    if (parameter.type == Parameter::Type::flag) {
        parser.add_flag(flag_name(parameter.name), typed->flags[parameter.name], parameter.sentence);
        return;
    }
    if (parameter.type == Parameter::Type::number) {
        CLI::Option* option =
            parser.add_option(flag_name(parameter.name), typed->numbers[parameter.name], parameter.sentence);
        option->required(parameter.required)->type_name("N");
        return;
    }
    const bool positional = parameter.required || look.is_positional(parameter.name);
    const std::string name = positional ? kind : flag_name(parameter.name == "node" ? "on" : parameter.name);
    CLI::Option* option = parser.add_option(name, typed->texts[parameter.name], parameter.sentence);
    option->required(parameter.required);
    if (!positional) option->type_name(kind);
}

bool is_common(const OperatorVerb& verb, const Parameter& parameter) {
    return verb.mutates && (parameter.name == "dry_run" || parameter.name == "reason");
}

void add_common(CLI::App& parser, const OperatorVerb& verb, const std::shared_ptr<Typed>& typed) {
    if (!verb.mutates) return;
    parser.add_flag("--dry-run", typed->asked.dry_run, "Say what would be done, and do nothing");
    parser
        .add_option("--reason", typed->asked.reason,
                    verb.needs_reason ? "Why, for the audit log; needed" : "Why, for the audit log")
        ->type_name("TEXT");
    if (presentation_of(verb.name).confirms)
        parser.add_flag("--yes", typed->asked.yes, "Do not ask for a confirmation");
    if (presentation_of(verb.name).waits)
        parser.add_flag("--no-wait", typed->no_wait, "Begin it and do not wait for its end");
}

/// Without another place for it, the node stands behind the verb: `status site-b`.
bool node_is_positional(const OperatorVerb& verb) {
    const Presentation& look = presentation_of(verb.name);
    return std::ranges::none_of(verb.route.parameters, [&](const Parameter& parameter) {
        return (parameter.required && parameter.type == Parameter::Type::text) ||
               look.is_positional(parameter.name);
    });
}

void add_verb(CLI::App& app, std::vector<Verb>& verbs, const OperatorVerb& verb) {
    const std::string name = typed_name(verb.name);
    CLI::App* parser = add_parser(app, name, verb.route.sentence);
    const auto typed = std::make_shared<Typed>();
    const bool names_actor = has_actor(verb);
    for (const Parameter& parameter : verb.route.parameters) {
        if (is_common(verb, parameter)) continue;
        if (parameter.name != "node")
            add_option(*parser, verb, parameter, typed);
        else if (node_is_positional(verb))
            parser->add_option("NODE", typed->texts["node"], "Another node of the cluster, by name");
        else if (!names_actor)
            parser->add_option("--on", typed->texts["node"], "Another node of the cluster, by name")
                ->type_name("NODE");
    }
    add_common(*parser, verb, typed);
    const Presentation& look = presentation_of(verb.name);
    const std::string example = name + (look.arguments.empty() ? "" : " " + look.arguments);
    verbs.push_back({name, verb.route.sentence, example, parser,
                     [&verb, parser, typed](Context& context) { return run(context, verb, *parser, *typed); },
                     verb.mutates, verb.route.answer});
}

} // namespace

CLI::App* add_parser(CLI::App& app, const std::string& name, const std::string& summary) {
    const std::size_t blank = name.find(' ');
    if (blank == std::string::npos) return app.add_subcommand(name, summary);
    const std::string group = name.substr(0, blank);
    const auto parents = app.get_subcommands([&](const CLI::App* at) { return at->get_name() == group; });
    CLI::App* parent = parents.empty() ? nullptr : parents.front();
    if (parent == nullptr) {
        parent = app.add_subcommand(group, "");
        parent->require_subcommand(1, 1);
    }
    return parent->add_subcommand(name.substr(blank + 1), summary);
}

Outcome<void> show_answer(Context& context, const std::string& path, const std::string& list,
                          const std::function<void(std::ostream&, const json&)>& print) {
    const auto answer = context.client.get(path);
    if (!answer) return std::unexpected(answer.error());
    show(context.terminal, context.settings.format, *answer, list,
         [&](std::ostream& out) { print(out, *answer); });
    return {};
}

void add_operator_verbs(CLI::App& app, std::vector<Verb>& verbs) {
    for (const OperatorVerb& verb : gateway::operator_verbs())
        if (std::ranges::find(verbs, typed_name(verb.name), &Verb::name) == verbs.end())
            add_verb(app, verbs, verb);
}

} // namespace dwcp::shell
