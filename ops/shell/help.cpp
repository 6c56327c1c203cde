#include "ops/shell/help.hpp"

#include "ops/shell/table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace dwcp::shell {
namespace {

void print_options(std::ostream& out) {
    Table options({"", "", ""});
    const auto add = [&](const char* name, const std::string& what) { options.add({"", name, what}); };
    add("-c 'VERB ...'", "The command as one text, quoted as for a shell.");
    add("-f FILE", "Runs a file of commands, one a line; # begins a comment. Stops at the first failure.");
    add("--keep-going", "With -f: goes on after a failure; exit code 7 if some failed.");
    add("--node ADDRESS",
        fmt::format("HOST:PORT or https://HOST:PORT; else from --config, $DWCP_NODE, or {}.", kDefaultNode));
    add("--config FILE", "A node's configuration: gives its address, its CA and the place of its token.");
    add("--token-file FILE", "The operator token, DATA_DIR/operator.token; else $DWCP_TOKEN_FILE.");
    add("--ca FILE", "Who signs the nodes' certificates; else $DWCP_CA, ~/.config/dwcp/ca.crt.");
    add("--cert, --key FILE",
        "Who you are, over TLS; else $DWCP_CERT, $DWCP_KEY, ~/.config/dwcp/client.crt and .key.");
    add("--timeout S",
        fmt::format("The longest silence of the node, in seconds ({}).", kDefaultTimeout.count()));
    add("-o table|json|ndjson", "For people; the API's answer; one object of its list a line.");
    add("--version", "Prints the version.");
    options.print(out);
}

std::string first_sentence(const std::string& text) {
    const std::size_t end = text.find(". ");
    return end == std::string::npos ? text : text.substr(0, end + 1);
}

/// "N:INT in [1 - 1000]", as a checked option calls its kind, in the words of usage lines: "N".
std::string kind_without_bounds(const std::string& kind) {
    const std::size_t bounds = kind.find(" in [");
    return bounds == std::string::npos ? kind : kind.substr(0, kind.rfind(':', bounds));
}

void print_verb(std::ostream& out, const std::string& name, const std::string& summary,
                const CLI::App& parser) {
    std::vector<std::string> usage = {"dwcp-shell", name};
    Table arguments({"", "", ""});
    for (const CLI::Option* option : parser.get_options()) {
        if (option->get_lnames() == std::vector<std::string>{"help"}) continue;
        const bool bare = option->get_positional() || option->get_expected_max() == 0;
        const std::string shown =
            bare ? option->get_name()
                 : option->get_name() + " " + kind_without_bounds(option->get_type_name());
        usage.push_back(option->get_required() ? shown : "[" + shown + "]");
        arguments.add({"", shown, option->get_description()});
    }
    out << fmt::format("{}\n\nusage: {}\n", summary, fmt::join(usage, " "));
    arguments.print(out);
}

} // namespace

void print_help(std::ostream& out, const Parser& parser) {
    out << "usage: dwcp-shell [OPTIONS] [[-c] VERB ...]\n\nWithout a verb it is interactive: TAB completes, "
           "Ctrl-C cancels, Ctrl-D leaves.\n\nVerbs:\n";
    Table verbs({"", "", ""});
    for (const Verb& verb : parser.verbs)
        verbs.add({"", verb.name, first_sentence(verb.summary)});
    verbs.add({"", "watch [-n S] VERB ...", parser.watch->get_description()});
    verbs.add({"", "help [VERB]", "Explain a command, with an example."});
    verbs.add({"", "exit", "Leave the interactive shell; so do quit and Ctrl-D."});
    verbs.print(out);
    out << "\nOptions:\n";
    print_options(out);
    out << "\nExit codes: 0 ok, 1 failed, 2 usage, 3 unreachable, 4 denied, 5 precondition, 6 timeout, 7 "
           "partial.\n";
}

Outcome<void> help_on(std::ostream& out, const Parser& parser, const std::string& topic) {
    if (topic.empty()) {
        print_help(out, parser);
        return {};
    }
    if (topic == "watch") {
        print_verb(out, "watch", parser.watch->get_description(), *parser.watch);
        out << "\nexample: dwcp-shell watch -n 5 mailbox top\n";
        return {};
    }
    if (topic == "help" || topic == "exit" || topic == "quit") {
        out << "The list of commands, 'dwcp-shell help', says what it does.\n";
        return {};
    }
    bool found = false;
    for (const Verb& verb : parser.verbs) {
        if (verb.name != topic && !verb.name.starts_with(topic + " ")) continue;
        if (found) out << '\n';
        print_verb(out, verb.name, verb.summary, *verb.parser);
        out << fmt::format("\nexample: dwcp-shell {}\n", verb.example);
        if (!verb.answer.empty()) out << fmt::format("-o json: {}\n", verb.answer);
        found = true;
    }
    if (!found) return give_up(Exit::usage, fmt::format("there is no command '{}'", topic), "help");
    return {};
}

} // namespace dwcp::shell
