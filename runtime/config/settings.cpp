#include "runtime/config/settings.hpp"

#include "runtime/config/report.hpp"

#include <algorithm>

namespace dwcp::config {
namespace {

const Setting* find(const std::vector<Setting>& list, const std::string& key) {
    const auto found = std::ranges::find(list, key, &Setting::key);
    return found == list.end() ? nullptr : &*found;
}

} // namespace

std::vector<Setting> settings(const NodeConfig& config) {
    std::vector<Setting> all;
    const auto add = [&](std::string key, const Key& about, Value value) {
        const bool given = config.given.contains(key);
        all.push_back({std::move(key), &about, std::move(value), given});
    };
    for (const auto& property : node_properties())
        add(std::string(property.path), property, property.get(config));
    for (std::size_t i = 0; i < config.peers.size(); ++i)
        for (const auto& property : peer_properties())
            add(peer_path(i, property.name()), property, property.get(config.peers[i]));
    return all;
}

std::vector<Change> changes(const NodeConfig& from, const NodeConfig& to) {
    const auto before = settings(from);
    const auto after = settings(to);
    std::vector<Change> found;
    for (const auto& setting : before) {
        const auto* other = find(after, setting.key);
        if (other != nullptr && other->value == setting.value) continue;
        found.push_back({setting.key, setting.value, other ? std::optional(other->value) : std::nullopt,
                         setting.about->live});
    }
    for (const auto& setting : after)
        if (find(before, setting.key) == nullptr)
            found.push_back({setting.key, std::nullopt, setting.value, setting.about->live});
    return found;
}

NodeConfig with_live_keys(const NodeConfig& running, const NodeConfig& file) {
    NodeConfig merged = running;
    for (const auto& property : node_properties()) {
        if (!property.live) continue;
        property.set(merged, property.get(file));
        const std::string key(property.path);
        merged.given.erase(key);
        if (file.given.contains(key)) merged.given.insert(key);
    }
    return merged;
}

} // namespace dwcp::config
