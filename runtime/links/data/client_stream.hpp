// A stream that was dialled here: connects, does the TLS handshake where there is TLS (the other end's
// certificate must be the peer's that was meant), proves who we are, then carries requests of its peer as
// credit allows.
#pragma once

#include "runtime/links/data/request.hpp"
#include "runtime/links/data/stream.hpp"

#include <map>

namespace dwcp::links {

class Peer;

class ClientStream final : public Stream {
  public:
    ClientStream(Core& core, Peer& peer, Fd fd);

    void on_writable(std::size_t budget_bytes) override;
    void on_removed() override;
    const NodeName& flow() const override;

    bool up() const { return established(); }
    /// It has credit, and little enough unsent that a request given to it leaves at once.
    bool can_take() const;
    void take(RequestPtr request);
    std::size_t in_flight() const { return in_flight_.size(); }
    /// Takes no more requests, and ends when the last is answered.
    void retire();
    bool retiring() const { return retiring_; }
    /// Takes out what has run over its deadline; a late answer is ignored.
    std::vector<RequestPtr> take_expired(TimePoint now);
    /// Takes out everything unanswered, oldest first.
    std::vector<RequestPtr> take_all();

    const TcpSample& tcp() const { return last_; }
    std::uint64_t acked_bytes() const { return acked_; }
    std::uint64_t segments() const { return segments_; }
    std::uint64_t resent_segments() const { return resent_; }

  private:
    enum class Stage : std::uint8_t { connecting, securing, greeting, waiting, up };

    void on_frame(wire::Frame& frame) override;
    void on_bad_frame(wire::FrameError error) override;
    bool expects_progress() const override { return !in_flight_.empty() || Stream::expects_progress(); }

    void on_secured() override { greet(); }
    void on_insecure(const std::string& end, const Error& why) override;

    void on_connected();
    void greet();
    void on_ack(const wire::Frame& frame);
    void on_refused(const wire::Frame& frame);
    void on_credit(const wire::Frame& frame);
    bool damaged_by_canary() const;
    void send_disturbed(const Request& request);
    void on_answer(wire::Frame& frame);
    void finish(RequestPtr request, wire::Frame& frame);
    void finish_fetch(RequestPtr request, wire::Frame& frame);

    Peer& peer_;
    Stage stage_ = Stage::connecting;
    wire::Hello hello_;
    std::uint32_t credit_ = 0;
    bool peer_echoes_ = false;
    bool retiring_ = false;
    std::map<std::uint64_t, RequestPtr> in_flight_;
};

} // namespace dwcp::links
