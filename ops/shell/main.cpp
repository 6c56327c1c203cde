#include "ops/shell/interrupt.hpp"
#include "ops/shell/shell.hpp"

#include <chrono>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <unistd.h>

int main(int count, char** values) {
    using namespace dwcp::shell;
    std::ios::sync_with_stdio(false);
    install_interrupt_handler();
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
