#include "runtime/http/http_server.hpp"

#include "runtime/http/connection_loop.hpp"
#include "runtime/http/listener.hpp"
#include "runtime/http/router.hpp"

#include <csignal>
#include <mutex>

namespace dwcp::http {

class HttpServer::Engine {
  public:
    ~Engine() { stop_all(); }

    Router& router() { return router_; }
    void set_guard(Guard guard) { guard_ = std::move(guard); }
    void set_follower(std::shared_ptr<Follower> follower) { follower_ = std::move(follower); }
    Result<void> start(const Options& options);
    std::uint16_t port() const;
    bool drain(Duration deadline);
    void stop_all();

  private:
    Router router_;
    Guard guard_;
    std::shared_ptr<Follower> follower_;
    RouteProbe unmatched_{"unmatched", "any"};

    mutable std::mutex mutex_; // of the two below
    std::shared_ptr<ConnectionLoop> loop_;
    std::uint16_t port_ = 0;
};

Result<void> HttpServer::Engine::start(const Options& options) {
    const std::lock_guard lock(mutex_);
    if (loop_) return fail(Errc::precondition_failed, "the HTTP server runs already", "stop it first");
    // TLS writes to sockets without a flag that would keep the signal away.
    std::signal(SIGPIPE, SIG_IGN);
    auto listener = listen_on(options.host, options.port);
    if (!listener) return std::unexpected(listener.error());
    port_ = listener->port;
    loop_ =
        std::make_shared<ConnectionLoop>(listener->fd, options, router_, guard_, follower_.get(), unmatched_);
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

void HttpServer::set_follower(std::shared_ptr<Follower> follower) {
    engine_->set_follower(std::move(follower));
}
std::vector<RouteSpec> HttpServer::routes() const { return engine_->router().specs(); }
Result<void> HttpServer::start(const Options& options) { return engine_->start(options); }
std::uint16_t HttpServer::port() const { return engine_->port(); }
bool HttpServer::drain(Duration deadline) { return engine_->drain(deadline); }
void HttpServer::stop() { engine_->stop_all(); }

} // namespace dwcp::http
