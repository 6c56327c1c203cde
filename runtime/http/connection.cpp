#include "runtime/http/connection.hpp"

#include "runtime/http/errors.hpp"

#include <fmt/format.h>

#include <sys/epoll.h>

namespace dwcp::http {

Connection::Connection(std::uint64_t number, int fd, Peer peer, bool reserved, Service& service,
                       TimePoint now)
    : number_(number), peer_(std::move(peer)), reserved_(reserved), service_(service), transport_(fd),
      now_(now), phase_(service.options.tls ? Phase::handshake : Phase::head), since_(now),
      held_input_(service.memory), held_output_(service.memory) {}

Connection::~Connection() = default;

std::uint32_t Connection::interest() const {
    if (phase_ == Phase::closed) return 0;
    std::uint32_t events = 0;
    if (phase_ == Phase::handshake) events = handshake_wants_ == tls::Want::writable ? EPOLLOUT : EPOLLIN;
    if (wants_input()) events |= EPOLLIN;
    if (blocked_) events |= EPOLLOUT;
    return crossed_ ? events | EPOLLIN | EPOLLOUT : events;
}

void Connection::on_socket(std::uint32_t events, TimePoint now) {
    now_ = now;
    const bool lost = (events & (EPOLLERR | EPOLLHUP)) != 0;
    const bool crossed = std::exchange(crossed_, false);
    if (phase_ == Phase::handshake) {
        shake_hands();
    } else if (lost && !wants_input()) {
        close(now); // nobody is there any more to take the answer
    } else {
        if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 || crossed) receive_some();
        if (is_open() && ((events & EPOLLOUT) != 0 || crossed)) {
            blocked_ = false;
            flush();
        }
    }
    on_turn(now);
}

void Connection::on_turn(TimePoint now) {
    now_ = now;
    if (wants_turn()) receive_some();
    if (is_open()) pump();
    mind_pace();
}

void Connection::on_step_done(TimePoint now) {
    now_ = now;
    in_step_ = false;
    Exchange& exchange = *exchange_;
    uploading_ = exchange.upload != nullptr; // its last step has let it go
    if (!is_open()) return orphan();
    switch (exchange.step) {
    case Step::begin:
        if (uploading_) {
            expect_body();
            advance();
            break;
        }
        [[fallthrough]];
    case Step::handle:
    case Step::finish:
    case Step::abandon:
        if (failure_status_ != 0) exchange.response->status = failure_status_;
        send_response();
        break;
    case Step::take:
        held_input_.set(gathered_.size());
        if (!exchange.taken) {
            keep_ = false;
            failure_ = exchange.taken.error();
        }
        advance();
        break;
    case Step::pull:
        take_piece();
        flush();
        break;
    }
    on_turn(now);
}

void Connection::on_woken(TimePoint now) {
    now_ = now;
    if (phase_ == Phase::live) drive_live();
    mind_pace();
}

void Connection::mind_pace() {
    const bool sending = phase_ == Phase::responding || phase_ == Phase::live;
    const bool waiting = (phase_ == Phase::body && wants_input()) || (sending && !output_.empty());
    if (waiting)
        pace_.wait(now_);
    else
        pace_.pause(now_);
}

void Connection::on_time(TimePoint now) {
    now_ = now;
    const Options& options = service_.options;
    switch (phase_) {
    case Phase::handshake:
        if (now - since_ < options.head_timeout) return;
        service_.probe.refuse(Refusal::head_timeout);
        return close(now);
    case Phase::head:
        return head_time();
    case Phase::body:
    case Phase::responding:
    case Phase::live:
        return pace_time();
    case Phase::lingering:
        if (now - since_ >= kLingerTime) close(now);
        return;
    case Phase::working:
    case Phase::closed:
        return;
    }
}

void Connection::head_time() {
    if (input_.size() == consumed_) {
        if (now_ - since_ >= service_.options.idle_timeout) close(now_);
        return;
    }
    if (now_ - since_ < service_.options.head_timeout) return;
    begin_exchange();
    keep_ = false;
    refuse(
        Refusal::head_timeout,
        error_response(
            {Errc::deadline_exceeded, "the request's head did not come in time", "send it in one go"}, 408));
}

void Connection::pace_time() {
    const Options& options = service_.options;
    const bool silent = pace_.silence(now_) >= options.io_timeout;
    const bool slow =
        phase_ != Phase::live && pace_.slower_than(options.min_rate_bytes_per_s, options.rate_grace, now_);
    const bool over = phase_ == Phase::body && !wants_input();
    if (over || (!silent && !slow)) {
        // What a full budget had paused goes on by itself once there is room.
        if (phase_ == Phase::responding) want_piece();
        return mind_pace();
    }
    service_.probe.refuse(silent ? Refusal::silent : Refusal::slow);
    if (phase_ != Phase::body) return close(now_);
    if (silent)
        return body_failed({Errc::deadline_exceeded, "the client stopped sending the body",
                            "send it again, without pausing"},
                           408);
    body_failed({Errc::deadline_exceeded,
                 fmt::format("the body came at less than {} bytes a second", options.min_rate_bytes_per_s),
                 "send it again over a faster connection"},
                408);
}

int Connection::expendable() const {
    switch (phase_) {
    case Phase::lingering:
        return 1;
    case Phase::handshake:
    case Phase::head:
        return 2;
    default:
        return 0;
    }
}

std::optional<double> Connection::drain_bytes_per_s(TimePoint now) const {
    if (phase_ != Phase::responding || output_bytes_ == 0 || pace_.waited(now) < kReliefAfter)
        return std::nullopt;
    return pace_.bytes_per_s(now);
}

void Connection::drain(TimePoint now) {
    now_ = now;
    if (phase_ == Phase::head || phase_ == Phase::handshake) return close(now);
    if (phase_ == Phase::live) drive_live();
}

void Connection::close(TimePoint now) {
    now_ = now;
    if (!is_open()) return;
    if (phase_ == Phase::live) leave_live();
    transport_.close();
    phase_ = Phase::closed;
    blocked_ = crossed_ = false;
    input_ = {};
    consumed_ = 0;
    output_.clear();
    gathered_ = {};
    held_output_.set(0);
    held_input_.set(0);
    if (exchange_ && !in_step_) orphan();
}

/// The client is gone. An upload that has begun must hear of it; everything else is over.
void Connection::orphan() {
    if (!uploading_) return end_exchange(exchange_->response ? exchange_->response->status : kClientGone);
    uploading_ = false;
    exchange_->why = {Errc::cancelled, "the client is gone", ""};
    exchange_->step = Step::abandon;
    in_step_ = true;
    service_.loop.submit(*this, false, true);
}

} // namespace dwcp::http
