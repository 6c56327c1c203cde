#include "protocols/base/result.hpp"

namespace dwcp {

std::string_view to_string(Errc code) {
    switch (code) {
    case Errc::internal:
        return "internal";
    case Errc::invalid_argument:
        return "invalid_argument";
    case Errc::not_found:
        return "not_found";
    case Errc::already_exists:
        return "already_exists";
    case Errc::precondition_failed:
        return "precondition_failed";
    case Errc::unauthenticated:
        return "unauthenticated";
    case Errc::permission_denied:
        return "permission_denied";
    case Errc::resource_exhausted:
        return "resource_exhausted";
    case Errc::unavailable:
        return "unavailable";
    case Errc::deadline_exceeded:
        return "deadline_exceeded";
    case Errc::corrupted:
        return "corrupted";
    case Errc::too_large:
        return "too_large";
    case Errc::cancelled:
        return "cancelled";
    case Errc::unimplemented:
        return "unimplemented";
    case Errc::io_error:
        return "io_error";
    case Errc::condition_failed:
        return "condition_failed";
    }
    return "unknown";
}

std::string Error::render() const { return remedy.empty() ? message : message + " (" + remedy + ")"; }

} // namespace dwcp
