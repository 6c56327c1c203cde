#include "runtime/config/config.hpp"
#include "runtime/config/properties.hpp"
#include "runtime/config/report.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace dwcp::config {
namespace {

// A cluster of a thousand peers fits; a log file or a device given by mistake does not.
constexpr std::size_t kFileBytesMax = 1U << 20;
constexpr std::size_t kFoundCharsMax = 80; // enough to recognise a value, short enough for one line

std::uint32_t line_of(const toml::node& node) { return node.source().begin.line; }

std::optional<Value> value_of(const toml::node& node) {
    if (const auto* flag = node.as_boolean()) return Value{flag->get()};
    if (const auto* number = node.as_integer()) return Value{number->get()};
    if (const auto* text = node.as_string()) return Value{text->get()};
    return std::nullopt;
}

std::string found_text(const toml::node& node) {
    if (node.is_table()) return "a table";
    if (node.is_array()) return "an array";
    std::string text;
    if (const auto value = value_of(node)) {
        text = toml_text(*value);
    } else { // a float, a date or a time
        std::ostringstream out;
        out << toml::toml_formatter{node};
        text = out.str();
    }
    if (text.size() > kFoundCharsMax) text = text.substr(0, kFoundCharsMax) + "...";
    return text;
}

std::string allowed_clause(const Key& key) {
    std::string clause = "allowed: " + allowed_text(key.rule, key.unit);
    if (!key.unit.empty()) clause += fmt::format(" ({})", key.unit);
    if (const auto* form = std::get_if<Text>(&key.rule); form && !form->because.empty()) {
        clause += fmt::format(": {}", form->because);
    }
    return clause;
}

std::vector<std::string_view> tables_known() {
    std::vector<std::string_view> tables;
    for (const Key* key : all_keys()) {
        if (tables.empty() || tables.back() != key->table()) tables.push_back(key->table());
    }
    return tables;
}

class Loader {
  public:
    explicit Loader(const std::string& origin) : report_(origin) {}

    std::expected<NodeConfig, Problems> load(const toml::table& root) {
        for (const auto& property : node_properties())
            property.set(config_, property.fallback);
        for (const auto& [key, node] : root)
            read_top_level(std::string(key.str()), node);
        for (std::string_view table : tables_known()) {
            if (table != "peers")
                read_table(root[table].as_table(), std::string(table), 0, node_properties(), config_);
        }
        cross_check(config_, report_);
        if (!report_.empty()) return std::unexpected(report_.take());
        return std::move(config_);
    }

  private:
    void read_top_level(const std::string& name, const toml::node& node) {
        const auto known = tables_known();
        if (name == "peers") return read_peers(node);
        if (std::ranges::count(known, name) > 0) {
            if (!node.is_table()) wrong_shape(name, node, fmt::format("a table, written [{}]", name));
        } else if (node.is_table()) {
            report_.problem(line_of(node), name,
                            fmt::format("unknown table; the nearest known is [{}]", nearest(name, known)));
        } else {
            unknown_key(name, node);
        }
    }

    void read_peers(const toml::node& node) {
        const auto* array = node.as_array();
        if (array == nullptr) return wrong_shape("peers", node, "tables, each written [[peers]]");
        for (const toml::node& entry : *array) {
            const std::string path = fmt::format("peers[{}]", config_.peers.size());
            Peer& peer = config_.peers.emplace_back();
            for (const auto& property : peer_properties())
                property.set(peer, property.fallback);
            if (entry.is_table())
                read_table(entry.as_table(), path, line_of(entry), peer_properties(), peer);
            else
                wrong_shape(path, entry, "a table, written [[peers]]");
        }
    }

    /// `path` is "data" or "peers[0]"; `table` is null where the file lacks it; `line` is where a missing key
    /// is reported.
    template<class Owner>
    void read_table(const toml::table* table, const std::string& path, std::uint32_t line,
                    const std::vector<Property<Owner>>& properties, Owner& owner) {
        const std::string_view name = std::string_view(path).substr(0, path.find('['));
        if (table != nullptr) line = line_of(*table);
        for (const auto& property : properties) {
            if (property.table() != name) continue;
            const toml::node* node = table == nullptr ? nullptr : table->get(property.name());
            const std::string full = fmt::format("{}.{}", path, property.name());
            if (node != nullptr)
                read_value(full, *node, property, owner);
            else if (property.required)
                report_.problem(line, full, "missing; " + allowed_clause(property));
        }
        if (table == nullptr) return;
        for (const auto& [key, node] : *table) {
            const auto is_this = [&, &k = key](const Key& p) {
                return p.table() == name && p.name() == k.str();
            };
            if (std::ranges::none_of(properties, is_this))
                unknown_key(fmt::format("{}.{}", path, key.str()), node);
        }
    }

    template<class Owner>
    void read_value(const std::string& path, const toml::node& node, const Property<Owner>& property,
                    Owner& owner) {
        const auto value = value_of(node);
        if (value && accepts(property.rule, *value)) {
            property.set(owner, *value);
            report_.found_at(path, line_of(node));
            config_.given.insert(path);
        } else {
            report_.problem(line_of(node), path,
                            fmt::format("found {}; {}", found_text(node), allowed_clause(property)));
        }
    }

    void wrong_shape(const std::string& path, const toml::node& node, const std::string& allowed) {
        report_.problem(line_of(node), path, fmt::format("found {}; allowed: {}", found_text(node), allowed));
    }

    void unknown_key(const std::string& path, const toml::node& node) {
        // Inside [[peers]] only its keys can be meant; a key outside every table is compared by its last
        // part.
        const bool in_peers = path.starts_with("peers[");
        const bool in_table = path.find('.') != std::string::npos;
        std::vector<std::string_view> candidates;
        for (const Key* key : all_keys()) {
            if ((key->table() == "peers") == in_peers)
                candidates.push_back(in_table ? key->path : key->name());
        }
        std::string best;
        if (in_peers)
            best = nearest("peers" + path.substr(path.find('.')), candidates);
        else
            best = nearest(path, candidates);
        if (!in_table) {
            const auto named = [&](const Key* key) { return key->table() != "peers" && key->name() == best; };
            best = (*std::ranges::find_if(all_keys(), named))->path;
        }
        report_.problem(line_of(node), path, fmt::format("unknown key; the nearest known is {}", best));
    }

    Report report_;
    NodeConfig config_;
};

std::unexpected<Problems> only(std::string problem) {
    return std::unexpected(Problems{{std::move(problem)}});
}

} // namespace

std::expected<NodeConfig, Problems> load_text(const std::string& text, const std::string& origin) {
    try {
        return Loader(origin).load(toml::parse(text, origin));
    } catch (const toml::parse_error& error) {
        return only(
            fmt::format("{}:{}: TOML syntax: {}", origin, error.source().begin.line, error.description()));
    }
}

std::expected<NodeConfig, Problems> load_file(const std::string& path) {
    constexpr std::string_view remedy =
        "give a node's configuration file; node_configs/example.toml shows every key";
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    std::string text(kFileBytesMax + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (!file.is_open() || file.bad()) {
        return only(fmt::format("{}: cannot be read: {}; {}", path, std::strerror(errno), remedy));
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > kFileBytesMax) {
        return only(fmt::format("{}: larger than {} bytes; {}", path, kFileBytesMax, remedy));
    }
    auto config = load_text(text, path);
    if (config) config->file = path;
    return config;
}

} // namespace dwcp::config
