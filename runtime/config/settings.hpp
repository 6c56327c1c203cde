// A configuration seen as a list of keys and values: for the operator who asks what is in force, where it
// comes from, and what a changed file would change. Pure.
#pragma once

#include "runtime/config/properties.hpp"

#include <optional>
#include <string>
#include <vector>

namespace dwcp::config {

struct Setting {
    std::string key; ///< "data.streams_max", "peers[0].name".
    const Key* about = nullptr;
    Value value;
    bool given = false; ///< Said in the file; else the default.
};

/// Every key, those of each peer included, in the order in which they are printed.
std::vector<Setting> settings(const NodeConfig& config);

struct Change {
    std::string key;
    std::optional<Value> was; ///< Nothing: the key is new, as of an added peer.
    std::optional<Value> now;
    bool live = false;
};

/// What differs, in the order of the keys.
std::vector<Change> changes(const NodeConfig& from, const NodeConfig& to);

/// `running` with the live keys of `file`.
NodeConfig with_live_keys(const NodeConfig& running, const NodeConfig& file);

} // namespace dwcp::config
