#include "ops/shell/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace dwcp::shell {

std::string human_bytes(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    constexpr std::array<const char*, 6> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    // 1023.95 would be printed as 1024.0.
    for (; value >= 1023.95 && unit + 1 < kUnits.size(); ++unit)
        value /= 1024;
    return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_span(std::int64_t ms) {
    if (ms < 1'000) return fmt::format("{} ms", ms);
    const std::int64_t seconds = ms / 1'000;
    if (seconds < 120) return fmt::format("{} s", seconds);
    if (seconds < 2 * 3'600) return fmt::format("{} min", seconds / 60);
    if (seconds < 2 * 86'400) return fmt::format("{} h", seconds / 3'600);
    return fmt::format("{} d", seconds / 86'400);
}

std::string human_age(std::int64_t then_ms, std::int64_t now_ms) {
    return then_ms >= now_ms ? "now" : human_span(now_ms - then_ms) + " ago";
}

namespace {

struct Decoded {
    char32_t code = 0;
    std::size_t bytes = 0; ///< 0: no UTF-8 starts here.
};

Decoded decode(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return {first, 1};
    const std::size_t size = first >= 0xf0 && first < 0xf5 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
    if (size == 0 || first >= 0xf5 || text.size() < size) return {};
    char32_t code = first & (0xffU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80) return {};
        code = code << 6 | (byte(i) & 0x3fU);
    }
    constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < kLeast[size] || surrogate || code > 0x10ffff ? Decoded{} : Decoded{code, size};
}

bool steers(char32_t code) {
    const auto in = [code](char32_t from, char32_t to) { return code >= from && code <= to; };
    return code < 0x20 || in(0x7f, 0x9f) || code == 0x61c || in(0x200e, 0x200f) || in(0x2028, 0x202e) ||
           in(0x2066, 0x2069);
}

} // namespace

std::string escape_for_terminal(std::string_view text, Escape how) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const auto [code, bytes] = decode(text);
        const std::size_t taken = std::max<std::size_t>(bytes, 1);
        if (bytes == 0)
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
        else if (!steers(code) || (how == Escape::as_json && code == U'\n'))
            out += text.substr(0, bytes);
        else if (how == Escape::as_text && code < 0x100)
            out += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(code));
        else
            out += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(code));
        text.remove_prefix(taken);
    }
    return out;
}

std::string printable(std::string_view text) { return escape_for_terminal(text, Escape::as_text); }

std::string printable_lines(std::string_view text) {
    std::string out;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
        out += printable(text.substr(0, end)) + '\n';
        text.remove_prefix(end + 1);
    }
    return out + printable(text);
}

} // namespace dwcp::shell
