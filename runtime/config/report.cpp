#include "runtime/config/report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace dwcp::config {

void Report::problem(std::uint32_t line, const std::string& path, const std::string& text) {
    const std::string place = line == 0 ? origin_ : fmt::format("{}:{}", origin_, line);
    problems_.emplace_back(line, fmt::format("{}: {}: {}", place, path, text));
    reported_.insert(path);
}

void Report::contradiction(const std::string& path, const std::string& found, const std::string& allowed,
                           const std::string& other_path) {
    const std::uint32_t line = line_of(path);
    const std::string_view source = line == 0 ? " (the default)" : "";
    problem(line == 0 ? line_of(other_path) : line, path,
            fmt::format("found {}{}; allowed: {}", found, source, allowed));
}

bool Report::good(std::initializer_list<std::string> paths) const {
    return std::ranges::none_of(paths, [this](const std::string& path) { return reported_.contains(path); });
}

Problems Report::take() {
    std::ranges::stable_sort(problems_, {}, [](const auto& entry) { return entry.first; });
    Problems problems;
    for (auto& [line, text] : problems_)
        problems.list.push_back(std::move(text));
    return problems;
}

std::uint32_t Report::line_of(const std::string& path) const {
    const auto entry = lines_.find(path);
    return entry == lines_.end() ? 0 : entry->second;
}

std::string peer_path(std::size_t index, std::string_view name) {
    return fmt::format("peers[{}].{}", index, name);
}

} // namespace dwcp::config
