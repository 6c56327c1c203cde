// A client of one node's HTTP interface, for ops/run and the tests over real sockets.
//
// One keep-alive connection an instance; not thread-safe: each thread makes its own. Bodies are streamed,
// never held. Nothing throws: an Answer says what came back, or why nothing did.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/result.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace httplib {
class Client;
}

namespace dwcp::runner {

struct Answer {
    int status = 0;      ///< HTTP status; 0: no answer came.
    std::string problem; ///< Why no answer came.
    std::string body;    ///< Unless it was streamed to a receiver.
    nlohmann::json json; ///< The body, where it is JSON; else null.
    std::optional<int> retry_after_s;

    bool ok() const { return status >= 200 && status < 300; }
    /// No answer, too many requests, away or too late: the same request may succeed a little later.
    bool worth_a_retry() const;
    std::string error_code() const;
    /// "503 unavailable: MESSAGE (REMEDY)", "no answer: Connection".
    std::string describe() const;
};

/// Fills the buffer from `offset` and returns how many bytes; 0 breaks the transfer off.
using ReadBody = std::function<std::size_t(std::uint64_t offset, std::span<Byte> buffer)>;
/// Takes the next piece; false breaks the transfer off.
using TakeBody = std::function<bool(ByteView piece)>;
using Headers = std::vector<std::pair<std::string, std::string>>;

class NodeClient {
  public:
    NodeClient(std::uint16_t http_port, std::string data_dir);
    NodeClient(NodeClient&&) noexcept;
    NodeClient& operator=(NodeClient&&) noexcept;
    ~NodeClient();

    /// How long to wait for the next byte of an answer.
    void set_answer_limit(std::chrono::milliseconds limit);

    Answer get(const std::string& path, const Headers& headers = {});
    Answer get_stream(const std::string& path, const TakeBody& take, const Headers& headers = {});
    Answer put_stream(const std::string& path, std::uint64_t size_bytes, const ReadBody& read,
                      const Headers& headers = {});
    Answer put(const std::string& path, std::string_view body, const Headers& headers = {});
    Answer post(const std::string& path, const nlohmann::json& body);
    Answer post_raw(const std::string& path, const std::string& body, const std::string& content_type,
                    const Headers& headers = {});
    Answer remove(const std::string& path);

    /// An operator's verb, with the token from the node's data directory.
    Answer operate(const std::string& path, const nlohmann::json& body);
    /// Ends an actor as a crash would.
    Answer kill_actor(const std::string& actor_path) {
        return operate("/v1/actors/kill", {{"path", actor_path}});
    }

  private:
    std::string data_dir_;
    std::unique_ptr<httplib::Client> http_;
};

/// "/v1/objects/" and the key with everything but unreserved characters and '/' as %XX.
std::string object_path(std::string_view key);

} // namespace dwcp::runner
