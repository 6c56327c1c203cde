#include "ops/shell/line_editor.hpp"

#include "ops/shell/history.hpp"
#include "ops/shell/interrupt.hpp"
#include "ops/shell/units.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cwchar>
#include <histedit.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace dwcp::shell {
namespace {

constexpr std::size_t kColumnsOtherwise = 80;
/// More candidates than these scroll away what was typed.
constexpr std::size_t kShownMax = 200;
constexpr char kCodesBetween = '\1';

std::atomic<bool> window_changed{false};

void on_window_change(int) { window_changed = true; }

std::size_t screen_columns() {
    winsize size{};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kColumnsOtherwise;
}

std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; }));
}

/// The part that is still to be chosen: of "reports/2024.csv" behind "reports/" the name.
std::string shown_name(const std::string& candidate) {
    const std::size_t slash = candidate.rfind('/', candidate.size() < 2 ? 0 : candidate.size() - 2);
    return printable(slash == std::string::npos ? candidate : candidate.substr(slash + 1));
}

void print_in_columns(const Completion& completion) {
    const std::size_t count = std::min(completion.candidates.size(), kShownMax);
    std::vector<std::string> names;
    std::size_t widest = 1;
    for (std::size_t i = 0; i < count; ++i) {
        names.push_back(shown_name(completion.candidates[i]));
        widest = std::max(widest, width(names.back()));
    }
    const std::size_t columns = std::max<std::size_t>(1, screen_columns() / (widest + 2));
    const std::size_t rows = (count + columns - 1) / columns;
    std::string text = "\n";
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t at = row; at < count; at += rows)
            text += names[at] + std::string(at + rows < count ? widest + 2 - width(names[at]) : 0, ' ');
        text += '\n';
    }
    if (count < completion.candidates.size() || !completion.complete) text += "...\n";
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

} // namespace

struct LineEditor::Inner {
    explicit Inner(std::function<Completion(std::string_view)> complete) : on_tab(std::move(complete)) {}

    static Inner& of(EditLine* editor) {
        void* data = nullptr;
        el_get(editor, EL_CLIENTDATA, &data);
        return *static_cast<Inner*>(data);
    }

    static char* show_prompt(EditLine* editor) { return of(editor).prompt.data(); }
    static int read_character(EditLine* editor, wchar_t* character);
    static unsigned char tab(EditLine* editor, int);

    Typed read_line(const std::string& text, std::string& line);

    std::function<Completion(std::string_view)> on_tab;
    EditLine* editor = nullptr;
    ::History* history = nullptr;
    std::string prompt;
    bool completes = true;
};

/// Waits for the terminal and for an interrupt at once. UTF-8 whatever the locale.
int LineEditor::Inner::read_character(EditLine* editor, wchar_t* character) {
    std::array<char, 4> bytes{};
    std::size_t have = 0;
    std::size_t want = 1;
    while (have < want) {
        std::array<pollfd, 2> waiting = {pollfd{STDIN_FILENO, POLLIN, 0}, {interrupt_fd(), POLLIN, 0}};
        const int ready = poll(waiting.data(), waiting.size(), -1);
        if (window_changed.exchange(false)) el_resize(editor);
        if (interrupted()) {
            errno = EINTR;
            return -1;
        }
        if (ready < 0 && errno == EINTR) continue;
        const ssize_t count = ::read(STDIN_FILENO, &bytes[have], 1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return static_cast<int>(count);
        const auto byte = static_cast<unsigned char>(bytes[have++]);
        if (have == 1) want = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 1;
    }
    if (want == 1) {
        *character = static_cast<unsigned char>(bytes[0]);
        return 1;
    }
    wchar_t code = static_cast<wchar_t>(static_cast<unsigned char>(bytes[0]) & (0xffU >> (want + 1)));
    for (std::size_t i = 1; i < want; ++i)
        code = code << 6 | (static_cast<unsigned char>(bytes[i]) & 0x3f);
    *character = code;
    return 1;
}

unsigned char LineEditor::Inner::tab(EditLine* editor, int) {
    Inner& inner = of(editor);
    if (!inner.completes) return CC_ERROR;
    const LineInfo* info = el_line(editor);
    const std::string before(info->buffer, static_cast<std::size_t>(info->cursor - info->buffer));
    const Completion completion = inner.on_tab(before);
    if (interrupted()) return CC_ERROR;
    if (!completion.insert.empty())
        return el_insertstr(editor, completion.insert.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    if (completion.candidates.empty()) return CC_ERROR;
    print_in_columns(completion);
    return CC_REDISPLAY;
}

Typed LineEditor::Inner::read_line(const std::string& text, std::string& line) {
    line.clear();
    prompt = text;
    int count = 0;
    errno = 0;
    // Before the prompt is seen: a Ctrl-D that the terminal's own line discipline takes is lost.
    el_set(editor, EL_PREP_TERM, 1);
    const char* typed = el_gets(editor, &count);
    if (interrupted()) {
        el_reset(editor);
        const bool leaves = leave_signal() != 0;
        std::fputs(leaves ? "\n" : "^C\n", stdout);
        std::fflush(stdout);
        return leaves ? Typed::ended : Typed::cancelled;
    }
    if (typed == nullptr || count <= 0) {
        std::fputs("\n", stdout);
        std::fflush(stdout);
        return Typed::ended;
    }
    line.assign(typed, static_cast<std::size_t>(count));
    while (line.ends_with('\n') || line.ends_with('\r'))
        line.pop_back();
    return Typed::line;
}

LineEditor::LineEditor(std::function<Completion(std::string_view)> on_tab)
    : inner_(std::make_unique<Inner>(std::move(on_tab))) {
    // Where the user's locale is not UTF-8, or there is none, names of objects still are.
    if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX < 2) std::setlocale(LC_CTYPE, "C.UTF-8");
    EditLine* editor = el_init("dwcp-shell", stdin, stdout, stderr);
    inner_->editor = editor;
    inner_->history = history_init();
    HistEvent event{};
    ::history(inner_->history, &event, H_SETSIZE, static_cast<int>(History::kLinesMax));
    ::history(inner_->history, &event, H_SETUNIQUE, 1);
    el_set(editor, EL_CLIENTDATA, inner_.get());
    el_set(editor, EL_PROMPT_ESC, &Inner::show_prompt, kCodesBetween);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, ::history, inner_->history);
    el_set(editor, EL_GETCFN, &Inner::read_character);
    el_set(editor, EL_ADDFN, "dwcp-complete", "Complete a name", &Inner::tab);
    el_set(editor, EL_BIND, "^I", "dwcp-complete", nullptr);
    el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_set(editor, EL_BIND, "\\e[3~", "ed-delete-next-char", nullptr);
    el_source(editor, nullptr); // the user's ~/.editrc
    struct sigaction action {};
    action.sa_handler = on_window_change;
    sigaction(SIGWINCH, &action, nullptr);
}

LineEditor::~LineEditor() {
    el_end(inner_->editor);
    history_end(inner_->history);
}

void LineEditor::add_history(const std::string& line) {
    HistEvent event{};
    ::history(inner_->history, &event, H_ENTER, line.c_str());
}

Typed LineEditor::read(const std::string& prompt, std::string& line) {
    inner_->completes = true;
    return inner_->read_line(prompt, line);
}

Typed LineEditor::ask(const std::string& question, std::string& line) {
    inner_->completes = false;
    el_set(inner_->editor, EL_HIST, ::history, nullptr);
    const Typed typed = inner_->read_line(question, line);
    el_set(inner_->editor, EL_HIST, ::history, inner_->history);
    return typed;
}

} // namespace dwcp::shell
