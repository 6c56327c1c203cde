// Which node the shell talks to and how, from options, a node's configuration and the environment, in this
// order.
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

/// As given on the command line.
struct GlobalOptions {
    std::string node;
    std::string config_file;
    std::string token_file;
    double timeout_s = static_cast<double>(kDefaultTimeout.count());
    Format format = Format::table;
};

struct Settings {
    std::string host; ///< Without the brackets of IPv6.
    std::uint16_t port = 0;
    std::string token_file; ///< Empty: none known.
    std::chrono::milliseconds timeout{kDefaultTimeout};
    Format format = Format::table;

    std::string address() const;
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// Failures: usage, for an address or a configuration that cannot be used.
Outcome<Settings> resolve_settings(const GlobalOptions& options, const Environment& environment);

/// "http://127.0.0.1:8101", "127.0.0.1:8101", "localhost", "[::1]:8101" into host and port.
Outcome<std::pair<std::string, std::uint16_t>> parse_node(const std::string& text);

/// The operator token. Failures: denied, if there is no file or it cannot be read.
Outcome<std::string> read_token(const Settings& settings);

} // namespace dwcp::shell
