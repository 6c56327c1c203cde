// Percent-encoding (RFC 3986) for request targets. Strict: what is not an escape is an error, not a guess.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace dwcp::http {

/// nullopt for a broken escape.
std::optional<std::string> percent_decode(std::string_view text);

/// Encodes all but unreserved characters; '/' stays, so that a key keeps its shape in a path.
std::string percent_encode_path(std::string_view text);
/// Encodes all but unreserved characters: for a query parameter.
std::string percent_encode(std::string_view text);

struct Target {
    std::string path;
    std::map<std::string, std::string> params;
    std::string authority{}; ///< Of the absolute form: "host:port".
};

/// "/a%20b?c=d" (or the absolute form "http://host/a...") split and decoded; nullopt if malformed.
std::optional<Target> parse_target(std::string_view target);

} // namespace dwcp::http
