#include "ops/shell/interrupt.hpp"
#include "ops/shell/shell.hpp"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <poll.h>
#include <unistd.h>

namespace {

/// `dwcp-shell ls | head` ends in silence like any program, but a node that closes a TLS connection, which
/// raises the same signal, is an answer to be shown.
void end_if_output_is_gone(int number) {
    const int before = errno;
    pollfd output{STDOUT_FILENO, 0, 0};
    if (::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0) ::_exit(128 + number);
    errno = before;
}

} // namespace

int main(int count, char** values) {
    using namespace dwcp::shell;
    std::ios::sync_with_stdio(false);
    install_interrupt_handler();
    std::signal(SIGPIPE, end_if_output_is_gone);
    Terminal terminal{
        std::cin,
        std::cout,
        std::cerr,
        isatty(STDIN_FILENO) != 0,
        isatty(STDERR_FILENO) != 0,
        [](const std::string& name) {
            const char* value = std::getenv(name.c_str());
            return value == nullptr ? std::nullopt : std::optional<std::string>(value);
        },
        [] {
            const auto now = std::chrono::system_clock::now().time_since_epoch();
            return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
        },
        isatty(STDOUT_FILENO) != 0,
        true,
    };
    try {
        return run_shell({values + 1, values + count}, terminal);
    } catch (const std::exception& error) {
        show_failure(terminal,
                     {Exit::failed, error.what(), "this is a fault of the shell: please report it"});
        return static_cast<int>(Exit::failed);
    }
}
