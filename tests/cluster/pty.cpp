#include "tests/cluster/pty.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dwcp::testing {
namespace {

constexpr unsigned short kRows = 40;
constexpr unsigned short kColumns = 132;

std::size_t bytes_of_character(unsigned char first) {
    return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 1;
}

std::size_t number_in(const std::string& text, std::size_t otherwise) {
    return text.empty() || text.find_first_not_of("0123456789") != std::string::npos
               ? otherwise
               : static_cast<std::size_t>(std::stoul(text));
}

} // namespace

void Screen::show(std::string_view bytes) {
    pending_ += bytes;
    while (!pending_.empty()) {
        const auto first = static_cast<unsigned char>(pending_[0]);
        if (first == 0x1b) {
            if (pending_.size() < 2) return;
            if (pending_[1] != '[') {
                pending_.erase(0, 2);
                continue;
            }
            const std::size_t end =
                pending_.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz@", 2);
            if (end == std::string::npos) return;
            run_code(pending_[end], pending_.substr(2, end - 2));
            pending_.erase(0, end + 1);
            continue;
        }
        const std::size_t size = bytes_of_character(first);
        if (pending_.size() < size) return;
        put(pending_.substr(0, size));
        pending_.erase(0, size);
    }
}

void Screen::put(const std::string& character) {
    const auto code = static_cast<unsigned char>(character[0]);
    if (code == '\n' && ++row_ == lines_.size()) lines_.emplace_back();
    if (code == '\r') column_ = 0;
    if (code == '\b' && column_ > 0) --column_;
    if (code < 0x20) return;
    auto& line = lines_[row_];
    if (line.size() <= column_) line.resize(column_ + 1, " ");
    line[column_++] = character;
}

void Screen::run_code(char command, const std::string& arguments) {
    const std::size_t count = number_in(arguments, 1);
    auto& line = lines_[row_];
    const auto at = [&](std::size_t column) {
        return line.begin() + static_cast<std::ptrdiff_t>(std::min(column, line.size()));
    };
    switch (command) {
    case 'A':
        row_ -= std::min(count, row_ - page_);
        break;
    case 'B':
        for (std::size_t i = 0; i < count; ++i)
            if (++row_ == lines_.size()) lines_.emplace_back();
        break;
    case 'C':
        column_ += count;
        break;
    case 'D':
        column_ -= std::min(count, column_);
        break;
    case 'G':
        column_ = count - 1;
        break;
    case 'K':
        line.erase(at(column_), line.end());
        break;
    case 'P':
        line.erase(at(column_), at(column_ + count));
        break;
    case '@':
        line.insert(at(column_), count, " ");
        break;
    case 'H':
    case 'J':
        if (arguments.empty() || arguments == "2") new_page();
        break;
    default: // colours and modes change no text
        break;
    }
}

void Screen::new_page() {
    if (lines_.back().empty() && row_ + 1 == lines_.size() && page_ == row_) return;
    if (!lines_.back().empty()) lines_.emplace_back();
    row_ = page_ = lines_.size() - 1;
    column_ = 0;
}

std::string Screen::text() const {
    std::string text;
    for (const auto& line : lines_) {
        std::string shown;
        for (const auto& character : line)
            shown += character;
        if (&line == &lines_.back()) return text + shown;
        shown.erase(shown.find_last_not_of(' ') + 1);
        text += shown + '\n';
    }
    return text;
}

Pty::Pty(const std::string& program, std::vector<std::string> arguments,
         const std::map<std::string, std::string>& environment) {
    std::vector<std::string> variables;
    for (const auto& [name, value] : environment)
        variables.push_back(name + "=" + value);
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argument_pointers, variable_pointers;
    for (auto& argument : arguments)
        argument_pointers.push_back(argument.data());
    for (auto& variable : variables)
        variable_pointers.push_back(variable.data());
    argument_pointers.push_back(nullptr);
    variable_pointers.push_back(nullptr);
    winsize size{kRows, kColumns, 0, 0};
    pid_ = forkpty(&fd_, nullptr, nullptr, &size);
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
        execve(program.c_str(), argument_pointers.data(), variable_pointers.data());
        _exit(127);
    }
}

Pty::~Pty() {
    if (pid_ > 0) {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    if (fd_ >= 0) close(fd_);
}

void Pty::type(std::string_view keys) {
    REQUIRE(write(fd_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
}

bool Pty::read_some(std::chrono::milliseconds limit) {
    pollfd waiting{fd_, POLLIN, 0};
    if (poll(&waiting, 1, static_cast<int>(limit.count())) <= 0) return false;
    std::array<char, 4096> buffer;
    const ssize_t count = read(fd_, buffer.data(), buffer.size());
    if (count <= 0) return false;
    screen_.show({buffer.data(), static_cast<std::size_t>(count)});
    return true;
}

void Pty::expect(std::string_view text, std::chrono::milliseconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    for (;;) {
        const std::string shown = screen_.text();
        const std::size_t found = shown.find(text, std::min(seen_, shown.size()));
        if (found != std::string::npos) {
            seen_ = found + text.size();
            return;
        }
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        if (left.count() <= 0 || !read_some(left))
            FAIL("'" << text << "' was not shown behind:\n"
                     << shown.substr(0, seen_) << "\n--- where this is:\n"
                     << shown.substr(std::min(seen_, shown.size())));
    }
}

void Pty::expect_redrawn(std::string_view text) {
    const std::string shown = screen_.text();
    seen_ = shown.rfind('\n', std::min(seen_, shown.size())) + 1;
    expect(text);
}

int Pty::wait(std::chrono::milliseconds limit) {
    const auto until = std::chrono::steady_clock::now() + limit;
    int status = 0;
    // A program that ends may still have to write; its terminal wakes us up when it is gone.
    while (waitpid(pid_, &status, WNOHANG) != pid_) {
        if (std::chrono::steady_clock::now() >= until)
            FAIL("the program did not end; its screen:\n" << text());
        read_some(std::chrono::milliseconds(20));
    }
    while (read_some(std::chrono::milliseconds(0))) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace dwcp::testing
