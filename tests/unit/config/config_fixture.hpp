// Configuration texts for the tests of this folder.
#pragma once

#include "runtime/config/config.hpp"

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::config {

/// The least that a node with one peer needs. Nothing follows its last table, so keys of [[peers]] may be
/// appended.
inline const std::string kMinimal = R"([node]
name = "a"
site = "east"
cluster_id = "demo"
data_dir = "run/a"
[listen]
control = "127.0.0.1:1"
data = "127.0.0.1:2"
http = "127.0.0.1:3"
[[peers]]
name = "b"
site = "west"
control = "127.0.0.1:4"
data = "127.0.0.1:5"
)";

inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

/// What is wrong with a text, for people; empty if nothing is.
inline std::vector<std::string> problems_of(const std::string& text) {
    const auto loaded = load_text(text, "f.toml");
    return loaded ? std::vector<std::string>{} : loaded.error().list;
}

inline NodeConfig loaded(const std::string& text) {
    auto config = load_text(text, "f.toml");
    if (!config) FAIL(fmt::format("{}", fmt::join(config.error().list, "\n")));
    return *config;
}

inline bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace dwcp::config
