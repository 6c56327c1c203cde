// The one table of configuration keys. Reading, checking, --print-config, explain and
// node_configs/example.toml are all driven by it: a key that is added here is parsed, bounded, documented and
// shown without further code.
//
// Built at first use, then constant; safe from any thread. Called by this room and by its tests.
#pragma once

#include "runtime/config/rules.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace dwcp::config {

/// What is known of a key, wherever its value is kept.
struct Key {
    std::string_view path;     ///< "data.streams_max"; for a key of [[peers]]: "peers.name".
    std::string_view sentence; ///< What it is for.
    std::string_view unit;     ///< "ms", "bytes", ...; empty where there is none.
    Rule rule;
    Value fallback;        ///< Its default; for a required key, what the example shows.
    bool required = false; ///< Must be in the file: there is no default that would be right.
    bool live = false;     ///< A running node takes a new value with `config reload`.

    std::string_view table() const { return path.substr(0, path.find('.')); }
    std::string_view name() const { return path.substr(path.find('.') + 1); }
};

/// A key and how it is kept in its owner, NodeConfig or Peer. `set` takes only what the rule accepts.
template<class Owner>
struct Property : Key {
    std::function<Value(const Owner&)> get;
    std::function<void(Owner&, const Value&)> set;
};

/// In the order in which they are printed; keys of one table stand together.
const std::vector<Property<NodeConfig>>& node_properties();
const std::vector<Property<Peer>>& peer_properties();

/// Every key of both tables.
const std::vector<const Key*>& all_keys();

/// The candidate with the smallest edit distance to `text`; empty if there is no candidate.
std::string_view nearest(std::string_view text, const std::vector<std::string_view>& candidates);

} // namespace dwcp::config
