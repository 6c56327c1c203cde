#include "runtime/http/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace dwcp::http {

bool CaseInsensitiveLess::operator()(std::string_view a, std::string_view b) const {
    return std::ranges::lexicographical_compare(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) < std::tolower(y); });
}

std::optional<std::string> Request::header(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> Request::param(const std::string& name) const {
    const auto found = params.find(name);
    return found == params.end() ? std::nullopt : std::optional(found->second);
}

Result<std::string> read_text(const Request& request, std::size_t bytes_max) {
    const auto over = [&] {
        return fail(Errc::too_large, fmt::format("the body is over {} bytes", bytes_max),
                    "send less at once");
    };
    if (request.content_length.value_or(0) > bytes_max) return over();
    std::string text;
    const auto outcome = request.read_body([&](ByteView piece) -> Result<void> {
        if (text.size() + piece.size() > bytes_max) return over();
        text += as_text(piece);
        return {};
    });
    if (!outcome) return std::unexpected(outcome.error());
    return text;
}

} // namespace dwcp::http
