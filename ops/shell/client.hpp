// The shell's side of a node's HTTP API.
//
// One a command, used by one thread. Failures carry the exit code: what the node answered by its error code,
// otherwise unreachable or timeout.
#pragma once

#include "ops/shell/failure.hpp"
#include "ops/shell/settings.hpp"
#include "protocols/base/bytes.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace dwcp::shell {

using Headers = std::map<std::string, std::string>;

/// Fills the buffer; fewer bytes than fit: the source ends there.
using ReadSource = std::function<Outcome<std::size_t>(std::span<Byte> buffer)>;
/// Takes what came.
using WriteSink = std::function<Outcome<void>(ByteView piece)>;

/// What a download's head says.
struct ObjectHead {
    std::uint64_t size_bytes = 0;
    std::string sha256; ///< Hexadecimal; empty if the node did not say.
};

class Client {
  public:
    explicit Client(const Settings& settings);
    ~Client();

    Outcome<nlohmann::json> get(const std::string& path);
    Outcome<nlohmann::json> post(const std::string& path, const nlohmann::json& body,
                                 const Headers& headers = {});
    Outcome<nlohmann::json> erase(const std::string& path);

    /// `size_bytes` unknown: sent in chunks. The node's answer comes back as soon as it is there, even in the
    /// middle.
    Outcome<nlohmann::json> upload(const std::string& path, const std::string& content_type,
                                   std::optional<std::uint64_t> size_bytes, const ReadSource& source,
                                   const Headers& headers);
    /// `on_head` is called once, before the first piece, and only for an object.
    Outcome<ObjectHead> download(const std::string& path,
                                 const std::function<Outcome<void>(const ObjectHead&)>& on_head,
                                 const WriteSink& sink);

  private:
    struct Connection;
    std::unique_ptr<Connection> connection_;
};

} // namespace dwcp::shell
