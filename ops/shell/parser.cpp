#include "ops/shell/parser.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace dwcp::shell {
namespace {

/// Letters to change, add, drop or swap with their neighbour.
std::size_t distance(const std::string& a, const std::string& b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> above(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j)
        above[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            row[j] =
                std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        before.swap(above);
        above.swap(row);
    }
    return above[b.size()];
}

/// The name that somebody who typed `word` most likely meant, or nothing.
std::string meant(const std::string& word, const CLI::App& app) {
    constexpr std::size_t kLongestWord = 32; // no command's name is near that, and the distance is quadratic
    if (word.size() > kLongestWord) return {};
    std::string best;
    std::size_t least =
        word.size() > 4 ? 3 : 2; // a guess further off than two letters, or one, is a nuisance
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
        const std::size_t apart = distance(word, command->get_name());
        if (apart >= least) continue;
        least = apart;
        best = command->get_name();
    }
    return best;
}

} // namespace

Parser::Parser(const GlobalOptions& defaults) : globals(defaults) {
    app.fallthrough();
    app.require_subcommand(0, 1);
    add_globals();
    add_stream_verbs(app, verbs);
    add_operator_verbs(app, verbs);
    add_object_verbs(app, verbs);
    add_work_verbs(app, verbs);
    add_restore_verb(app, verbs);
    add_replay_verb(app, verbs);
    add_verify_verb(app, verbs);
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

Outcome<void> Parser::no_such_command(const std::string& word) const {
    const std::string best = meant(word, app);
    return give_up(Exit::usage,
                   fmt::format("there is no command '{}'{}", word,
                               best.empty() ? "" : fmt::format("; did you mean '{}'?", best)),
                   "help");
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
            return no_such_command(remaining.front());
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
