#include "runtime/http/url.hpp"

#include "protocols/base/bytes.hpp"

#include <array>

namespace dwcp::http {
namespace {

bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

std::string encode(std::string_view text, bool keep_slash) {
    std::string out;
    for (const char c : text) {
        if (is_unreserved(c) || (keep_slash && c == '/')) {
            out += c;
        } else {
            const Byte byte = static_cast<Byte>(c);
            out += '%' + to_hex({&byte, 1});
        }
    }
    return out;
}

bool parse_params(std::string_view query, std::map<std::string, std::string>& params) {
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
        if (pair.empty()) continue;
        const std::size_t equals = pair.find('=');
        const auto name = percent_decode(pair.substr(0, equals));
        const auto value =
            equals == std::string_view::npos ? std::string() : percent_decode(pair.substr(equals + 1));
        if (!name || !value) return false;
        params[*name] = *value;
    }
    return true;
}

} // namespace

std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        std::array<Byte, 1> byte{};
        if (i + 2 >= text.size() || !from_hex(text.substr(i + 1, 2), byte)) return std::nullopt;
        out += static_cast<char>(byte[0]);
        i += 2;
    }
    return out;
}

std::string percent_encode_path(std::string_view text) { return encode(text, true); }
std::string percent_encode(std::string_view text) { return encode(text, false); }

std::optional<Target> parse_target(std::string_view target) {
    std::string authority;
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (!target.starts_with(scheme)) continue;
        target.remove_prefix(scheme.size());
        authority = target.substr(0, target.find_first_of("/?"));
        if (authority.empty() || authority.find('@') != std::string::npos) return std::nullopt;
        target.remove_prefix(authority.size());
        if (target.empty()) target = "/";
        break;
    }
    // A fragment is for the client alone; one that was sent would be read by some as part of the path.
    if (!target.starts_with('/') || target.find('#') != std::string_view::npos) return std::nullopt;
    const std::size_t question = target.find('?');
    auto path = percent_decode(target.substr(0, question));
    if (!path) return std::nullopt;
    Target parsed{std::move(*path), {}, std::move(authority)};
    if (question != std::string_view::npos && !parse_params(target.substr(question + 1), parsed.params))
        return std::nullopt;
    return parsed;
}

} // namespace dwcp::http
