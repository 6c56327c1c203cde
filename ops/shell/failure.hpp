// How a command of the shell fails: with an exit code for scripts and a message with a remedy for people.
#pragma once

#include "protocols/base/result.hpp"

#include <expected>
#include <string>
#include <string_view>

namespace dwcp::shell {

/// The exit codes of dwcp-shell; design.md promises them.
enum class Exit : int {
    ok = 0,
    failed = 1,
    usage = 2,
    unreachable = 3,
    denied = 4,
    precondition = 5,
    timeout = 6,
    partial = 7,
    interrupted = 130, ///< As shells say it of a program that Ctrl-C ended.
};

struct Failure {
    Exit exit = Exit::failed;
    std::string message;
    std::string remedy;
};

template<class T>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> give_up(Exit exit, std::string message, std::string remedy = {}) {
    return std::unexpected(Failure{exit, std::move(message), std::move(remedy)});
}

/// What a command that an interrupt ended fails with.
Failure interrupted_failure();

/// The one table from a code of the API ("not_found") or of our own to an exit code.
Exit exit_of(std::string_view code);
Failure to_failure(const Error& error);

} // namespace dwcp::shell
