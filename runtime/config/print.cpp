#include "runtime/config/config.hpp"
#include "runtime/config/properties.hpp"

#include <fmt/format.h>

namespace dwcp::config {
namespace {

std::string facts(const Key& key) {
    std::string line;
    if (!key.unit.empty()) line += fmt::format("Unit: {}. ", key.unit);
    line += fmt::format("Allowed: {}. ", allowed_text(key.rule, key.unit));
    if (key.live) line += "Live: `config reload` applies it. ";
    line += key.required ? "Required." : fmt::format("Default: {}.", shown_text(key.fallback, key.unit));
    return line;
}

std::string comments(const Key& key) { return fmt::format("# {}\n# {}\n", key.sentence, facts(key)); }

std::string assignment(const Key& key, const Value& value) {
    return fmt::format("{} = {}\n", key.name(), toml_text(value));
}

std::string print_peers(const std::vector<Peer>& peers) {
    std::string out = "\n# One [[peers]] table for each other node of the cluster.\n";
    for (const Peer& peer : peers) {
        if (&peer != &peers.front()) out += '\n';
        out += "[[peers]]\n";
        for (const auto& property : peer_properties()) {
            if (&peer == &peers.front()) out += comments(property);
            out += assignment(property, property.get(peer));
        }
    }
    if (!peers.empty()) return out;
    out += "# [[peers]]\n";
    for (const auto& property : peer_properties()) {
        out += comments(property) + "# " + assignment(property, property.fallback);
    }
    return out;
}

std::string print(std::string out, const NodeConfig& config) {
    std::string_view table;
    for (const auto& property : node_properties()) {
        if (property.table() != table) {
            table = property.table();
            out += fmt::format("\n[{}]\n", table);
        }
        out += comments(property) + assignment(property, property.get(config));
    }
    return out + print_peers(config.peers);
}

} // namespace

std::string print_config(const NodeConfig& config) {
    return print(
        fmt::format("# Effective configuration of {}: what the file says, and defaults for the rest.\n",
                    config.name),
        config);
}

std::string print_example() {
    NodeConfig config;
    for (const auto& property : node_properties())
        property.set(config, property.fallback);
    Peer& peer = config.peers.emplace_back();
    for (const auto& property : peer_properties())
        property.set(peer, property.fallback);
    return print("# Every key of a node's configuration. Keys at their default may be left out.\n", config);
}

Result<std::string> explain(const std::string& key) {
    std::vector<std::string_view> paths;
    for (const Key* known : all_keys()) {
        if (known->path == key) return fmt::format("{}\n{}\n{}\n", key, known->sentence, facts(*known));
        paths.push_back(known->path);
    }
    return fail(Errc::not_found, fmt::format("{} is not a configuration key", key),
                fmt::format("the nearest known is {}", nearest(key, paths)));
}

} // namespace dwcp::config
