#include "ops/shell/settings.hpp"

#include "runtime/config/config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <fstream>

namespace dwcp::shell {
namespace {

constexpr std::uint16_t kDefaultPort = 8101;

Outcome<std::uint16_t> parse_port(std::string_view text, const std::string& node) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0)
        return give_up(Exit::usage, fmt::format("'{}' is not the address of a node", node),
                       fmt::format("give HOST:PORT, e.g. {}", kDefaultNode));
    return port;
}

} // namespace

std::string Settings::address() const {
    const bool ipv6 = host.find(':') != std::string::npos;
    return ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Outcome<std::pair<std::string, std::uint16_t>> parse_node(const std::string& node) {
    std::string_view text = node;
    if (text.starts_with("https://"))
        return give_up(Exit::usage, "nodes do not speak TLS in this version", "use http:// and loopback");
    if (text.starts_with("http://")) text.remove_prefix(7);
    while (text.ends_with('/'))
        text.remove_suffix(1);
    std::string host;
    if (text.starts_with('[') && text.find(']') != std::string_view::npos) {
        host = text.substr(1, text.find(']') - 1);
        text.remove_prefix(host.size() + 2);
    } else {
        host = text.substr(0, text.find(':'));
        text.remove_prefix(host.size());
    }
    if (text.empty() && !host.empty()) return std::pair{host, kDefaultPort};
    const auto port = parse_port(host.empty() || !text.starts_with(':') ? "" : text.substr(1), node);
    if (!port) return std::unexpected(port.error());
    return std::pair{host, *port};
}

Outcome<Settings> resolve_settings(const GlobalOptions& options, const Environment& environment) {
    Settings settings;
    settings.format = options.format;
    settings.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_s * 1000));
    if (!(options.timeout_s >= 0.001 && options.timeout_s <= 86'400))
        return give_up(Exit::usage, "--timeout is not a number of seconds", "give 0.001 to 86400");

    std::string node = environment("DWCP_NODE").value_or(kDefaultNode);
    settings.token_file = environment("DWCP_TOKEN_FILE").value_or("");
    if (!options.config_file.empty()) {
        const auto config = config::load_file(options.config_file);
        if (!config)
            return give_up(Exit::usage, fmt::format("{} cannot be used:\n  {}", options.config_file,
                                                    fmt::join(config.error().list, "\n  ")));
        node = config->http.text();
        settings.token_file = config->data_dir + "/operator.token";
    }
    if (!options.node.empty()) node = options.node;
    if (!options.token_file.empty()) settings.token_file = options.token_file;
    auto address = parse_node(node);
    if (!address) return std::unexpected(address.error());
    std::tie(settings.host, settings.port) = std::move(*address);
    return settings;
}

Outcome<std::string> read_token(const Settings& settings) {
    constexpr const char* kRemedy =
        "give --token-file DATA_DIR/operator.token, or --config with the node's configuration";
    if (settings.token_file.empty())
        return give_up(Exit::denied, "this command needs the operator token", kRemedy);
    std::ifstream file(settings.token_file);
    std::string token;
    if (!(file >> token))
        return give_up(Exit::denied,
                       fmt::format("cannot read an operator token from {}", settings.token_file), kRemedy);
    return token;
}

} // namespace dwcp::shell
