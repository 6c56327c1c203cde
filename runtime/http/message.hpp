// What a route's handler gets and gives, without naming the HTTP library behind it.
//
// A handler runs on one of the server's worker threads and may block. The request's body, if any, is there
// when it runs; bodies too large for that are an Upload's (route.hpp). A response's body is either text or
// pulled piece by piece after the handler has returned, so nothing large is ever whole in memory.
#pragma once

#include "protocols/base/bytes.hpp"
#include "protocols/base/result.hpp"
#include "protocols/health/urgency.hpp"
#include "runtime/identity/principal.hpp"
#include "runtime/tls/certificate.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dwcp::http {

struct CaseInsensitiveLess {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const;
};
using Headers = std::multimap<std::string, std::string, CaseInsensitiveLess>;

/// Takes a piece of a request's body; a failure ends the reading.
using BodySink = std::function<Result<void>(ByteView)>;

struct Request {
    std::string method;
    std::string path; ///< Percent-decoded, without the query.
    std::string rest; ///< Of `path`: what the '*' of the route's pattern stands for.
    std::string peer; ///< "127.0.0.1:40312".
    std::string
        id; ///< 32 hex digits, answered as X-DWCP-Request-Id; a handler that starts a trace puts its id here.
    /// The workload that the request's steps are recorded under; a handler that makes some puts it here.
    std::string workload;
    Headers headers;
    std::map<std::string, std::string>
        params; ///< Query parameters, percent-decoded; of a repeated one the last.

    std::optional<tls::Certificate> certificate; ///< What the client proved over TLS.
    identity::Principal client;                  ///< Who asks, as the server's guard decided.
    health::Urgency urgency;                     ///< As the guard read it from the client's headers.
    health::Work work = health::Work::none;      ///< As its route says, once the guard let it pass.

    /// What the client announced; nullopt for a chunked body. 0: there is none.
    std::optional<std::uint64_t> content_length = 0;
    /// Whether the client said how long the body is: a length or chunks. Without, there is no body.
    bool body_announced = false;

    /// Reads the whole body, at most once. It has arrived before the handler runs, so the only errors are the
    /// sink's.
    std::function<Result<void>(const BodySink&)> read_body;

    std::optional<std::string> header(std::string_view name) const;
    std::optional<std::string> param(const std::string& name) const;
};

/// The body as text. Errors: too_large past `bytes_max`, else read_body's.
Result<std::string> read_text(const Request& request, std::size_t bytes_max);

/// A stretch of a response's body; `owner` keeps `view` alive.
struct Piece {
    SharedBytes owner;
    ByteView view;
};

/// A body without an end, for server-sent events: the server asks for more whenever it was woken and the
/// client has taken what there was. Slow clients hold no thread; what they miss is for the body to decide.
/// Called on the server's one loop thread: nothing here may block.
class LiveBody {
  public:
    virtual ~LiveBody() = default;
    /// What is to be sent now; empty: nothing yet. nullopt: the end.
    virtual std::optional<std::string> take() = 0;
    /// Called once, before the first take(). `wake` may be called from any thread, also after the body is
    /// gone.
    virtual void on_ready(std::function<void()> wake) = 0;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;

    /// With `next`: the body is this many bytes, pulled from `next` until they are complete. A failure, an
    /// empty piece or a piece too many cuts the connection, so the client notices: it never gets wrong or
    /// missing bytes as a success.
    std::uint64_t stream_bytes = 0;
    std::function<Result<Piece>()> next;

    /// Instead of all of the above: sent in chunks until its end, the client's, or the server's.
    std::shared_ptr<LiveBody> live;
};

using Handler = std::function<Response(Request&)>;

} // namespace dwcp::http
