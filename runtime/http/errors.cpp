#include "runtime/http/errors.hpp"

#include <nlohmann/json.hpp>

namespace dwcp::http {

int status_of(Errc code) {
    switch (code) {
    case Errc::internal:
        return 500;
    case Errc::invalid_argument:
        return 400;
    case Errc::not_found:
        return 404;
    case Errc::already_exists:
        return 409;
    case Errc::precondition_failed:
        return 409;
    case Errc::unauthenticated:
        return 401;
    case Errc::permission_denied:
        return 403;
    case Errc::resource_exhausted:
        return 429;
    case Errc::unavailable:
        return 503;
    case Errc::deadline_exceeded:
        return 504;
    case Errc::corrupted:
        return 500;
    case Errc::too_large:
        return 413;
    case Errc::cancelled:
        return 503;
    case Errc::unimplemented:
        return 501;
    case Errc::io_error:
        return 500;
    case Errc::condition_failed:
        return 412;
    }
    return 500;
}

std::string error_body(const Error& error) {
    const nlohmann::json body = {
        {"error", {{"code", to_string(error.code)}, {"message", error.message}, {"remedy", error.remedy}}}};
    // A message may quote what a client sent, so it need not be UTF-8.
    return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

Response error_response(const Error& error, int status) {
    Response response;
    response.status = status;
    response.body = error_body(error);
    if (status == 429 || status == 503)
        response.headers.emplace_back("Retry-After", std::to_string(kRetryAfterSeconds));
    if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
}

Response error_response(const Error& error) { return error_response(error, status_of(error.code)); }

} // namespace dwcp::http
