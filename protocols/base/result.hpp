// The error style of the house: functions that can fail return Result<T>; nothing throws past a module's
// edge.
//
// An Error carries a code a program can switch on, a message that says what was wrong and where, and a remedy
// that says what to do. The gateway maps the code to an HTTP status, the shell to an exit code.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace dwcp {

/// What kind of failure it is, from the caller's point of view. The order is part of the wire format.
enum class Errc : std::uint8_t {
    internal = 0,        ///< A broken invariant of ours. Never the caller's fault.
    invalid_argument,    ///< The input is malformed; sending it again will not help.
    not_found,           ///< The named thing does not exist.
    already_exists,      ///< The named thing exists and the caller asked for a new one.
    precondition_failed, ///< The state does not allow it now.
    unauthenticated,     ///< The caller did not prove who it is.
    permission_denied,   ///< The caller is known but may not do this.
    resource_exhausted,  ///< A limit or quota was reached: rate, bulkhead, queue, disk, memory.
    unavailable,         ///< The service or peer is away; try again later.
    deadline_exceeded,   ///< The answer did not come in time; it may still have happened.
    corrupted,           ///< Stored or received bytes do not match their checksum.
    too_large,           ///< A message, body or frame is over its limit.
    cancelled,           ///< The caller or a shutdown ended it.
    unimplemented,       ///< Not supported by this version.
    io_error,            ///< The operating system refused: disk, socket, file.
    condition_failed,    ///< The caller's own condition on the object's version does not hold.
};
inline constexpr Errc kErrcLast = Errc::condition_failed;

/// Stable lower-case name, used in JSON, logs and metrics labels.
std::string_view to_string(Errc code);

struct Error {
    Errc code = Errc::internal;
    std::string message; ///< What was wrong and where.
    std::string remedy;  ///< What to do about it; may be empty where nothing can be done.

    /// "message (remedy)" for logs and terminals.
    std::string render() const;
};

template<class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Errc code, std::string message, std::string remedy = {}) {
    return std::unexpected(Error{code, std::move(message), std::move(remedy)});
}

} // namespace dwcp
