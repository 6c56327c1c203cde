// How an Error looks to an HTTP client: one table of statuses, one JSON shape.
//
//   {"error": {"code": "too_large", "message": "...", "remedy": "..."}}
#pragma once

#include "protocols/base/result.hpp"
#include "runtime/http/message.hpp"

namespace dwcp::http {

/// What a client that was told to come back should wait: long enough for a queue of short requests to move.
inline constexpr int kRetryAfterSeconds = 1;

int status_of(Errc code);

/// resource_exhausted and unavailable carry Retry-After.
Response error_response(const Error& error);
/// For the few cases where HTTP has a finer status than the code's own, e.g. 412 for a conditional header.
Response error_response(const Error& error, int status);

/// The JSON alone.
std::string error_body(const Error& error);

} // namespace dwcp::http
