#include "ops/shell/units.hpp"

#include <fmt/format.h>

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

std::string printable(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    return out;
}

} // namespace dwcp::shell
