#include "ops/shell/command.hpp"

#include "ops/shell/help.hpp"
#include "ops/shell/watch.hpp"
#include "ops/shell/words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <istream>

namespace dwcp::shell {

Outcome<void> run_parsed(const Parser& parser, Terminal& terminal) {
    if (parser.wants_help) return help_on(terminal.out, parser, parser.topic());
    if (parser.help->parsed())
        return help_on(terminal.out, parser, fmt::format("{}", fmt::join(parser.help_topic, " ")));
    if (parser.watch->parsed()) return run_watch(parser, terminal);
    const Verb* verb = parser.parsed();
    if (verb == nullptr) return give_up(Exit::usage, "no command was given", "help");
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

Outcome<void> run_command(const std::vector<std::string>& words, const GlobalOptions& defaults,
                          Terminal& terminal) {
    Parser parser(defaults);
    if (auto parsed = parser.parse(words); !parsed) return parsed;
    return run_parsed(parser, terminal);
}

int run_script(std::istream& lines, const std::string& name, const GlobalOptions& defaults, bool keep_going,
               Terminal& terminal) {
    int worst = 0;
    bool some_went_well = false;
    std::size_t number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        const std::size_t begin = line.find_first_not_of(" \t\r");
        if (begin == std::string::npos || line[begin] == '#') continue;
        if (line.ends_with('\r')) line.pop_back();
        const auto words = split_words(line);
        if (words &&
            (*words == std::vector<std::string>{"exit"} || *words == std::vector<std::string>{"quit"}))
            break;
        const auto outcome = words ? run_command(*words, defaults, terminal)
                                   : Outcome<void>(std::unexpected(to_failure(words.error())));
        if (outcome) {
            some_went_well = true;
            continue;
        }
        show_failure(terminal, outcome.error(), fmt::format("{}:{}", name, number));
        if (worst == 0) worst = static_cast<int>(outcome.error().exit);
        if (!keep_going || outcome.error().exit == Exit::interrupted) return worst;
    }
    return worst != 0 && some_went_well ? static_cast<int>(Exit::partial) : worst;
}

} // namespace dwcp::shell
