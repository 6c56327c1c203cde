#include "ops/shell/watch.hpp"

#include "ops/shell/command.hpp"
#include "ops/shell/interrupt.hpp"
#include "ops/shell/units.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <sstream>
#include <sys/ioctl.h>
#include <unistd.h>

namespace dwcp::shell {
namespace {

constexpr const char* kClearScreen = "\x1b[H\x1b[2J";
constexpr std::size_t kRowsOtherwise = 24;

std::size_t screen_rows() {
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2 ? size.ws_row : kRowsOtherwise;
}

/// So much of it as fits, so that the screen does not roll.
std::string first_lines(const std::string& text, std::size_t lines) {
    std::size_t end = 0;
    for (std::size_t i = 0; i < lines && end < text.size(); ++i) {
        const std::size_t next = text.find('\n', end);
        end = next == std::string::npos ? text.size() : next + 1;
    }
    return end == text.size() ? text : text.substr(0, end) + "...\n";
}

Outcome<void> check(const Parser& parser) {
    if (parser.watched.empty()) return give_up(Exit::usage, "watch what?", "watch -n 5 status");
    Parser inner(parser.globals);
    if (auto parsed = inner.parse(parser.watched); !parsed) return parsed;
    const Verb* verb = inner.parsed();
    if (verb == nullptr || verb->mutates)
        return give_up(
            Exit::usage,
            fmt::format("watch repeats only what changes nothing, not '{}'", parser.watched.front()),
            "watch -n 5 status");
    return {};
}

} // namespace

Outcome<void> run_watch(const Parser& parser, Terminal& terminal) {
    if (auto good = check(parser); !good) return good;
    const auto pause = std::chrono::milliseconds(static_cast<std::int64_t>(parser.watch_seconds * 1000));
    for (std::uint64_t round = 1;; ++round) {
        std::ostringstream text;
        Terminal captured{terminal.in,
                          text,
                          text,
                          false,
                          terminal.err_is_terminal,
                          terminal.environment,
                          terminal.now_ms,
                          terminal.out_is_terminal};
        const auto outcome = run_command(parser.watched, parser.globals, captured);
        if (interrupted()) return {};
        if (!outcome) show_failure(captured, outcome.error());
        if (terminal.out_is_terminal)
            terminal.out << kClearScreen
                         << fmt::format("every {:g} s: {}\n\n", parser.watch_seconds,
                                        printable(fmt::format("{}", fmt::join(parser.watched, " "))))
                         << first_lines(text.str(), screen_rows() - 4) << std::flush;
        else
            terminal.out << text.str() << std::flush;
        if (!terminal.out) return give_up(Exit::failed, "cannot write the output", "");
        if (round == parser.watch_count) return outcome;
        if (wait_for_interrupt(pause)) return {};
    }
}

} // namespace dwcp::shell
