#include "ops/shell/node_program.hpp"

#include "ops/shell/interrupt.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <spawn.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace dwcp::shell {
namespace {

constexpr const char* kProgram = "dwcp-node";
constexpr std::chrono::milliseconds kLookEvery{20};

/// Beside the shell; else wherever $PATH has it.
std::string program_file() {
    std::error_code error;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto beside = own.parent_path() / kProgram;
    return !error && std::filesystem::exists(beside, error) ? beside.string() : kProgram;
}

Outcome<pid_t> start(Format format, std::vector<std::string> words) {
    const std::string program = program_file();
    words.insert(words.begin(), program);
    std::vector<char*> pointers;
    for (auto& word : words)
        pointers.push_back(word.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (format != Format::table) posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    pid_t pid = -1;
    const int failed = posix_spawnp(&pid, program.c_str(), &actions, nullptr, pointers.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed != 0)
        return give_up(Exit::failed, fmt::format("cannot run {}: {}", program, std::strerror(failed)),
                       "install it beside dwcp-shell or in $PATH");
    return pid;
}

} // namespace

Outcome<int> run_node_program(Terminal& terminal, Format format, std::vector<std::string> arguments) {
    terminal.out.flush();
    terminal.err.flush();
    const CancelOnInterrupt cancels(terminal.runs_one_command());
    const auto pid = start(format, std::move(arguments));
    if (!pid) return std::unexpected(pid.error());
    bool passed_on = false;
    for (int status = 0;;) {
        const pid_t ended = waitpid(*pid, &status, WNOHANG);
        if (ended == *pid) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (ended < 0 && errno != EINTR)
            return give_up(Exit::failed, fmt::format("lost {}: {}", kProgram, std::strerror(errno)));
        if (passed_on) {
            usleep(static_cast<useconds_t>(kLookEvery / std::chrono::microseconds(1)));
        } else if (wait_for_interrupt(kLookEvery)) {
            kill(*pid, SIGTERM); // it may not be the terminal's
            passed_on = true;
        }
    }
}

} // namespace dwcp::shell
