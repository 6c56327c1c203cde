#include "runtime/http/response_head.hpp"

#include <fmt/format.h>

#include <array>
#include <ctime>

namespace dwcp::http {
namespace {

void append_header(std::string& head, std::string_view name, std::string_view value) {
    head.append(name).append(": ");
    for (const char c : value)
        head += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    head.append("\r\n");
}

bool has_own_length(const Response& response) {
    for (const auto& [name, value] : response.headers)
        if (name == "Content-Length") return true;
    return false;
}

} // namespace

std::string_view reason_of(int status) {
    constexpr std::pair<int, std::string_view> kReasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {206, "Partial Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Payload Too Large"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Entity"},
        {428, "Precondition Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {507, "Insufficient Storage"},
    };
    for (const auto& [known, reason] : kReasons)
        if (known == status) return reason;
    return status < 400 ? "OK" : "Error";
}

bool is_bodiless(int status) { return status < 200 || status == 204 || status == 304; }

std::string response_head(const Response& response, const std::string& request_id, const Framing& framing) {
    std::string head = fmt::format("HTTP/1.1 {} {}\r\nDate: {}\r\nX-DWCP-Request-Id: {}\r\n", response.status,
                                   reason_of(response.status), framing.date, request_id);
    for (const auto& [name, value] : response.headers)
        append_header(head, name, value);
    if (framing.chunked)
        head.append("Transfer-Encoding: chunked\r\n");
    else if (framing.content_length && !has_own_length(response))
        head.append(fmt::format("Content-Length: {}\r\n", *framing.content_length));
    const bool has_content = framing.chunked || framing.content_length.value_or(0) > 0 || response.next;
    if (has_content && !is_bodiless(response.status))
        append_header(head, "Content-Type", response.content_type);
    if (!framing.keep_alive)
        head.append("Connection: close\r\n");
    else if (framing.minor_version == 0)
        head.append("Connection: keep-alive\r\n");
    return head.append("\r\n");
}

std::string http_date(std::int64_t unix_seconds) {
    const std::time_t seconds = unix_seconds;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

} // namespace dwcp::http
