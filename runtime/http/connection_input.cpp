#include "runtime/base/events.hpp"
#include "runtime/http/connection.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/http/url.hpp"
#include "runtime/log/log.hpp"
#include "runtime/tls/context.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <limits>
#include <sys/epoll.h>
#include <sys/random.h>

namespace dwcp::http {
namespace {

/// An idle connection keeps no larger buffer than this.
constexpr std::size_t kIdleInputBytes = 4U << 10;
/// What one connection may receive before others get their turn.
constexpr int kReceivesPerTurn = 4;
constexpr char kTlsHandshakeRecord = 0x16;

std::string random_id() {
    std::array<Byte, 16> bytes{};
    // Up to 256 bytes come at once and uninterrupted (getrandom(2)).
    [[maybe_unused]] const auto count = getrandom(bytes.data(), bytes.size(), 0);
    return to_hex(bytes);
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

Response no_route(const Request& request, const std::set<std::string>& allowed) {
    if (allowed.empty())
        return error_response({Errc::not_found, fmt::format("there is no resource '{}'", request.path),
                               "GET /v1/api lists what there is, and ops/api.md"});
    const std::string methods = fmt::format("{}", fmt::join(allowed, ", "));
    auto response = error_response({Errc::unimplemented,
                                    fmt::format("'{}' does not take {}", request.path, request.method),
                                    "use one of: " + methods},
                                   405);
    response.headers.emplace_back("Allow", methods);
    return response;
}

Response body_too_large(std::size_t bytes_max) {
    return error_response(
        {Errc::too_large, fmt::format("the body is over {} bytes", bytes_max), "send less at once"});
}

Response memory_full() {
    return error_response(
        {Errc::unavailable, "this node holds too much for other clients already", "try again in a second"});
}

} // namespace

// --- handshake

void Connection::shake_hands() {
    if (!transport_.secured()) {
        char first = 0;
        const auto seen = transport_.peek(first);
        if (seen == Transport::Outcome::readable) return;
        if (seen != Transport::Outcome::moved) return close(now_);
        if (first != kTlsHandshakeRecord) return answer_plainly();
        transport_.secure(service_.options.tls->accept(transport_.fd(), tls::Clients::optional));
    }
    const auto wants = transport_.handshake();
    if (!wants) return handshake_failed(wants.error());
    handshake_wants_ = *wants;
    if (*wants != tls::Want::nothing) return;
    certificate_ = transport_.certificate();
    phase_ = Phase::head;
    since_ = now_;
    receive_some();
}

/// A client that speaks plain HTTP gets an answer that it understands.
void Connection::answer_plainly() {
    const Error error{Errc::invalid_argument, "this port speaks TLS, not plain HTTP",
                      "use https:// and the cluster's CA certificate"};
    service_.probe.refuse(Refusal::handshake);
    service_.loop.handshake_failed(peer_.host, error, now_);
    begin_exchange();
    keep_ = false;
    respond(error_response(error));
}

void Connection::handshake_failed(const Error& error) {
    service_.probe.refuse(Refusal::handshake);
    service_.loop.handshake_failed(peer_.host, error, now_);
    // TLS has told the client why already, where it could.
    linger();
}

// --- receiving

bool Connection::wants_input() const {
    if (input_ended_) return false;
    switch (phase_) {
    case Phase::head:
    case Phase::live:
    case Phase::lingering:
        return true;
    case Phase::body:
        return wants_more_of_body() && !(uploading_ && service_.memory.full());
    default:
        return false;
    }
}

void Connection::receive_some() {
    for (int i = 0; i < kReceivesPerTurn && wants_input(); ++i) {
        const auto received = transport_.receive(service_.scratch);
        switch (received.outcome) {
        case Transport::Outcome::moved:
            service_.probe.received.add(static_cast<double>(received.bytes));
            pace_.moved(received.bytes, now_);
            on_input({service_.scratch.data(), received.bytes});
            // Less than there was room for: the socket is empty. TLS gives a record at a time.
            if (!transport_.secured() && received.bytes < service_.scratch.size()) return;
            break;
        case Transport::Outcome::readable:
            return;
        case Transport::Outcome::writable:
            crossed_ = true;
            return;
        case Transport::Outcome::ended:
            input_ended_ = true;
            return on_input_end();
        case Transport::Outcome::failed:
            return close(now_);
        }
    }
}

void Connection::on_input(std::string_view input) {
    if (phase_ == Phase::live) return;
    if (phase_ == Phase::lingering) {
        lingered_bytes_ += input.size();
        if (lingered_bytes_ > kLingerBytesMax) close(now_);
        return;
    }
    if (phase_ == Phase::head && input_.empty()) since_ = now_;
    // A body passes through without a stop in the buffer.
    if (phase_ == Phase::body && input_.empty()) input.remove_prefix(take_body(input));
    input_.append(input);
    pump();
}

void Connection::on_input_end() {
    switch (phase_) {
    case Phase::head:
        return close(now_);
    case Phase::body:
        return body_failed({Errc::invalid_argument, "the client cut the body short", "send it again, whole"},
                           0);
    case Phase::live:
    case Phase::lingering:
        return close(now_);
    default:
        return;
    }
}

/// Parses what is there as far as it goes.
void Connection::pump() {
    while (consumed_ < input_.size() && parse_some()) {
    }
    if (consumed_ == input_.size()) {
        input_.clear();
        consumed_ = 0;
        if (input_.capacity() > kIdleInputBytes) input_.shrink_to_fit();
    }
    if (phase_ == Phase::head && input_ended_) linger();
}

bool Connection::parse_some() {
    const auto rest = std::string_view(input_).substr(consumed_);
    if (phase_ == Phase::head) {
        const auto taken = parser_.feed_head(rest);
        if (!taken) {
            refuse_head(taken.error());
            return false;
        }
        consumed_ += *taken;
        if (parser_.head_done()) {
            begin_exchange();
            serve();
        }
        return *taken > 0;
    }
    if (phase_ != Phase::body || !wants_more_of_body()) return false;
    const std::size_t taken = take_body(rest);
    consumed_ += taken;
    return taken > 0;
}

void Connection::refuse_head(const Error& error) {
    begin_exchange();
    keep_ = false;
    respond(error.code == Errc::too_large ? error_response(error, 431) : error_response(error));
}

// --- a request

void Connection::begin_exchange() {
    exchange_ = std::make_unique<Exchange>();
    exchange_->began = now_;
    exchange_->request.id = random_id();
    keep_ = true;
    service_.loop.request_began();
}

/// Fills the request from its head. False: it has been answered.
bool Connection::read_target() {
    RequestHead& head = parser_.head();
    Request& request = exchange_->request;
    request.method = std::move(head.method);
    request.headers = std::move(head.headers);
    request.content_length = head.content_length;
    request.body_announced = head.body_announced;
    request.certificate = certificate_;
    request.peer = peer_.host + ":" + std::to_string(peer_.port);
    auto target = parse_target(head.target);
    if (!target) {
        respond(error_response({Errc::invalid_argument, "the request target is not a percent-encoded path",
                                "encode it as UTF-8"}));
        return false;
    }
    // One request, one authority: what names two hosts means something else to a proxy than to us.
    const auto host = request.header("Host");
    if (!target->authority.empty() && host && !equals_ignoring_case(*host, target->authority)) {
        respond(error_response({Errc::invalid_argument,
                                "the request's target names another host than its Host header",
                                "send the same in both"}));
        return false;
    }
    request.path = std::move(target->path);
    request.params = std::move(target->params);
    return true;
}

void Connection::serve() {
    if (!read_target()) return;
    Request& request = exchange_->request;
    auto [route, rest, allowed] = service_.router.match(request.method, request.path);
    if (route == nullptr) return respond(no_route(request, allowed));
    exchange_->route = route;
    request.rest = std::move(rest);
    if (reserved_) keep_ = false;
    if (reserved_ && !route->spec.probe) {
        return refuse(Refusal::connections,
                      error_response({Errc::unavailable,
                                      fmt::format("all {} connections of this node have a request under way",
                                                  service_.options.connections_max),
                                      "try again in a second"}));
    }
    try {
        if (service_.guard)
            if (auto refusal = service_.guard(request, route->spec)) return respond(std::move(*refusal));
    } catch (const std::exception& error) {
        return respond(failed_response(request, error.what()));
    }
    if (std::holds_alternative<UploadHandler>(route->handler)) return submit(Step::begin, false);
    if (parser_.body_done()) return submit(Step::handle, false);
    if (request.content_length.value_or(0) > route->spec.body_bytes_max)
        return respond(body_too_large(route->spec.body_bytes_max));
    if (service_.memory.full()) return refuse(Refusal::memory, memory_full());
    expect_body();
}

void Connection::expect_body() {
    phase_ = Phase::body;
    since_ = now_;
    pace_.reset();
    pace_.wait(now_);
    if (parser_.head().expects_continue && input_.size() == consumed_) queue("HTTP/1.1 100 Continue\r\n\r\n");
    flush();
}

bool Connection::wants_more_of_body() const {
    return !failure_ && !parser_.body_done() && (!uploading_ || gathered_.size() < kGatherBytes);
}

std::size_t Connection::take_body(std::string_view input) {
    const auto taken = parser_.feed_body(input, [this](std::string_view part) { gathered_ += part; });
    if (!taken) {
        body_failed(taken.error(), 0);
        return input.size();
    }
    held_input_.set(gathered_.size() + (in_step_ ? exchange_->body.size() : 0));
    if (uploading_) {
        advance();
    } else if (gathered_.size() > exchange_->route->spec.body_bytes_max) {
        respond(body_too_large(exchange_->route->spec.body_bytes_max));
    } else if (!parser_.body_done() && service_.memory.full()) {
        refuse(Refusal::memory, memory_full());
    } else if (parser_.body_done()) {
        exchange_->body = std::exchange(gathered_, {});
        submit(Step::handle, false);
    }
    return *taken;
}

/// The body will never be whole. An upload is told; a handler never ran.
void Connection::body_failed(const Error& error, int status) {
    keep_ = false;
    failure_ = error;
    failure_status_ = status;
    if (uploading_) return advance();
    respond(status != 0 ? error_response(error, status) : error_response(error));
}

/// Gives an upload what there is for it, when the worker is done with what it had.
void Connection::advance() {
    if (in_step_) return;
    if (failure_) {
        phase_ = Phase::working;
        exchange_->why = *failure_;
        submit(Step::abandon, true);
    } else if (!gathered_.empty()) {
        exchange_->body.clear();
        std::swap(exchange_->body, gathered_);
        submit(Step::take, true);
    } else if (parser_.body_done()) {
        phase_ = Phase::working;
        submit(Step::finish, true);
    }
}

void Connection::submit(Step step, bool must) {
    if (step == Step::handle || step == Step::begin) phase_ = Phase::working;
    exchange_->step = step;
    exchange_->pull_at_once_max =
        service_.memory.full() ? kSmallBytes : std::numeric_limits<std::uint64_t>::max();
    in_step_ = true;
    const bool probe = exchange_->route->spec.probe;
    if (service_.loop.submit(*this, probe, must)) return;
    in_step_ = false;
    refuse(
        Refusal::workers,
        error_response({Errc::unavailable,
                        fmt::format("all {} HTTP threads of this node are busy and {} requests wait already",
                                    service_.options.threads, service_.options.queue_max),
                        "try again in a second"}));
}

} // namespace dwcp::http
