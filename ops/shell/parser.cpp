#include "ops/shell/parser.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace dwcp::shell {

Parser::Parser(const GlobalOptions& defaults) : globals(defaults) {
    app.fallthrough();
    app.require_subcommand(0, 1);
    add_globals();
    add_stream_verbs(app, verbs);
    add_operator_verbs(app, verbs);
    add_object_verbs(app, verbs);
    add_work_verbs(app, verbs);
    add_restore_verb(app, verbs);
    std::ranges::stable_sort(verbs, {}, &Verb::name);
    add_own_verbs();
}

void Parser::add_globals() {
    app.add_option("--node", globals.node)->type_name("HOST:PORT");
    app.add_option("--config", globals.config_file)->type_name("FILE");
    app.add_option("--token-file", globals.token_file)->type_name("FILE");
    app.add_option("--ca", globals.ca_file)->type_name("FILE");
    app.add_option("--cert", globals.certificate_file)->type_name("FILE");
    app.add_option("--key", globals.key_file)->type_name("FILE");
    app.add_option("--timeout", globals.timeout_s)->type_name("SECONDS");
    app.add_option_function<std::string>("-o,--output",
                                         [this](const std::string& name) {
                                             const auto format = parse_format(name);
                                             if (!format)
                                                 throw CLI::ValidationError(
                                                     "-o is table, json or ndjson, not '" + name + "'");
                                             globals.format = *format;
                                         })
        ->type_name("table|json|ndjson");
    app.add_option("-f,--file-of-commands", script_file)->type_name("FILE");
    app.add_flag("--keep-going", keep_going);
    app.add_flag("--version", wants_version);
}

void Parser::add_own_verbs() {
    watch = app.add_subcommand("watch", "Repeat a command that only looks, until Ctrl-C.");
    watch->fallthrough(false);
    watch->prefix_command();
    watch->add_option("-n", watch_seconds, "How often, in seconds; 2 without")
        ->check(CLI::Range(0.1, 3600.0))
        ->type_name("SECONDS");
    watch->add_option("--count", watch_count, "Only so many times")->type_name("N");
    help = app.add_subcommand("help", "Explain a command.");
    help->add_option("VERB", help_topic)->expected(0, 2);
}

Outcome<void> Parser::parse(std::vector<std::string> words) {
    std::ranges::reverse(words); // as CLI11 wants them
    try {
        app.parse(words);
    } catch (const CLI::CallForHelp&) {
        wants_help = true;
    } catch (const CLI::ParseError& error) {
        const auto remaining = app.remaining();
        if (app.get_subcommands().empty() && !remaining.empty() && !remaining.front().starts_with('-'))
            return give_up(Exit::usage, fmt::format("there is no command '{}'", remaining.front()), "help");
        const std::string at = topic();
        return give_up(Exit::usage, error.what(), at.empty() ? "help" : "help " + at);
    }
    if (watch->parsed()) watched = watch->remaining();
    return {};
}

const Verb* Parser::parsed() const {
    const auto found = std::ranges::find_if(verbs, [](const Verb& verb) { return verb.parser->parsed(); });
    return found == verbs.end() ? nullptr : &*found;
}

std::string Parser::topic() const {
    std::vector<std::string> names;
    for (const CLI::App* at = &app; !at->get_subcommands().empty();) {
        at = at->get_subcommands().front();
        if (at != help) names.push_back(at->get_name());
    }
    return fmt::format("{}", fmt::join(names, " "));
}

} // namespace dwcp::shell
