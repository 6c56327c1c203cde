// What a configuration key accepts, and how that is said to a person.
#pragma once

#include "runtime/config/config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace dwcp::config {

/// A value as a file holds it. Endpoints and enumerations are strings there.
using Value = std::variant<bool, std::int64_t, std::string>;

struct AnyBool {};

/// An integer, both ends included.
struct Range {
    std::int64_t min = 0;
    std::int64_t max = 0;
};

/// One of these strings. For an enumeration they stand in the order of its values.
struct Choice {
    std::vector<std::string_view> names;
};

/// A string of a certain form.
struct Text {
    std::string_view allowed; ///< The form in words.
    bool (*accepts)(std::string_view) = nullptr;
    std::string_view because = {}; ///< Why, where the form alone would puzzle the reader.
};

using Rule = std::variant<AnyBool, Range, Choice, Text>;

bool accepts(const Rule& rule, const Value& value);

/// "an integer from 1 to 64", `one of "bbr", "cubic"`; byte counts are repeated in binary units.
std::string allowed_text(const Rule& rule, std::string_view unit);

/// The value in TOML syntax.
std::string toml_text(const Value& value);
/// The same for people: byte counts are repeated in binary units.
std::string shown_text(const Value& value, std::string_view unit);

/// "HOST:PORT" or "[IPV6]:PORT"; nothing if it is malformed. Any host passes.
std::optional<Endpoint> parse_endpoint(std::string_view text);

bool is_node_name(std::string_view text); ///< 1 to 63 of a-z, 0-9 and '-'.
bool is_node_name_or_empty(std::string_view text);
bool is_path(std::string_view text); ///< Not empty, no control characters.
bool is_path_or_empty(std::string_view text);
bool is_public_key_or_empty(std::string_view text);
bool is_listen_endpoint(std::string_view text); ///< Port 0 asks for any free port.
bool is_peer_endpoint(std::string_view text);   ///< Port 1 to 65535.
/// "127.0.0.1", "::1", "localhost": nothing beyond this machine. Other names are not resolved: false.
bool is_loopback(const std::string& host);

} // namespace dwcp::config
