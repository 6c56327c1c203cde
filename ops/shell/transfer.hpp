// Objects between files and a node.
#pragma once

#include "ops/shell/client.hpp"
#include "ops/shell/failure.hpp"
#include "ops/shell/output.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace dwcp::shell {

struct PutRequest {
    std::string file; ///< "-": the terminal's input.
    std::string key;
    std::optional<std::uint32_t> replicas;
    std::string codec;
    std::string content_type = "application/octet-stream";
    bool resume = false; ///< Only go on with what was begun.
};

/// The receipt, after checking that the node took in what was read.
Outcome<nlohmann::json> put_file(Client& client, Terminal& terminal, const PutRequest& request);

struct Fetched {
    std::string file;
    std::uint64_t size_bytes = 0;
    std::string sha256;
};

/// `file`: "-": the terminal's output; empty: the key's last part, here; a directory: the same, in it. A file
/// appears only if its content has the announced SHA-256. Failures: partial if output was written already.
Outcome<Fetched> get_file(Client& client, Terminal& terminal, const std::string& key,
                          const std::string& file);

/// "/v1/objects/" and the key, percent-encoded.
std::string object_path(const std::string& key);

} // namespace dwcp::shell
