// The shell's side of a node's HTTP API.
//
// One a command, used by one thread. Sends the operator token with every request if the settings have one.
// Failures carry the exit code: what the node answered by its error code, otherwise unreachable, timeout, or
// denied if one end does not accept the other's certificate. An interrupt (interrupt.hpp) ends a call.
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

/// An answer with its status, where a status other than 2xx says something too.
struct Answer {
    int status = 0;
    std::string body;
};

class Client {
  public:
    explicit Client(const Settings& settings);
    ~Client();

    Outcome<nlohmann::json> get(const std::string& path);
    /// Only what has no error of the API in it is a failure: /health answers 503 with its checks.
    Outcome<nlohmann::json> get_report(const std::string& path);
    /// Feeds `sink` with an endless answer as it comes, until the node, the sink or an interrupt ends it. The
    /// longest silence is that of the settings.
    Outcome<void> follow(const std::string& path, const Headers& headers, const WriteSink& sink);
    Outcome<nlohmann::json> post(const std::string& path, const nlohmann::json& body,
                                 const Headers& headers = {});
    /// A body that is no JSON.
    Outcome<nlohmann::json> post_raw(const std::string& path, const std::string& body,
                                     const Headers& headers);
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
