#include "runtime/http/connection.hpp"
#include "runtime/http/errors.hpp"
#include "runtime/http/response_head.hpp"
#include "runtime/log/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <exception>

namespace dwcp::http {
namespace {

/// Parts that go out with one system call.
constexpr int kPartsMax = 8;
/// A body no longer than this is copied behind its head: one packet, one part.
constexpr std::size_t kCopyBytes = 4U << 10;

} // namespace

void Connection::respond(Response response) {
    exchange_->response = std::move(response);
    send_response();
}

void Connection::refuse(Refusal why, Response response) {
    service_.probe.refuse(why);
    respond(std::move(response));
}

void Connection::send_response() {
    if (exchange_->response->live && (service_.live >= service_.options.live_max || service_.draining)) {
        service_.probe.refuse(Refusal::live);
        exchange_->response = error_response(
            {Errc::unavailable, fmt::format("{} live responses are under way already", service_.live),
             "try again when another client has left"});
    }
    Response& response = *exchange_->response;
    if (service_.follower != nullptr) service_.follower->answering(exchange_->request, response);
    const RequestHead& head = parser_.head();
    const bool bodiless = exchange_->request.method == "HEAD" || is_bodiless(response.status);
    keep_ = keep_ && parser_.head_done() && parser_.body_done() && head.keep_alive && !service_.draining &&
            !response.live;
    Framing framing{.minor_version = head.minor_version,
                    .keep_alive = keep_,
                    .chunked = response.live && head.minor_version > 0,
                    .content_length = {},
                    .date = service_.date};
    if (!response.live && !is_bodiless(response.status))
        framing.content_length = response.next ? response.stream_bytes : response.body.size();
    if (!bodiless) exchange_->answer_bytes = framing.content_length.value_or(0);

    gathered_ = {};
    held_input_.set(0);
    pace_.reset();
    phase_ = Phase::responding;
    since_ = now_;
    cut_ = false;
    to_pull_ = response.next && !response.live && !bodiless ? response.stream_bytes : 0;
    queue(response_head(response, exchange_->request.id, framing));
    if (response.live && !bodiless) return start_live();
    if (!response.next && !bodiless && !response.body.empty()) queue(std::move(response.body));
    if (exchange_->piece && to_pull_ > 0) take_piece();
    flush();
}

// --- what is to be sent

void Connection::queue(std::string text) {
    output_bytes_ += text.size();
    if (text.size() <= kCopyBytes && !output_.empty() && output_.back().piece.owner == nullptr) {
        Segment& last = output_.back();
        const std::size_t sent = last.text.size() - last.left.size();
        last.text += text;
        last.left = as_bytes(last.text).subspan(sent);
    } else {
        output_.push_back({std::move(text), {}, {}});
        output_.back().left = as_bytes(output_.back().text);
    }
    held_output_.set(output_bytes_);
}

void Connection::queue(Piece piece) {
    if (piece.view.size() <= kCopyBytes) return queue(std::string(as_text(piece.view)));
    output_bytes_ += piece.view.size();
    const ByteView view = piece.view;
    output_.push_back({{}, std::move(piece), view});
    held_output_.set(output_bytes_);
}

/// Queues the piece that the worker has pulled. What is wrong with it cuts the connection, so the client
/// notices: what is queued before it still goes out.
void Connection::take_piece() {
    auto piece = std::move(*exchange_->piece);
    exchange_->piece.reset();
    std::string wrong;
    if (!piece)
        wrong = piece.error().render();
    else if (piece->view.empty() || piece->view.size() > to_pull_)
        wrong = "the body is not as long as announced";
    if (!wrong.empty()) {
        log::error("http_response_cut", {{"reason", wrong}}, {.trace = exchange_->request.id});
        cut_ = true;
        to_pull_ = 0;
        return;
    }
    to_pull_ -= piece->view.size();
    queue(std::move(*piece));
}

void Connection::want_piece() {
    if (to_pull_ == 0 || in_step_ || output_bytes_ > kPullAheadBytes) return;
    if (service_.memory.full() && exchange_->response->stream_bytes > kSmallBytes) return;
    submit(Step::pull, true);
}

// --- sending

void Connection::flush() {
    while (!output_.empty() && !blocked_) {
        if (!send_some()) return;
    }
    if (!is_open()) return;
    if (phase_ == Phase::responding) want_piece();
    if (output_.empty()) all_sent();
}

/// False: the connection is gone, or TLS must read first.
bool Connection::send_some() {
    std::array<iovec, kPartsMax> parts;
    int count = 0;
    for (const Segment& segment : output_) {
        if (count == kPartsMax) break;
        parts[static_cast<std::size_t>(count++)] = {const_cast<Byte*>(segment.left.data()),
                                                    segment.left.size()};
    }
    const auto sent = transport_.send(parts.data(), count);
    switch (sent.outcome) {
    case Transport::Outcome::moved:
        break;
    case Transport::Outcome::writable:
        blocked_ = true;
        return true;
    case Transport::Outcome::readable:
        crossed_ = true;
        return false;
    default:
        close(now_);
        return false;
    }
    service_.probe.sent.add(static_cast<double>(sent.bytes));
    pace_.moved(sent.bytes, now_);
    output_bytes_ -= sent.bytes;
    for (std::size_t left = sent.bytes; left > 0;) {
        Segment& first = output_.front();
        const std::size_t part = std::min(left, first.left.size());
        first.left = first.left.subspan(part);
        left -= part;
        if (first.left.empty()) output_.pop_front();
    }
    held_output_.set(output_bytes_);
    return true;
}

void Connection::all_sent() {
    if (phase_ == Phase::live) return drive_live();
    if (phase_ != Phase::responding || to_pull_ > 0 || in_step_) return;
    if (cut_) return close(now_);
    finish();
}

// --- responses without an end

void Connection::start_live() {
    phase_ = Phase::live;
    service_.probe.live.set(static_cast<double>(++service_.live));
    try {
        exchange_->response->live->on_ready([mailbox = service_.mailbox, number = number_] {
            mailbox->post({number, false});
        });
    } catch (const std::exception& error) {
        log::error("http_response_cut", {{"reason", error.what()}}, {.trace = exchange_->request.id});
        return close(now_);
    }
    flush();
}

void Connection::leave_live() { service_.probe.live.set(static_cast<double>(--service_.live)); }

/// Sends what the body has, while the client takes it.
void Connection::drive_live() {
    const bool chunked = parser_.head().minor_version > 0;
    while (phase_ == Phase::live && output_.empty()) {
        std::optional<std::string> text;
        try {
            if (!service_.draining) text = exchange_->response->live->take();
        } catch (const std::exception& error) {
            log::error("http_response_cut", {{"reason", error.what()}}, {.trace = exchange_->request.id});
        }
        if (text && text->empty()) return;
        if (text) {
            queue(chunked ? fmt::format("{:x}\r\n{}\r\n", text->size(), *text) : std::move(*text));
        } else {
            leave_live();
            phase_ = Phase::responding;
            if (chunked) queue(std::string("0\r\n\r\n"));
        }
        while (!output_.empty() && !blocked_)
            if (!send_some()) return;
    }
    if (phase_ == Phase::responding && output_.empty()) all_sent();
}

// --- the end

void Connection::end_exchange(int status) {
    const std::chrono::duration<double> took = now_ - exchange_->began;
    const Request& request = exchange_->request;
    RouteProbe& probe = exchange_->route != nullptr ? *exchange_->route->probe : service_.unmatched;
    probe.finished(status, took.count());
    if (log::level() <= log::Level::debug)
        log::debug("http_request",
                   {{"method", request.method},
                    {"path", request.path},
                    {"status", status},
                    {"peer", request.peer},
                    {"seconds", took.count()}},
                   {.trace = request.id});
    if (service_.follower != nullptr)
        service_.follower->ended(request, status, exchange_->answer_bytes, now_ - exchange_->began);
    exchange_.reset();
    service_.loop.request_ended();
}

/// The response is out.
void Connection::finish() {
    end_exchange(exchange_->response->status);
    failure_.reset();
    failure_status_ = 0;
    if (!keep_ || service_.draining) return linger();
    parser_.reset();
    phase_ = Phase::head;
    since_ = now_;
}

/// Says that this was all, and closes once the client has said the same: closing with bytes unread would
/// reset the connection, and the client might never see its answer.
void Connection::linger() {
    if (!is_open()) return;
    if (input_ended_) return close(now_);
    transport_.end_sending();
    phase_ = Phase::lingering;
    since_ = now_;
    lingered_bytes_ = 0;
    input_ = {};
    consumed_ = 0;
}

} // namespace dwcp::http
