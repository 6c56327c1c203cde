// One client: takes its requests in, has them served, sends the answers out. Nothing here waits: the loop
// calls when the socket, a worker or the clock has something new.
//
//   handshake -> head -> (working | body) -> ... -> responding -> head ...
//                                                -> live            -> lingering -> closed
//
// A body for a handler is gathered whole before the handler runs; one for an upload is gathered up to a limit
// and handed over whenever the worker has taken the last stretch. A response's pieces are pulled only as fast
// as the client takes them. So a slow client costs its buffers, never a thread.
//
// Made, called and destroyed by the loop's thread only. A closed connection stays until the worker that has
// its exchange is done.
#pragma once

#include "runtime/http/exchange.hpp"
#include "runtime/http/pace.hpp"
#include "runtime/http/request_parser.hpp"
#include "runtime/http/service.hpp"
#include "runtime/http/transport.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace dwcp::http {

/// What of an upload's body is gathered while a worker is at the stretch before.
inline constexpr std::size_t kGatherBytes = 256U << 10;
/// The next piece of a response is pulled once no more than this is left of the last: half a block.
inline constexpr std::size_t kPullAheadBytes = 512U << 10;
/// A response no longer than this is never kept waiting for the budget: even on all connections they are few
/// bytes, and it keeps small objects served while slow readers of large ones hold what there is.
inline constexpr std::uint64_t kSmallBytes = 64U << 10;
/// When memory is short, so long a client is waited for before its speed counts.
inline constexpr milliseconds kReliefAfter{1'000};
/// How much, and how long, a client may go on sending after its last answer, to be able to see that answer.
inline constexpr std::size_t kLingerBytesMax = 64U << 20;
inline constexpr milliseconds kLingerTime{2'000};
/// Counted as the status of a request whose client left before its answer.
inline constexpr int kClientGone = 499;

class Connection {
  public:
    struct Peer {
        std::string host;
        std::uint16_t port = 0;
    };
    /// `reserved`: there was no room, so it may ask for probes only.
    Connection(std::uint64_t number, int fd, Peer peer, bool reserved, Service& service, TimePoint now);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void on_socket(std::uint32_t events, TimePoint now);
    /// What TLS has decrypted already, and what a pause left, without an event of the socket.
    void on_turn(TimePoint now);
    void on_step_done(TimePoint now);
    void on_woken(TimePoint now);
    void on_time(TimePoint now);
    /// No new requests: goes if it is idle, and after its request otherwise. Live responses end.
    void drain(TimePoint now);
    /// Cuts what is under way.
    void close(TimePoint now);

    /// What of epoll's events it waits for.
    std::uint32_t interest() const;
    bool wants_turn() const { return wants_input() && transport_.has_pending(); }
    bool dead() const { return phase_ == Phase::closed && !exchange_; }
    bool is_open() const { return phase_ != Phase::closed; }
    /// Whether it may be closed in favour of another: the lower, the sooner. 0: not at all.
    int expendable() const;
    /// How fast its client takes what is held for it; nullopt: nothing is, or it is too early to tell.
    std::optional<double> drain_bytes_per_s(TimePoint now) const;

    std::uint64_t number() const { return number_; }
    int fd() const { return transport_.fd(); }
    bool reserved() const { return reserved_; }
    const std::string& host() const { return peer_.host; }
    TimePoint since() const { return since_; }
    /// For the worker that runs the step.
    Exchange& exchange() { return *exchange_; }

    std::uint32_t armed = 0; ///< What the loop has told epoll.

  private:
    enum class Phase : std::uint8_t { handshake, head, body, working, responding, live, lingering, closed };
    struct Segment {
        std::string text;
        Piece piece;
        ByteView left;
    };

    // Input.
    void shake_hands();
    void answer_plainly();
    void handshake_failed(const Error& error);
    bool wants_input() const;
    bool wants_more_of_body() const;
    void receive_some();
    void on_input(std::string_view input);
    void on_input_end();
    void pump();
    bool parse_some();
    void refuse_head(const Error& error);
    std::size_t take_body(std::string_view input);
    void begin_exchange();
    bool read_target();
    void serve();
    void expect_body();
    void body_failed(const Error& error, int status);
    void advance();
    void submit(Step step, bool must);

    // Output.
    void respond(Response response);
    void refuse(Refusal why, Response response);
    void send_response();
    void queue(std::string text);
    void queue(Piece piece);
    void take_piece();
    void want_piece();
    void flush();
    bool send_some();
    void all_sent();
    void start_live();
    void leave_live();
    void drive_live();
    void end_exchange(int status);
    void finish();
    void linger();
    void orphan();

    // The clock.
    void mind_pace();
    void head_time();
    void pace_time();

    const std::uint64_t number_;
    const Peer peer_;
    const bool reserved_;
    Service& service_;
    Transport transport_;
    RequestParser parser_;
    TimePoint now_;
    Phase phase_ = Phase::head;
    TimePoint since_; ///< When the phase began, or the head's first byte came.
    tls::Want handshake_wants_ = tls::Want::readable;
    std::optional<tls::Certificate> certificate_;

    std::string input_; ///< Received and not consumed, from `consumed_` on.
    std::size_t consumed_ = 0;
    bool input_ended_ = false;
    Pace pace_;
    bool crossed_ = false; ///< TLS wants to write in order to read, or the other way round.

    std::unique_ptr<Exchange> exchange_;
    bool in_step_ = false;   ///< A worker has the exchange.
    bool uploading_ = false; ///< There is an upload that has not heard its end.
    std::string gathered_;
    Held held_input_;
    std::optional<Error> failure_; ///< Of the body.
    int failure_status_ = 0;       ///< Of the answer to it; 0: as the upload or the code says.
    bool keep_ = true;

    std::deque<Segment> output_;
    std::size_t output_bytes_ = 0;
    Held held_output_;
    bool blocked_ = false;      ///< The socket takes no more at the moment.
    std::uint64_t to_pull_ = 0; ///< Bytes of the response that are not queued yet.
    bool cut_ = false;          ///< Close as soon as the output is out.
    std::size_t lingered_bytes_ = 0;
};

} // namespace dwcp::http
