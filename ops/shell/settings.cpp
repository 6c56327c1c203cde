#include "ops/shell/settings.hpp"

#include "runtime/config/config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <fstream>
#include <unistd.h>
#include <utility>

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

bool readable(const std::string& file) { return access(file.c_str(), R_OK) == 0; }

/// ~/.config/dwcp/NAME if it is there.
std::string own_file(const Environment& environment, const char* name) {
    std::string folder = environment("XDG_CONFIG_HOME").value_or("");
    if (folder.empty()) {
        const auto home = environment("HOME");
        if (!home || home->empty()) return "";
        folder = *home + "/.config";
    }
    const std::string file = folder + "/dwcp/" + name;
    return readable(file) ? file : "";
}

std::string first_of(std::initializer_list<std::string> choices) {
    for (const auto& choice : choices)
        if (!choice.empty()) return choice;
    return "";
}

/// What a listener's address is for those who connect: 0.0.0.0 is no destination.
std::string reachable(const config::Endpoint& listener) {
    config::Endpoint address = listener;
    if (address.host == "0.0.0.0") address.host = "127.0.0.1";
    if (address.host == "::") address.host = "::1";
    return address.text();
}

/// The authority, the own certificate and its key.
Outcome<void> resolve_tls(Settings& settings, const GlobalOptions& options, const Environment& environment,
                          const std::string& configured_ca) {
    const auto variable = [&](const char* name) { return environment(name).value_or(""); };
    settings.ca_file =
        first_of({options.ca_file, configured_ca, variable("DWCP_CA"), own_file(environment, "ca.crt")});
    settings.certificate_file = first_of({options.certificate_file, variable("DWCP_CERT")});
    settings.key_file = first_of({options.key_file, variable("DWCP_KEY")});
    if (settings.certificate_file.empty() != settings.key_file.empty())
        return give_up(Exit::usage, "a certificate and its key belong together", "give --cert and --key");
    if (settings.certificate_file.empty()) {
        settings.certificate_file = own_file(environment, "client.crt");
        settings.key_file = own_file(environment, "client.key");
        if (settings.key_file.empty()) settings.certificate_file.clear();
    }
    for (const auto& file : {settings.ca_file, settings.certificate_file, settings.key_file})
        if (!file.empty() && !readable(file))
            return give_up(Exit::usage, fmt::format("cannot read {}", file),
                           "name a file that you may read; `ops/certs` makes them");
    return {};
}

bool is_same_node(const std::string& one, const std::string& other) {
    const auto a = parse_node(one), b = parse_node(other);
    return a && b && a->host == b->host && a->port == b->port;
}

/// Only its node may see the token: it is sent to this machine, or through TLS.
void resolve_token(Settings& settings, const NodeAddress& address) {
    if (settings.token_file.empty() || (!settings.tls && !address.is_loopback())) return;
    std::ifstream file(settings.token_file);
    file >> settings.token;
}

} // namespace

std::optional<Format> parse_format(const std::string& name) {
    if (name == "table") return Format::table;
    if (name == "json") return Format::json;
    if (name == "ndjson") return Format::ndjson;
    return std::nullopt;
}

bool NodeAddress::is_loopback() const {
    in_addr address{};
    if (inet_pton(AF_INET, host.c_str(), &address) == 1) return (ntohl(address.s_addr) >> 24) == 127;
    return host == "localhost" || host == "::1";
}

std::string Settings::address() const {
    const bool ipv6 = host.find(':') != std::string::npos;
    return ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Outcome<NodeAddress> parse_node(const std::string& node) {
    std::string_view text = node;
    NodeAddress address;
    for (const auto& [scheme, tls] :
         {std::pair<std::string_view, bool>{"https://", true}, {"http://", false}})
        if (text.starts_with(scheme)) {
            address.tls = tls;
            text.remove_prefix(scheme.size());
        }
    while (text.ends_with('/'))
        text.remove_suffix(1);
    if (text.starts_with('[') && text.find(']') != std::string_view::npos) {
        address.host = text.substr(1, text.find(']') - 1);
        text.remove_prefix(address.host.size() + 2);
    } else {
        address.host = text.substr(0, text.find(':'));
        text.remove_prefix(address.host.size());
    }
    if (text.empty() && !address.host.empty()) {
        address.port = kDefaultPort;
        return address;
    }
    const auto port = parse_port(address.host.empty() || !text.starts_with(':') ? "" : text.substr(1), node);
    if (!port) return std::unexpected(port.error());
    address.port = *port;
    return address;
}

Outcome<Settings> resolve_settings(const GlobalOptions& options, const Environment& environment) {
    Settings settings;
    settings.format = options.format;
    settings.config_file = options.config_file;
    if (!(options.timeout_s >= 0.001 && options.timeout_s <= 86'400))
        return give_up(Exit::usage, "--timeout is not a number of seconds", "give 0.001 to 86400");
    settings.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_s * 1000));
    settings.connect_timeout = std::min(settings.connect_timeout, settings.timeout);

    std::string node = environment("DWCP_NODE").value_or(kDefaultNode);
    settings.token_file = environment("DWCP_TOKEN_FILE").value_or("");
    // Files that were named for it mean TLS, unless the address says otherwise.
    settings.tls = !options.ca_file.empty() || !options.certificate_file.empty();
    std::string configured_ca;
    if (!options.config_file.empty()) {
        const auto config = config::load_file(options.config_file);
        if (!config)
            return give_up(Exit::usage, fmt::format("{} cannot be used:\n  {}", options.config_file,
                                                    fmt::join(config.error().list, "\n  ")));
        node = reachable(config->http);
        settings.token_file = config->data_dir + "/operator.token";
        settings.tls |= config->tls();
        configured_ca = config->tls_ca;
    }
    // The configured node's token is not for another one that is named beside it.
    if (!options.node.empty() && options.token_file.empty() && !options.config_file.empty() &&
        !is_same_node(options.node, node))
        settings.token_file.clear();
    if (!options.node.empty()) node = options.node;
    if (!options.token_file.empty()) settings.token_file = options.token_file;
    auto address = parse_node(node);
    if (!address) return std::unexpected(address.error());
    settings.host = address->host;
    settings.port = address->port;
    settings.tls = address->tls.value_or(settings.tls);
    if (settings.tls)
        if (auto good = resolve_tls(settings, options, environment, configured_ca); !good)
            return std::unexpected(good.error());
    if (!options.token_file.empty() && !readable(options.token_file))
        return give_up(
            Exit::denied, fmt::format("cannot read an operator token from {}", options.token_file),
            "give --token-file DATA_DIR/operator.token, or --config with the node's configuration");
    resolve_token(settings, *address);
    return settings;
}

} // namespace dwcp::shell
