#include "ops/shell/interactive.hpp"

#include "ops/shell/command.hpp"
#include "ops/shell/history.hpp"
#include "ops/shell/interrupt.hpp"
#include "ops/shell/line_editor.hpp"
#include "ops/shell/prompt.hpp"
#include "ops/shell/server_names.hpp"
#include "ops/shell/words.hpp"

namespace dwcp::shell {
namespace {

using Words = std::vector<std::string>;

bool leaves(const Words& words) { return words == Words{"exit"} || words == Words{"quit"}; }

/// False: the shell is to end.
bool run_line(const std::string& line, const GlobalOptions& globals, Terminal& terminal) {
    const auto words = split_words(line);
    if (!words) {
        show_failure(terminal, to_failure(words.error()));
        return true;
    }
    if (words->empty() || words->front().starts_with('#')) return true;
    if (leaves(*words)) return false;
    const auto outcome = run_command(*words, globals, terminal);
    terminal.out.flush();
    terminal.out.clear();
    if (interrupted()) terminal.err << '\n';
    // Who interrupts knows it, but perhaps not how to go on.
    if (!outcome && (!interrupted() || !outcome.error().remedy.empty()))
        show_failure(terminal, outcome.error());
    terminal.err.flush();
    return true;
}

} // namespace

Outcome<int> run_interactive(const GlobalOptions& globals, Terminal& terminal) {
    const auto settings = resolve_settings(globals, terminal.environment);
    if (!settings) return std::unexpected(settings.error());
    install_interrupt_handler(OnInterrupt::cancel_command);
    const Parser grammar(globals);
    ServerNames names(*settings);
    LineEditor editor([&](std::string_view line) { return complete(line, grammar, names); });
    History history(history_file(terminal.environment));
    for (const auto& line : history.load())
        editor.add_history(line);
    terminal.interactive = true;
    terminal.ask_line = [&](const std::string& question) -> std::optional<std::string> {
        std::string answer;
        return editor.ask(question, answer) == Typed::line ? std::optional(answer) : std::nullopt;
    };
    Prompt prompt(*settings);
    terminal.out << "dwcp-shell " DWCP_VERSION ": help lists the commands, TAB completes, Ctrl-D leaves"
                 << std::endl;
    for (;;) {
        std::string line;
        const Typed typed = editor.read(prompt_text(prompt.refresh(), terminal.colours()), line);
        if (leave_signal() != 0) return 128 + leave_signal();
        clear_interrupt();
        if (typed == Typed::ended) return 0;
        if (typed == Typed::cancelled || line.find_first_not_of(" \t") == std::string::npos) continue;
        editor.add_history(line);
        history.remember(line);
        if (!run_line(line, globals, terminal)) return 0;
        prompt.forget();
        if (leave_signal() != 0) return 128 + leave_signal();
        clear_interrupt();
    }
}

} // namespace dwcp::shell
