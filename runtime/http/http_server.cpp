#include "runtime/http/http_server.hpp"

#include "runtime/http/connection_loop.hpp"
#include "runtime/http/connection_stream.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/http/listener.hpp"
#include "runtime/http/router.hpp"
#include "runtime/http/url.hpp"
#include "runtime/log/log.hpp"
#include "runtime/metrics/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>
#include <exception>
#include <httplib.h>
#include <mutex>
#include <sys/random.h>

namespace dwcp::http {
namespace {

std::string random_id() {
    std::array<Byte, 16> bytes{};
    // Up to 256 bytes come at once and uninterrupted (getrandom(2)).
    [[maybe_unused]] const auto count = getrandom(bytes.data(), bytes.size(), 0);
    return to_hex(bytes);
}

std::string http_date() {
    const std::time_t seconds = std::time(nullptr);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    std::array<char, 64> text{};
    return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

/// The library's view of a connection.
class Stream : public httplib::Stream {
  public:
    Stream(ConnectionStream& io, const Connection& connection) : io_(io), connection_(connection) {}

    bool is_readable() const override { return true; }
    bool is_writable() const override { return true; }
    ssize_t read(char* to, std::size_t size) override { return io_.read(to, size); }
    ssize_t write(const char* from, std::size_t size) override { return io_.write(from, size); }
    void get_remote_ip_and_port(std::string& ip, int& port) const override {
        ip = connection_.peer_host;
        port = connection_.peer_port;
    }
    void get_local_ip_and_port(std::string&, int&) const override {}
    socket_t socket() const override { return connection_.fd; }

  private:
    ConnectionStream& io_;
    const Connection& connection_;
};

/// One request on its way through the server.
struct Exchange {
    explicit Exchange(ConnectionStream& io) : stream(io) {}

    ConnectionStream& stream;
    Request request;
    Error malformed; ///< With a message: the request is answered with it.
    RouteProbe* probe = nullptr;
    bool parsed = false;
    bool expects_continue = false;
    bool body_read = false;
    bool head_too_large = false;
    int status = 0;

    bool has_body() const { return request.content_length != 0; }
    /// Whether the next bytes on the connection are not known to be the next request.
    bool out_of_step() const { return !parsed || (has_body() && !body_read); }
};

/// A worker serves one request at a time; the library's callbacks get only its own types.
thread_local Exchange* current = nullptr;

/// The library runs std::regex over the value of Range, which recurses for each character (4 MiB of stack for
/// 8 KiB) and does not limit a range to the content. So it never sees that header: its name is blanked in the
/// received head.
void hide_range_header(Connection& connection, Headers& headers) {
    const std::size_t end = connection.consumed + connection.head_bytes();
    std::string& input = connection.input;
    for (std::size_t line = input.find("\r\n", connection.consumed) + 2; line < end;) {
        const std::size_t next = input.find("\r\n", line) + 2;
        const std::string_view text(input.data() + line, next - 2 - line);
        const std::size_t colon = text.find(':');
        if (colon != std::string_view::npos && equals_ignoring_case(text.substr(0, colon), "range")) {
            std::string_view value = text.substr(colon + 1);
            while (value.starts_with(' '))
                value.remove_prefix(1);
            headers.emplace("Range", value);
            input.replace(line, colon, colon, 'x');
        }
        line = next;
    }
}

/// How long the body is (RFC 9112, section 6.3), refusing every ambiguity.
void find_body_length(Exchange& exchange, const httplib::Request& from) {
    Request& request = exchange.request;
    const auto refuse = [&](Errc code, const char* message) { exchange.malformed = {code, message, ""}; };
    const std::string encoding = from.get_header_value("Transfer-Encoding");
    const std::size_t lengths = from.get_header_value_count("Content-Length");
    if (!encoding.empty()) {
        request.content_length.reset();
        request.body_announced = true;
        if (!equals_ignoring_case(encoding, "chunked"))
            return refuse(Errc::unimplemented, "the only Transfer-Encoding known here is 'chunked'");
        if (lengths > 0)
            return refuse(Errc::invalid_argument,
                          "Content-Length and Transfer-Encoding contradict each other");
        return;
    }
    if (lengths == 0) return;
    const std::string text = from.get_header_value("Content-Length");
    std::uint64_t length = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), length);
    if (lengths > 1 || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
        request.content_length.reset();
        return refuse(Errc::invalid_argument, "Content-Length is not one decimal number");
    }
    request.content_length = length;
    request.body_announced = true;
}

/// Takes the request over from the library and leaves it only what it may act on.
void take_over(Exchange& exchange, httplib::Request& from) {
    Request& request = exchange.request;
    request.method = from.method;
    request.peer = fmt::format("{}:{}", from.remote_addr, from.remote_port);
    for (const auto& [name, value] : from.headers)
        request.headers.emplace(name, value);
    find_body_length(exchange, from);
    exchange.expects_continue = equals_ignoring_case(from.get_header_value("Expect"), "100-continue");
    if (auto target = parse_target(from.target)) {
        request.path = std::move(target->path);
        request.params = std::move(target->params);
    } else if (exchange.malformed.message.empty()) {
        exchange.malformed = {Errc::invalid_argument, "the request target is not a percent-encoded path",
                              "encode it as UTF-8"};
    }
    // Expect is answered when the handler starts to read; Content-Encoding would unpack the body,
    // Content-Type "multipart/..." take it apart, Accept-Encoding spend time on compressing answers.
    for (const char* name : {"Expect", "Content-Encoding", "Content-Type", "Accept-Encoding"})
        from.headers.erase(name);
    // Paths are matched by our router; the library's matching is std::regex.
    from.path = "/";
    exchange.parsed = true;
}

Error protocol_error(int status, const Exchange& exchange) {
    if (exchange.head_too_large)
        return {Errc::too_large, fmt::format("the request's head is over {} bytes", kHeadBytesMax),
                "send fewer headers"};
    if (status == 414)
        return {Errc::too_large, "the request's target is too long", "use a shorter key or query"};
    return {Errc::invalid_argument, "this is not an HTTP/1.1 request",
            "check the client; TLS is not spoken on this port"};
}

Result<void> read_body(Exchange& exchange, const httplib::ContentReader& reader, const BodySink& sink) {
    if (!exchange.has_body()) return {};
    if (exchange.expects_continue) {
        constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        exchange.stream.write(kContinue.data(), kContinue.size());
    }
    exchange.stream.expect(exchange.request.content_length);
    Result<void> outcome;
    const bool whole = reader([&](const char* data, std::size_t size) {
        outcome = sink({reinterpret_cast<const Byte*>(data), size});
        return outcome.has_value();
    });
    if (!outcome) return outcome;
    if (exchange.stream.timed_out())
        return fail(Errc::deadline_exceeded, "the client stopped sending the body",
                    "send it again, without pausing");
    // The library takes a chunked body that breaks off at a chunk's end for whole.
    const bool chunked = !exchange.request.content_length.has_value();
    if (!whole || (chunked && (exchange.stream.saw_end() || !exchange.stream.ended_with_empty_line())))
        return fail(Errc::cancelled, "the client cut the body short or malformed it", "send it again");
    exchange.body_read = true;
    return {};
}

/// Gives the library the response's body piece by piece; what is wrong with it cuts the connection.
httplib::ContentProvider provider_of(Response& response, std::string id) {
    return [next = std::move(response.next), id = std::move(id)](std::size_t, std::size_t left,
                                                                 httplib::DataSink& sink) {
        std::string wrong;
        try {
            auto piece = next();
            if (!piece)
                wrong = piece.error().render();
            else if (piece->view.empty() || piece->view.size() > left)
                wrong = "the body is not as long as announced";
            else
                return sink.write(reinterpret_cast<const char*>(piece->view.data()), piece->view.size());
        } catch (const std::exception& error) {
            wrong = error.what();
        }
        log::error("http_response_cut", {{"reason", wrong}}, {.trace = id});
        return false;
    };
}

void hand_over(Response response, const Exchange& exchange, httplib::Response& to) {
    to.status = response.status;
    for (const auto& [name, value] : response.headers)
        to.set_header(name, value);
    if (exchange.out_of_step()) to.set_header("Connection", "close");
    if (response.next && response.stream_bytes > 0) {
        to.set_content_provider(response.stream_bytes, response.content_type,
                                provider_of(response, exchange.request.id));
    } else if (!response.body.empty()) {
        to.set_content(response.body, response.content_type);
    } else if (response.next) {
        to.set_header("Content-Type", response.content_type);
    }
}

struct Probe {
    metrics::Gauge in_flight = metrics::gauge("dwcp_http_requests_in_flight", "Requests being served.");
    metrics::Counter received = metrics::counter("dwcp_http_received_bytes_total", "Bytes of requests.");
    metrics::Counter sent = metrics::counter("dwcp_http_sent_bytes_total", "Bytes of responses.");
};

} // namespace

class HttpServer::Engine : private httplib::Server {
  public:
    Engine();
    ~Engine() override { stop_all(); }

    Router& router() { return router_; }
    void set_guard(Guard guard) { guard_ = std::move(guard); }
    Result<void> start(const http::Options& options);
    std::uint16_t port() const;
    bool drain(Duration deadline);
    void stop_all();

  private:
    bool serve(Connection& connection);
    Response answer(Exchange& exchange);
    void finish(Exchange& exchange, TimePoint began);

    Router router_;
    Guard guard_;
    RouteProbe unmatched_{"unmatched", "any"};
    const Probe probe_;
    http::Options options_;

    mutable std::mutex mutex_; // of the two below
    std::shared_ptr<ConnectionLoop> loop_;
    std::uint16_t port_ = 0;
    std::atomic<bool> draining_{false};
};

HttpServer::Engine::Engine() {
    // The library stops writing a body when this says that its own listener, which we do not use, is closed.
    svr_sock_ = 0;

    const auto with_body = [this](const httplib::Request&, httplib::Response& to,
                                  const httplib::ContentReader& reader) {
        Exchange& exchange = *current;
        exchange.request.read_body = [&](const BodySink& sink) { return read_body(exchange, reader, sink); };
        Response response = answer(exchange);
        hand_over(std::move(response), exchange, to);
    };
    Put("/", with_body);
    Post("/", with_body);
    Patch("/", with_body);
    Delete("/", with_body);
    set_pre_routing_handler([this](const httplib::Request& from, httplib::Response& to) {
        for (const char* method : {"PUT", "POST", "PATCH", "DELETE"})
            if (from.method == method) return HandlerResponse::Unhandled;
        current->request.read_body = [](const BodySink&) -> Result<void> { return {}; };
        hand_over(answer(*current), *current, to);
        return HandlerResponse::Handled;
    });
    // What the library refused by itself. It writes the body's length only for what a handler answered.
    set_error_handler(HandlerWithResponse([](const httplib::Request&, httplib::Response& to) {
        if (current->parsed) return HandlerResponse::Unhandled;
        if (current->head_too_large) to.status = 431;
        to.set_content(error_body(protocol_error(to.status, *current)), "application/json");
        to.set_header("Content-Length", std::to_string(to.body.size()));
        to.set_header("Connection", "close");
        return HandlerResponse::Unhandled;
    }));
    set_post_routing_handler([](const httplib::Request&, httplib::Response& to) {
        current->status = to.status;
        to.headers.erase("Keep-Alive"); // it would announce the library's timeouts, not ours
        to.set_header("Date", http_date());
        to.set_header("X-DWCP-Request-Id", current->request.id);
    });
}

Result<void> HttpServer::Engine::start(const http::Options& options) {
    const std::lock_guard lock(mutex_);
    if (loop_) return fail(Errc::precondition_failed, "the HTTP server runs already", "stop it first");
    auto listener = listen_on(options.host, options.port);
    if (!listener) return std::unexpected(listener.error());
    options_ = options;
    port_ = listener->port;
    draining_ = false;
    loop_ =
        std::make_shared<ConnectionLoop>(listener->fd, options, [this](Connection& c) { return serve(c); });
    return {};
}

std::uint16_t HttpServer::Engine::port() const {
    const std::lock_guard lock(mutex_);
    return port_;
}

bool HttpServer::Engine::drain(Duration deadline) {
    const auto loop = [this] {
        const std::lock_guard lock(mutex_);
        return loop_;
    }();
    if (!loop) return true;
    draining_ = true;
    loop->begin_drain();
    return loop->wait_quiet(deadline);
}

void HttpServer::Engine::stop_all() {
    std::shared_ptr<ConnectionLoop> loop;
    {
        const std::lock_guard lock(mutex_);
        loop = std::move(loop_);
    }
    // Without the lock: it would wait for a drain() that waits for what this is to cut.
    if (loop) loop->stop();
}

bool HttpServer::Engine::serve(Connection& connection) {
    const TimePoint began = std::chrono::steady_clock::now();
    ConnectionStream io(connection, options_.io_timeout);
    Stream stream(io, connection);
    Exchange exchange(io);
    exchange.request.id = random_id();
    exchange.head_too_large = connection.head_bytes() == 0 || connection.head_bytes() > kHeadBytesMax;
    // An empty first line makes the library answer an error without reading on.
    if (exchange.head_too_large)
        connection.input.insert(connection.consumed, "\r\n");
    else
        hide_range_header(connection, exchange.request.headers);

    probe_.in_flight.add(1);
    current = &exchange;
    bool keep = false;
    try {
        bool closed = false;
        const auto prepare = [&](httplib::Request& request) { take_over(exchange, request); };
        keep = process_request(stream, draining_, closed, prepare) && !closed && !draining_ &&
               !exchange.out_of_step();
    } catch (const std::exception& error) {
        log::error("http_request_failed", {{"reason", error.what()}}, {.trace = exchange.request.id});
    } catch (...) {
        log::error("http_request_failed", {{"reason", "unknown exception"}}, {.trace = exchange.request.id});
    }
    if (exchange.out_of_step() && !io.saw_end() && !io.timed_out()) io.linger();
    current = nullptr;
    probe_.in_flight.add(-1);
    finish(exchange, began);
    return keep;
}

Response HttpServer::Engine::answer(Exchange& exchange) {
    Request& request = exchange.request;
    if (!exchange.malformed.message.empty()) return error_response(exchange.malformed);
    auto [route, rest, allowed] = router_.match(request.method, request.path);
    if (route == nullptr && allowed.empty())
        return error_response({Errc::not_found, fmt::format("there is no resource '{}'", request.path),
                               "see the API's description for what there is"});
    if (route == nullptr) {
        const std::string methods = fmt::format("{}", fmt::join(allowed, ", "));
        auto response = error_response({Errc::unimplemented,
                                        fmt::format("'{}' does not take {}", request.path, request.method),
                                        "use one of: " + methods},
                                       405);
        response.headers.emplace_back("Allow", methods);
        return response;
    }
    exchange.probe = route->probe.get();
    request.rest = std::move(rest);
    try {
        if (guard_)
            if (auto refusal = guard_(request, route->spec)) return std::move(*refusal);
        if (const auto* handler = std::get_if<http::Handler>(&route->handler)) return (*handler)(request);
        auto begun = std::get<UploadHandler>(route->handler)(request);
        if (auto* refusal = std::get_if<Response>(&begun)) return std::move(*refusal);
        auto& upload = *std::get<std::unique_ptr<Upload>>(begun);
        const auto read = request.read_body([&](ByteView piece) { return upload.take(piece); });
        return read ? upload.finish() : upload.abandon(read.error());
    } catch (const std::exception& error) {
        log::error("http_handler_failed", {{"route", route->spec.pattern}, {"reason", error.what()}},
                   {.trace = request.id});
    } catch (...) {
        log::error("http_handler_failed", {{"route", route->spec.pattern}, {"reason", "unknown exception"}},
                   {.trace = request.id});
    }
    return error_response({Errc::internal, "the node failed to handle this request",
                           fmt::format("look for the trace {} in the node's log", request.id)});
}

void HttpServer::Engine::finish(Exchange& exchange, TimePoint began) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    (exchange.probe != nullptr ? *exchange.probe : unmatched_).finished(exchange.status, took.count());
    probe_.received.add(static_cast<double>(exchange.stream.received_bytes()));
    probe_.sent.add(static_cast<double>(exchange.stream.sent_bytes()));
    log::debug("http_request",
               {{"method", exchange.request.method},
                {"path", exchange.request.path},
                {"status", exchange.status},
                {"peer", exchange.request.peer},
                {"seconds", took.count()}},
               {.trace = exchange.request.id});
}

HttpServer::HttpServer() : engine_(std::make_unique<Engine>()) {}
HttpServer::~HttpServer() = default;

void HttpServer::route(RouteSpec spec, Handler handler) {
    engine_->router().add(std::move(spec), std::move(handler));
}
void HttpServer::route(RouteSpec spec, UploadHandler handler) {
    engine_->router().add(std::move(spec), std::move(handler));
}
void HttpServer::route(std::string method, std::string pattern, Handler handler) {
    route({.method = std::move(method), .pattern = std::move(pattern), .group = {}, .sentence = {}},
          std::move(handler));
}
void HttpServer::set_guard(Guard guard) { engine_->set_guard(std::move(guard)); }
std::vector<RouteSpec> HttpServer::routes() const { return engine_->router().specs(); }
Result<void> HttpServer::start(const Options& options) { return engine_->start(options); }
std::uint16_t HttpServer::port() const { return engine_->port(); }
bool HttpServer::drain(Duration deadline) { return engine_->drain(deadline); }
void HttpServer::stop() { engine_->stop_all(); }

} // namespace dwcp::http
