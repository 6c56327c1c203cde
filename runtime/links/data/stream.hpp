// One TCP connection that speaks frames, plain or in TLS: channel, decoder, output queue, silence and
// progress. What the frames mean is decided by its two kinds, ClientStream (dialled here) and ServerStream
// (accepted here).
//
// Life cycle: made with an open socket and added to the loop; after end() it does nothing more, and the data
// plane removes it at the end of the turn. All of it runs on the I/O thread.
#pragma once

#include "protocols/wire/data_messages.hpp"
#include "protocols/wire/frame.hpp"
#include "runtime/links/data/channel.hpp"
#include "runtime/links/data/core.hpp"

#include <deque>
#include <memory>
#include <string>

namespace dwcp::links {

class Stream : public std::enable_shared_from_this<Stream> {
  public:
    /// `dialled`: the socket is still connecting, and will say so by becoming writable.
    Stream(Core& core, Fd fd, bool dialled);
    virtual ~Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    /// Receives and handles at most about `budget_bytes`; the rest is left for the next turn.
    virtual void on_readable(std::size_t budget_bytes);
    /// Sends at most about `budget_bytes` of what is queued.
    virtual void on_writable(std::size_t budget_bytes);
    /// Every kTick: deadlines and silence.
    virtual void on_tick();
    /// Called once, after end(), before it is removed.
    virtual void on_removed() {}
    /// Whose turn it is when this stream moves bytes: the peer's name, or kUnauthenticated.
    virtual const NodeName& flow() const = 0;

    /// Reads TCP_INFO; every kSampleEvery.
    void sample();

    void end(std::string reason);
    bool ended() const { return ended_; }
    const std::string& end_reason() const { return end_reason_; }
    const Fd& fd() const { return channel_.fd(); }
    /// What the loop is to watch its socket for.
    std::uint32_t interest() const { return EPOLLIN | (watching_output_ ? EPOLLOUT : 0U); }
    TimePoint opened() const { return opened_; }

  protected:
    /// Every kind but ping and pong.
    virtual void on_frame(wire::Frame& frame) = 0;
    /// A frame was dropped: count it. The stream ends after this, since its framing or its peer's word is
    /// lost.
    virtual void on_bad_frame(wire::FrameError error) = 0;
    /// Has the peer anything to answer or take? Then silence is noticed sooner.
    virtual bool expects_progress() const { return unsent_bytes_ > 0; }
    /// The credit of a frame that send() was given has left for the network.
    virtual void on_credit_sent(std::uint32_t) {}
    /// The TLS handshake is done: channel().session() says whose certificate the peer has shown.
    virtual void on_secured() {}
    /// There will be no TLS with this peer, and why. `end`: "here" or "peer", whoever refused. The stream
    /// ends after this.
    virtual void on_insecure(const std::string& end, const Error& why) = 0;
    /// The peer took longer for its handshake than connect_timeout_ms. The stream ends after this.
    virtual void on_handshake_late() {}

    void bad_frame(wire::FrameError error);
    void send(wire::FrameKind kind, std::uint64_t id, std::span<const std::uint64_t> header = {},
              SharedBytes payload = nullptr, std::uint32_t payload_checksum = 0, std::uint32_t credit = 0);
    /// Begins a TLS handshake over the connected socket.
    void secure_with(std::unique_ptr<tls::Session> session);
    Channel& channel() { return channel_; }
    /// Sends a refusal, then closes once the peer has had time to read it.
    void refuse(const Error& why);
    /// The peer has proven itself to us: its full frames are taken.
    void allow_all_kinds() { decoder_.set_authenticated(); }
    /// Both sides have accepted each other.
    void set_established();
    bool established() const { return established_; }
    std::size_t unsent_bytes() const { return unsent_bytes_; }
    std::uint8_t refused_version() const { return decoder_.refused_version(); }

    Core& core_;
    const TimePoint opened_;
    TcpSample last_{};           ///< Newest sample.
    std::uint64_t acked_ = 0;    ///< Acknowledged by the peer's kernel in the last interval, bytes.
    std::uint64_t segments_ = 0; ///< Sent in the last interval.
    std::uint64_t resent_ = 0;   ///< Of these, retransmissions.

  private:
    bool refusing() const { return !refusal_.empty(); }

    struct Out {
        Bytes head;
        SharedBytes payload;
        std::uint32_t credit;
        std::size_t size() const { return head.size() + (payload ? payload->size() : 0); }
    };

    bool secured();
    void fail_security(const std::string& end, const Error& why);
    void fail_moving(const Error& why);
    std::size_t receive(std::size_t budget_bytes);
    void plan_read();
    void plan_flush();
    void handle_frames();
    void dispatch(wire::Frame& frame);
    std::size_t transmit(std::size_t budget_bytes);
    void drop_sent(std::size_t bytes);
    void watch();
    void check_silence();

    Channel channel_;
    wire::FrameDecoder decoder_;
    std::deque<Out> out_;
    std::size_t out_offset_ = 0; ///< Bytes of out_.front() that are sent.
    std::size_t unsent_bytes_ = 0;
    bool flush_planned_ = false;
    bool read_planned_ = false;
    bool watching_output_;
    bool established_ = false;
    std::string refusal_; ///< Why this peer is being refused; empty: it is not.
    bool ended_ = false;
    std::string end_reason_;
    TimePoint heard_;    ///< Last byte received.
    TimePoint progress_; ///< Last byte received, or acknowledged by the peer's kernel.
    TimePoint probed_;   ///< Last ping.
};

} // namespace dwcp::links
