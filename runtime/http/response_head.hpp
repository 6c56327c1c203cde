// The first lines of a response, as they go out.
#pragma once

#include "runtime/http/message.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dwcp::http {

struct Framing {
    int minor_version = 1; ///< Of the request.
    bool keep_alive = true;
    bool chunked = false;
    std::optional<std::uint64_t> content_length; ///< Left out if the response has its own, or is chunked.
    std::string_view date;
};

/// A control character in a header's value becomes a blank, so that no value can end its line.
std::string response_head(const Response& response, const std::string& request_id, const Framing& framing);

/// "Not Found"
std::string_view reason_of(int status);

/// Whether a response with this status never has a body.
bool is_bodiless(int status);

/// The time as HTTP writes it, e.g. "Sun, 06 Nov 1994 08:49:37 GMT".
std::string http_date(std::int64_t unix_seconds);

} // namespace dwcp::http
