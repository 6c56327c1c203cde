// A route and everything that is said of it: the server dispatches by it, the guard authorises by it, and
// ops/api.md is generated from it.
#pragma once

#include "protocols/base/clock.hpp"
#include "runtime/http/message.hpp"
#include "runtime/identity/principal.hpp"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace dwcp::http {

/// Something that a request may carry.
struct Parameter {
    enum class Type : std::uint8_t { text, number, flag, list };
    std::string name;     ///< "limit", "If-Match", "reason".
    std::string in;       ///< "path", "query", "header" or "body" (a member of the JSON body).
    std::string sentence; ///< What it is for, with unit, bounds and default.
    bool required = false;
    Type type = Type::text;
};

/// A body that a Handler gets is held in memory; what is larger belongs to an UploadHandler.
inline constexpr std::size_t kBodyBytesMax = 1U << 20;

struct RouteSpec {
    std::string method;
    std::string pattern; ///< An exact path, or a prefix and '*'; also the metrics' route label.
    std::string group;   ///< Heading in the description: "Objects", "Operation", ...
    std::string sentence;
    identity::Role role = identity::Role::viewer; ///< The least role that may.
    std::vector<Parameter> parameters{};
    std::string answer{};  ///< What comes back, in a sentence or two.
    std::string example{}; ///< A curl command line after "http://127.0.0.1:8101".
    /// Served by threads of its own, so that it answers while all others are busy. For what is quick.
    bool probe = false;
    /// What it asks for, when some must be refused.
    health::Work work = health::Work::none;
    std::size_t body_bytes_max = kBodyBytesMax; ///< Beyond, a Handler's request is answered 413.
};

/// Takes a request's body piece by piece as it arrives. Made by an UploadHandler, called by one worker thread
/// at a time, never while the client is silent; destroyed with the request, whether finished or not.
class Upload {
  public:
    virtual ~Upload() = default;
    /// A failure ends the request with that error.
    virtual Result<void> take(ByteView piece) = 0;
    /// After the last piece.
    virtual Response finish() = 0;
    /// Instead of finish(): the client cut the body short or malformed it (invalid_argument), fell silent or
    /// was too slow (deadline_exceeded; the server answers it 408), is gone or the server stops (cancelled;
    /// nobody sees the answer), or take() failed. Gives the answer.
    virtual Response abandon(const Error& why) = 0;
};

/// For bodies too large to be held: the request's head decides whether there is an upload at all.
using UploadHandler = std::function<std::variant<Response, std::unique_ptr<Upload>>(Request&)>;

/// Runs before a route's handler and before any of the body is read: nullopt lets the request pass. Sets
/// Request::client. Runs on the server's one loop thread: it must not block.
using Guard = std::function<std::optional<Response>(Request&, const RouteSpec&)>;

/// Sees a server's requests come to their ends. Called on the server's one loop thread: it must neither block
/// nor throw.
class Follower {
  public:
    virtual ~Follower() = default;
    /// The answer is about to go out; headers may be added to it.
    virtual void answering(const Request& request, Response& response) = 0;
    /// The answer is out, or the client is gone. `body_bytes`: of the answer, as announced.
    virtual void ended(const Request& request, int status, std::uint64_t body_bytes, Duration took) = 0;
};

/// Several of them, in order. Filled before the server starts.
class Followers final : public Follower {
  public:
    void add(std::shared_ptr<Follower> follower) { all_.push_back(std::move(follower)); }
    void answering(const Request& request, Response& response) override {
        for (const auto& follower : all_)
            follower->answering(request, response);
    }
    void ended(const Request& request, int status, std::uint64_t body_bytes, Duration took) override {
        for (const auto& follower : all_)
            follower->ended(request, status, body_bytes, took);
    }

  private:
    std::vector<std::shared_ptr<Follower>> all_;
};

} // namespace dwcp::http
