#include "runtime/config/rules.hpp"

#include "protocols/base/ids.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <charconv>
#include <sstream>

namespace dwcp::config {
namespace {

constexpr std::size_t kNodeNameMax = 63; // a DNS label, so that a node's name can be its host name

template<class... F>
struct Overload : F... {
    using F::operator()...;
};

std::string number_text(std::int64_t number, std::string_view unit) {
    static constexpr std::array<const char*, 6> names = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t power = 0;
    std::int64_t rest = number;
    while (unit == "bytes" && rest >= 1024 && rest % 1024 == 0 && power + 1 < names.size()) {
        rest /= 1024;
        ++power;
    }
    return power == 0 ? std::to_string(number) : fmt::format("{} ({} {})", number, rest, names[power]);
}

} // namespace

bool accepts(const Rule& rule, const Value& value) {
    const auto* number = std::get_if<std::int64_t>(&value);
    const auto* text = std::get_if<std::string>(&value);
    return std::visit(
        Overload{
            [&](const AnyBool&) { return std::holds_alternative<bool>(value); },
            [&](const Range& range) { return number && *number >= range.min && *number <= range.max; },
            [&](const Choice& choice) { return text && std::ranges::count(choice.names, *text) > 0; },
            [&](const Text& form) { return text && form.accepts(*text); },
        },
        rule);
}

std::string allowed_text(const Rule& rule, std::string_view unit) {
    return std::visit(Overload{
                          [](const AnyBool&) { return std::string("true or false"); },
                          [&](const Range& range) {
                              return fmt::format("an integer from {} to {}", number_text(range.min, unit),
                                                 number_text(range.max, unit));
                          },
                          [](const Choice& choice) {
                              return fmt::format("one of \"{}\"", fmt::join(choice.names, "\", \""));
                          },
                          [](const Text& form) { return std::string(form.allowed); },
                      },
                      rule);
}

std::string toml_text(const Value& value) {
    return std::visit(
        [](const auto& plain) {
            const toml::value node{plain};
            std::ostringstream out;
            // Basic strings only: the one quoting that every reader knows.
            out << toml::toml_formatter{node, toml::format_flags::none};
            return out.str();
        },
        value);
}

std::string shown_text(const Value& value, std::string_view unit) {
    const auto* number = std::get_if<std::int64_t>(&value);
    return number == nullptr ? toml_text(value) : number_text(*number, unit);
}

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) host = host.substr(1, host.size() - 2);
    if (host.find_first_of("[]") != std::string_view::npos) return std::nullopt;
    // Without brackets the last group of an IPv6 address would be taken for the port.
    if (host.empty() || bracketed != (host.find(':') != std::string_view::npos)) return std::nullopt;

    Endpoint endpoint{std::string(host), 0};
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (error != std::errc{} || end != port.data() + port.size()) return std::nullopt;
    return endpoint;
}

bool is_node_name(std::string_view text) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !text.empty() && text.size() <= kNodeNameMax && std::ranges::all_of(text, allowed);
}

bool is_node_name_or_empty(std::string_view text) { return text.empty() || is_node_name(text); }

bool is_path_or_empty(std::string_view text) {
    return std::ranges::none_of(text,
                                [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_path(std::string_view text) { return !text.empty() && is_path_or_empty(text); }

bool is_public_key_or_empty(std::string_view text) {
    PublicKey key;
    return text.empty() || from_hex(text, key.bytes);
}

bool is_listen_endpoint(std::string_view text) { return parse_endpoint(text).has_value(); }

bool is_peer_endpoint(std::string_view text) {
    const auto endpoint = parse_endpoint(text);
    return endpoint && endpoint->port != 0;
}

bool is_loopback(const std::string& host) {
    if (host == "localhost") return true;
    in_addr v4{};
    if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
    in6_addr v6{};
    return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

} // namespace dwcp::config
