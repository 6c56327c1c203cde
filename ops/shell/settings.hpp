// Which node the shell talks to and how: from options, a node's configuration, the environment and the files
// in ~/.config/dwcp, in this order.
#pragma once

#include "ops/shell/failure.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace dwcp::shell {

inline constexpr const char* kDefaultNode = "127.0.0.1:8101";
/// A put waits up to a minute for its replicas; the answer must have time to arrive after that.
inline constexpr std::chrono::seconds kDefaultTimeout{90};

enum class Format { table, json, ndjson };

/// Nullopt: there is no such format.
std::optional<Format> parse_format(const std::string& name);

/// As given on the command line.
struct GlobalOptions {
    std::string node;
    std::string config_file;
    std::string token_file;
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    double timeout_s = static_cast<double>(kDefaultTimeout.count());
    Format format = Format::table;
};

struct NodeAddress {
    std::string host; ///< Without the brackets of IPv6.
    std::uint16_t port = 0;
    std::optional<bool> tls; ///< What the scheme says, if there is one.

    bool is_loopback() const;
};

struct Settings {
    std::string host;
    std::uint16_t port = 0;
    bool tls = false;
    std::string ca_file;          ///< Empty: the system's authorities.
    std::string certificate_file; ///< Empty: none is shown.
    std::string key_file;
    std::string config_file; ///< Of a node, as given; empty: none.
    std::string token_file;  ///< Empty: none known.
    std::string token;       ///< Empty: none, or it may not be sent to this node.
    /// The longest silence of the node.
    std::chrono::milliseconds timeout{kDefaultTimeout};
    /// To connect; a terminal's prompt waits less than a command.
    std::chrono::milliseconds connect_timeout{5'000};
    Format format = Format::table;

    /// "127.0.0.1:8101", "[::1]:8101"
    std::string address() const;
    std::string url() const { return (tls ? "https://" : "http://") + address(); }
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// Failures: usage, for an address, a configuration or files that cannot be used.
Outcome<Settings> resolve_settings(const GlobalOptions& options, const Environment& environment);

/// "https://10.0.0.1:8101", "127.0.0.1:8101", "localhost", "[::1]:8101".
Outcome<NodeAddress> parse_node(const std::string& text);

} // namespace dwcp::shell
