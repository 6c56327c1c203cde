#include "ops/shell/shell.hpp"

#include "ops/shell/table.hpp"
#include "ops/shell/verbs.hpp"
#include "ops/shell/words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

namespace dwcp::shell {
namespace {

/// Replaces -c 'VERB ...' by its words: then there is one way of parsing.
Outcome<std::vector<std::string>> expand_command(const std::vector<std::string>& arguments) {
    std::vector<std::string> expanded;
    bool seen = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--") {
            expanded.insert(expanded.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                            arguments.end());
            break;
        }
        if (arguments[i] != "-c" && arguments[i] != "--command") {
            expanded.push_back(arguments[i]);
            continue;
        }
        if (seen || i + 1 == arguments.size())
            return give_up(Exit::usage, "-c takes one command", "dwcp-shell -c 'ls reports/'");
        seen = true;
        const auto words = split_words(arguments[++i]);
        if (!words) return std::unexpected(to_failure(words.error()));
        expanded.insert(expanded.end(), words->begin(), words->end());
    }
    return expanded;
}

struct Parser {
    CLI::App app;
    GlobalOptions globals;
    std::vector<Verb> verbs;
    std::vector<std::string> help_topic;
    CLI::App* help = nullptr;

    Parser() {
        app.fallthrough();
        app.require_subcommand(0, 1);
        app.add_option("--node", globals.node);
        app.add_option("--config", globals.config_file);
        app.add_option("--token-file", globals.token_file);
        app.add_option("--timeout", globals.timeout_s);
        app.add_option_function<std::string>("-o,--output",
                                             [this](const std::string& name) { set_format(name); });
        add_operator_verbs(app, verbs);
        add_object_verbs(app, verbs);
        help = app.add_subcommand("help", "Explain a command.");
        help->add_option("VERB", help_topic)->expected(0, 2);
    }

    void set_format(const std::string& name) {
        if (name == "table")
            globals.format = Format::table;
        else if (name == "json")
            globals.format = Format::json;
        else if (name == "ndjson")
            globals.format = Format::ndjson;
        else
            throw CLI::ValidationError("-o is table, json or ndjson, not '" + name + "'");
    }
    const Verb* parsed() const {
        const auto found =
            std::ranges::find_if(verbs, [](const Verb& verb) { return verb.parser->parsed(); });
        return found == verbs.end() ? nullptr : &*found;
    }
};

void print_help(std::ostream& out, const Parser& parser) {
    out << "usage: dwcp-shell [OPTIONS] [-c] VERB ...\n\nVerbs:\n";
    Table verbs({"", "", ""});
    for (const Verb& verb : parser.verbs)
        verbs.add({"", verb.name, verb.summary});
    verbs.add({"", "help [VERB]", "Explain a command, with an example."});
    verbs.print(out);
    out << "\nOptions:\n";
    Table options({"", "", ""});
    options.add({"", "-c 'VERB ...'", "The command as one text, quoted as for a shell."});
    options.add({"", "--node HOST:PORT",
                 fmt::format("The node to ask; else from --config, $DWCP_NODE, or {}.", kDefaultNode)});
    options.add({"", "--config FILE",
                 "A node's configuration: gives its address and the place of its operator token."});
    options.add(
        {"", "--token-file FILE", "The operator token, DATA_DIR/operator.token; else $DWCP_TOKEN_FILE."});
    options.add({"", "--timeout S",
                 fmt::format("The longest silence of the node, in seconds ({}).", kDefaultTimeout.count())});
    options.add({"", "-o table|json|ndjson", "For people; the API's answer; one object a line."});
    options.print(out);
    out << "\nExit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, 4 denied, 5 precondition, 6 timeout, 7 "
           "partial.\n";
}

void print_verb_help(std::ostream& out, const Verb& verb) {
    std::vector<std::string> usage = {"dwcp-shell", verb.name};
    Table arguments({"", "", ""});
    for (const CLI::Option* option : verb.parser->get_options()) {
        const std::string name = option->get_name();
        if (option->get_lnames() == std::vector<std::string>{"help"}) continue;
        const std::string shown =
            option->get_positional() || option->get_expected_max() == 0 ? name : name + " VALUE";
        usage.push_back(option->get_required() || name.starts_with('[') ? shown : "[" + shown + "]");
        arguments.add({"", shown, option->get_description()});
    }
    out << fmt::format("{}\n\nusage: {}\n", verb.summary, fmt::join(usage, " "));
    arguments.print(out);
    out << fmt::format("\nexample: dwcp-shell {}\n", verb.example);
}

Outcome<void> help_on(std::ostream& out, const Parser& parser, const std::string& topic) {
    if (topic.empty()) {
        print_help(out, parser);
        return {};
    }
    bool found = false;
    for (const Verb& verb : parser.verbs) {
        if (verb.name != topic && !verb.name.starts_with(topic + " ")) continue;
        if (found) out << '\n';
        print_verb_help(out, verb);
        found = true;
    }
    if (!found)
        return give_up(Exit::usage, fmt::format("there is no command '{}'", topic), "dwcp-shell help");
    return {};
}

/// The name of the command that the words before the error chose, for a hint at its help.
std::string topic_of(const Parser& parser) {
    std::vector<std::string> names;
    for (const CLI::App* at = &parser.app; !at->get_subcommands().empty();) {
        at = at->get_subcommands().front();
        if (at != parser.help) names.push_back(at->get_name());
    }
    return fmt::format("{}", fmt::join(names, " "));
}

std::string unknown_verb(const Parser& parser) {
    const auto remaining = parser.app.remaining();
    return parser.app.get_subcommands().empty() && !remaining.empty() && !remaining.front().starts_with('-')
               ? remaining.front()
               : "";
}

Outcome<void> execute(const Parser& parser, Terminal& terminal) {
    if (parser.help->parsed())
        return help_on(terminal.out, parser, fmt::format("{}", fmt::join(parser.help_topic, " ")));
    const Verb* verb = parser.parsed();
    if (verb == nullptr) {
        print_help(terminal.err, parser);
        return give_up(Exit::usage, "no command was given", "dwcp-shell -c status");
    }
    const auto settings = resolve_settings(parser.globals, terminal.environment);
    if (!settings) return std::unexpected(settings.error());
    Client client(*settings);
    Context context{terminal, *settings, client};
    auto outcome = verb->run(context);
    terminal.out.flush();
    if (outcome && !terminal.out)
        return give_up(Exit::failed, "cannot write the output", "is the disk full?");
    return outcome;
}

Outcome<void> parse_and_execute(const std::vector<std::string>& arguments, Terminal& terminal) {
    auto words = expand_command(arguments);
    if (!words) return std::unexpected(words.error());
    Parser parser;
    std::ranges::reverse(*words); // as CLI11 wants them
    try {
        parser.app.parse(*words);
    } catch (const CLI::CallForHelp&) {
        return help_on(terminal.out, parser, topic_of(parser));
    } catch (const CLI::ParseError& error) {
        const std::string unknown = unknown_verb(parser);
        if (!unknown.empty())
            return give_up(Exit::usage, fmt::format("there is no command '{}'", unknown), "dwcp-shell help");
        const std::string topic = topic_of(parser);
        return give_up(Exit::usage, error.what(),
                       topic.empty() ? "dwcp-shell help" : "dwcp-shell help " + topic);
    }
    return execute(parser, terminal);
}

} // namespace

int run_shell(const std::vector<std::string>& arguments, Terminal& terminal) {
    const auto outcome = parse_and_execute(arguments, terminal);
    if (outcome) return static_cast<int>(Exit::ok);
    show_failure(terminal.err, outcome.error());
    return static_cast<int>(outcome.error().exit);
}

} // namespace dwcp::shell
