#include "tests/ops/rule_files.hpp"

#include <cctype>
#include <fstream>
#include <sstream>

namespace dwcp::ops_files {
namespace {

bool word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == ':'; }

std::string_view trimmed(std::string_view line) {
    const auto begin = line.find_first_not_of(" -");
    return begin == std::string_view::npos ? std::string_view() : line.substr(begin);
}

/// What stands after "key: ", without quotes; empty if the line is about something else.
std::string value_of(std::string_view line, std::string_view key) {
    if (!line.starts_with(key) || !line.substr(key.size()).starts_with(": ")) return {};
    std::string value(line.substr(key.size() + 2));
    if (value.size() >= 2 && value.front() == '\'' && value.back() == '\'')
        value = value.substr(1, value.size() - 2);
    return value;
}

} // namespace

std::string content_of(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::ostringstream content;
    content << stream.rdbuf();
    return content.str();
}

std::vector<Alert> alerts_in(std::string_view text) {
    std::vector<Alert> alerts;
    std::istringstream lines{std::string(text)};
    for (std::string whole; std::getline(lines, whole);) {
        const auto line = trimmed(whole);
        if (auto name = value_of(line, "alert"); !name.empty()) alerts.emplace_back().name = name;
        if (alerts.empty()) continue;
        Alert& alert = alerts.back();
        const auto take = [&](std::string_view key, std::string& into) {
            if (auto value = value_of(line, key); !value.empty()) into = value;
        };
        take("severity", alert.severity);
        take("summary", alert.summary);
        take("description", alert.description);
        take("runbook_url", alert.runbook_url);
    }
    return alerts;
}

std::set<std::string> metrics_named_in(std::string_view text) {
    std::set<std::string> found;
    std::istringstream lines{std::string(text)};
    for (std::string whole; std::getline(lines, whole);) {
        const auto line = trimmed(whole);
        if (line.starts_with('#') || line.starts_with("name: ")) continue;
        for (std::size_t at = 0; at < line.size();) {
            if (!word_char(line[at])) {
                ++at;
                continue;
            }
            const auto begin = at;
            while (at < line.size() && word_char(line[at]))
                ++at;
            const auto word = line.substr(begin, at - begin);
            if (word.find(':') != std::string_view::npos) continue;
            if (word.starts_with("dwcp_") || word.starts_with("process_")) found.emplace(word);
        }
    }
    return found;
}

std::set<std::string> metrics_exposed_in(std::string_view exposition) {
    std::set<std::string> found;
    std::istringstream lines{std::string(exposition)};
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line.starts_with('#')) continue;
        found.insert(line.substr(0, line.find_first_of("{ ")));
    }
    return found;
}

} // namespace dwcp::ops_files
