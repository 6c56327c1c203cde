#include "protocols/breaker/outcome.hpp"

#include <fmt/format.h>

namespace dwcp::breaker {

Outcome outcome_of(Errc code) {
    switch (code) {
    case Errc::internal:
    case Errc::unavailable:
    case Errc::deadline_exceeded:
    case Errc::corrupted:
    case Errc::io_error:
        return Outcome::failure;
    case Errc::not_found:
    case Errc::already_exists:
    case Errc::precondition_failed:
    case Errc::condition_failed:
        return Outcome::success;
    case Errc::invalid_argument:
    case Errc::unauthenticated:
    case Errc::permission_denied:
    case Errc::resource_exhausted:
    case Errc::too_large:
    case Errc::cancelled:
    case Errc::unimplemented:
        return Outcome::ignored;
    }
    return Outcome::failure;
}

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
    case Outcome::success:
        return "success";
    case Outcome::failure:
        return "failure";
    case Outcome::ignored:
        return "ignored";
    }
    return "unknown";
}

std::string_view to_string(RefusalReason reason) {
    switch (reason) {
    case RefusalReason::rate:
        return "rate";
    case RefusalReason::in_flight:
        return "in_flight";
    case RefusalReason::latency:
        return "latency";
    }
    return "unknown";
}

Refusal refuse(RefusalReason reason, std::uint32_t retry_after_ms, std::string message) {
    return {reason,
            retry_after_ms,
            {Errc::resource_exhausted, std::move(message), fmt::format("retry after {} ms", retry_after_ms)}};
}

} // namespace dwcp::breaker
