#include "protocols/ramp/judging.hpp"

#include <fmt/format.h>

#include <cmath>

namespace dwcp::ramp {

namespace {

/// Three digits that mean something, and no exponent.
std::string digits(double value) {
    const double size = std::abs(value);
    const int decimals = size >= 100 || size == 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : size >= 0.01 ? 3 : 4;
    std::string text = fmt::format("{:.{}f}", value, decimals);
    if (text.find('.') == std::string::npos) return text;
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
    return text == "-0" ? "0" : text;
}

std::string signed_digits(double value) { return (value > 0 ? "+" : "") + digits(value); }

} // namespace

std::string percent(double ratio) { return digits(ratio * 100) + " %"; }

std::string signed_percent(double ratio) { return signed_digits(ratio * 100) + " %"; }

std::string percent_range(double low, double high) {
    return fmt::format("[{}, {}] %", signed_digits(low * 100), signed_digits(high * 100));
}

std::string seconds(double value) { return value < 1 ? digits(value * 1e3) + " ms" : digits(value) + " s"; }

std::string span(std::uint64_t ms) {
    const double s = static_cast<double>(ms) / 1e3;
    return s < 180 ? digits(s) + " s" : s < 10'800 ? digits(s / 60) + " min" : digits(s / 3'600) + " h";
}

std::string count(std::uint64_t value) {
    const std::string plain = fmt::format("{}", value);
    std::string text;
    for (std::size_t i = 0; i < plain.size(); ++i) {
        if (i > 0 && (plain.size() - i) % 3 == 0) text += ',';
        text += plain[i];
    }
    return text;
}

} // namespace dwcp::ramp
