#include "ops/shell/shell.hpp"

#include "ops/shell/command.hpp"
#include "ops/shell/interactive.hpp"
#include "ops/shell/interrupt.hpp"
#include "ops/shell/words.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace dwcp::shell {
namespace {

struct CommandLine {
    std::vector<std::string> words;
    bool has_command = false; ///< -c was among them.
};

/// Replaces -c 'VERB ...' by its words: then there is one way of parsing.
Outcome<CommandLine> expand_command(const std::vector<std::string>& arguments) {
    CommandLine line;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        if (arguments[i] == "--") {
            line.words.insert(line.words.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i),
                              arguments.end());
            break;
        }
        if (arguments[i] != "-c" && arguments[i] != "--command") {
            line.words.push_back(arguments[i]);
            continue;
        }
        if (line.has_command || i + 1 == arguments.size())
            return give_up(Exit::usage, "-c takes one command", "dwcp-shell -c 'ls reports/'");
        line.has_command = true;
        const auto words = split_words(arguments[++i]);
        if (!words) return std::unexpected(to_failure(words.error()));
        line.words.insert(line.words.end(), words->begin(), words->end());
    }
    return line;
}

bool has_verb(const Parser& parser) {
    return parser.parsed() != nullptr || parser.help->parsed() || parser.watch->parsed() || parser.wants_help;
}

Outcome<int> run_file(const Parser& parser, Terminal& terminal) {
    std::ifstream file(parser.script_file);
    if (!file)
        return give_up(Exit::usage,
                       fmt::format("cannot read {}: {}", parser.script_file, std::strerror(errno)));
    return run_script(file, parser.script_file, parser.globals, parser.keep_going, terminal);
}

Outcome<int> run(const std::vector<std::string>& arguments, Terminal& terminal) {
    const auto line = expand_command(arguments);
    if (!line) return std::unexpected(line.error());
    Parser parser;
    if (auto parsed = parser.parse(line->words); !parsed) {
        if (parsed.error().remedy.starts_with("help"))
            parsed.error().remedy = "dwcp-shell " + parsed.error().remedy;
        return std::unexpected(parsed.error());
    }
    if (parser.wants_version) {
        terminal.out << "dwcp-shell " DWCP_VERSION "\n";
        return 0;
    }
    if (!parser.script_file.empty()) {
        if (has_verb(parser) || line->has_command)
            return give_up(Exit::usage, "-f runs a file instead of a command", "dwcp-shell help");
        return run_file(parser, terminal);
    }
    if (has_verb(parser) || line->has_command) {
        const auto outcome = run_parsed(parser, terminal);
        if (!outcome) return std::unexpected(outcome.error());
        return 0;
    }
    if (terminal.is_process && terminal.in_is_terminal && terminal.out_is_terminal)
        return run_interactive(parser.globals, terminal);
    return run_script(terminal.in, "stdin", parser.globals, parser.keep_going, terminal);
}

} // namespace

int run_shell(const std::vector<std::string>& arguments, Terminal& terminal) {
    const auto outcome = run(arguments, terminal);
    if (outcome) return *outcome;
    show_failure(terminal, outcome.error());
    if (outcome.error().exit == Exit::interrupted && leave_signal() != 0) return 128 + leave_signal();
    return static_cast<int>(outcome.error().exit);
}

} // namespace dwcp::shell
