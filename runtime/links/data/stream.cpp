#include "runtime/links/data/stream.hpp"

#include "protocols/wire/crc32c.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>

namespace dwcp::links {
namespace {

/// Frames gathered into one write; more gain nothing.
constexpr std::size_t kGatherMax = 32;
/// A refused peer has this long to read why.
constexpr milliseconds kRefusalLinger{1000};
/// A stream that expects something is given up after this share of the idle timeout.
constexpr int kStallShare = 2;
/// Acknowledged bytes in an interval that count as progress: a stopped process's kernel still acknowledges
/// our pings.
constexpr std::uint64_t kProgressBytes = 1024;
/// Frames queued at most when a ping is answered: a peer that asks without reading is not obliged.
constexpr std::size_t kQueuedFramesMax = 1024;
/// Probes before a silent stream is given up.
constexpr int kProbes = 3;
/// Read from a peer that takes nothing more, in case it has said why: more than any refusal.
constexpr std::size_t kLastWordsBytes = 64U << 10;

} // namespace

Stream::Stream(Core& core, Fd fd, bool dialled)
    : core_(core), opened_(core.now), channel_(std::move(fd)),
      decoder_([&core] { return core.buffers.take(); }), watching_output_(dialled), heard_(core.now),
      progress_(core.now), probed_(core.now) {}

void Stream::end(std::string reason) {
    if (ended_) return;
    ended_ = true;
    end_reason_ = std::move(reason);
    if (established_ && channel_.session()) channel_.close_output();
}

void Stream::bad_frame(wire::FrameError error) {
    if (ended_) return;
    on_bad_frame(error);
    if (refusing()) return; // it is told why first
    // Anybody can send garbage to the port: only a known peer's is worth a warning, all of it is counted.
    log::write(established_ ? log::Level::warn : log::Level::debug, "data_bad_frame",
               {{"peer", flow()}, {"reason", wire::to_string(error)}});
    end("bad frame: " + std::string(wire::to_string(error)));
}

void Stream::set_established() {
    established_ = true;
    decoder_.set_authenticated();
}

void Stream::secure_with(std::unique_ptr<tls::Session> session) { channel_.secure_with(std::move(session)); }

// One step of the TLS handshake, if there is one; true once frames may be moved.
bool Stream::secured() {
    if (ended_ || !channel_.securing()) return !ended_;
    const auto done = channel_.secure();
    if (!done) {
        fail_security(channel_.session()->refused_by_peer() ? "peer" : "here", done.error());
    } else if (*done) {
        on_secured();
        plan_read(); // frames may have come with the end of the handshake
    }
    watch();
    return !ended_ && !channel_.securing();
}

void Stream::fail_security(const std::string& end_of_link, const Error& why) {
    if (why.code == Errc::unavailable) return end(why.message);
    on_insecure(end_of_link, why);
    if (end_of_link == "peer") return end("refused: " + why.message);
    // TLS has told the peer. Its word must not be lost to a reset, so what comes meanwhile is still taken.
    channel_.drop_session();
    refusal_ = "refused: " + why.message;
    channel_.close_output();
}

// The dialler of TLS 1.3 is done before its certificate is looked at, so it may read the refusal only here.
void Stream::fail_moving(const Error& why) {
    const bool refused = !established_ && channel_.session() && channel_.session()->refused_by_peer();
    if (refused) return fail_security("peer", why);
    end(refusing() ? refusal_ : why.message);
}

void Stream::on_readable(std::size_t budget_bytes) {
    read_planned_ = false;
    if (!secured()) return;
    while (!ended_ && budget_bytes > 0) {
        const std::size_t received = receive(budget_bytes);
        if (received == 0) break;
        heard_ = progress_ = core_.now;
        budget_bytes -= received;
        handle_frames();
    }
    if (ended_ || !channel_.session()) return;
    if (budget_bytes == 0) plan_read();
    if (channel_.sending_wants_input()) plan_flush();
    if (channel_.wants_output()) watch();
}

std::size_t Stream::receive(std::size_t budget_bytes) {
    std::array<Byte, 256> ignored;
    auto into = refusing() ? std::array{std::span<Byte>(ignored), std::span<Byte>()} : decoder_.buffers();
    into[0] = into[0].first(std::min(into[0].size(), budget_bytes));
    into[1] = into[1].first(std::min(into[1].size(), budget_bytes - into[0].size()));
    const auto received = channel_.receive(into);
    if (!received) {
        fail_moving(received.error());
        return 0;
    }
    if (received->bytes > 0 && !refusing()) decoder_.commit(received->bytes);
    if (received->ended) end(refusing() ? refusal_ : "closed by the peer");
    return received->bytes;
}

// Epoll knows only of bytes in the socket, not of those that TLS has already taken from it.
void Stream::plan_read() {
    if (read_planned_) return;
    read_planned_ = true;
    core_.to_read.push_back(shared_from_this());
}

void Stream::handle_frames() {
    while (!ended_ && !refusing()) {
        auto frame = decoder_.next();
        if (!frame) {
            bad_frame(frame.error());
            return;
        }
        if (!*frame) return;
        dispatch(**frame);
    }
}

void Stream::dispatch(wire::Frame& frame) {
    if (frame.prefix.kind == wire::FrameKind::pong) return; // hearing it was the point
    if (frame.prefix.kind != wire::FrameKind::ping) {
        on_frame(frame);
    } else if (out_.size() < kQueuedFramesMax) {
        send(wire::FrameKind::pong, frame.prefix.id);
    } else {
        bad_frame(wire::FrameError::protocol);
    }
}

void Stream::send(wire::FrameKind kind, std::uint64_t id, std::span<const std::uint64_t> header,
                  SharedBytes payload, std::uint32_t payload_checksum, std::uint32_t credit) {
    Out out{wire::encode_frame(kind, id, header, payload ? payload->size() : 0, payload_checksum),
            std::move(payload), credit};
    unsent_bytes_ += out.size();
    out_.push_back(std::move(out));
    plan_flush();
}

void Stream::plan_flush() {
    if (flush_planned_) return;
    flush_planned_ = true;
    core_.to_flush.push_back(shared_from_this());
}

void Stream::on_writable(std::size_t budget_bytes) {
    flush_planned_ = false;
    if (!secured()) return;
    if (channel_.wants_output()) plan_read(); // what it was to go on with was a read
    while (!ended_ && unsent_bytes_ > 0 && budget_bytes > 0) {
        const std::size_t sent = transmit(budget_bytes);
        if (sent == 0) break;
        budget_bytes -= sent;
    }
    if (ended_) return;
    if (refusing() && unsent_bytes_ == 0) channel_.close_output();
    watch();
}

std::size_t Stream::transmit(std::size_t budget_bytes) {
    std::array<iovec, kGatherMax> parts{};
    std::size_t count = 0;
    std::size_t total = 0;
    std::size_t skip = out_offset_;
    const auto add = [&](const Bytes& bytes) {
        const std::size_t skipped = std::min(skip, bytes.size());
        skip -= skipped;
        const std::size_t size = std::min(bytes.size() - skipped, budget_bytes - total);
        // The kernel only reads; iovec serves both directions and so has no const.
        if (size > 0) parts[count++] = {const_cast<Byte*>(bytes.data()) + skipped, size};
        total += size;
    };
    for (const Out& out : out_) {
        if (count + 2 > parts.size() || total == budget_bytes) break;
        add(out.head);
        if (out.payload) add(*out.payload);
    }
    const auto sent = channel_.send(std::span(parts).first(count));
    if (!sent) {
        // A peer that refuses us says why before it takes nothing more.
        if (!established_) on_readable(kLastWordsBytes);
        if (!ended_) end(sent.error().message);
        return 0;
    }
    drop_sent(sent->bytes);
    return sent->bytes;
}

void Stream::drop_sent(std::size_t bytes) {
    unsent_bytes_ -= bytes;
    out_offset_ += bytes;
    while (!out_.empty() && out_offset_ >= out_.front().size()) {
        out_offset_ -= out_.front().size();
        const std::uint32_t credit = out_.front().credit;
        out_.pop_front();
        if (credit > 0) on_credit_sent(credit);
    }
}

void Stream::watch() {
    const bool sendable = unsent_bytes_ > 0 && !channel_.securing() && !channel_.sending_wants_input();
    const bool output = sendable || channel_.wants_output();
    if (output == watching_output_) return;
    watching_output_ = output;
    core_.loop.change(fd(), interest(), this);
}

void Stream::refuse(const Error& why) {
    if (refusing() || ended_) return;
    refusal_ = "refused: " + why.message;
    send(wire::FrameKind::refuse, 0, wire::encode_failure(why));
}

void Stream::sample() {
    const TcpSample now = sample_tcp(fd());
    acked_ = now.bytes_acked - last_.bytes_acked;
    segments_ = now.segments_out - last_.segments_out;
    resent_ = now.retransmits - last_.retransmits;
    last_ = now;
    if (acked_ > kProgressBytes) progress_ = core_.now;
}

void Stream::on_tick() {
    if (refusing()) {
        if (core_.now - opened_ > milliseconds(core_.options.connect_timeout_ms) + kRefusalLinger)
            end(refusal_);
        return;
    }
    if (!established_) {
        if (core_.now - opened_ > milliseconds(core_.options.connect_timeout_ms)) {
            on_handshake_late();
            end("the handshake took too long");
        }
        return;
    }
    check_silence();
}

void Stream::check_silence() {
    const bool expecting = expects_progress();
    const milliseconds limit(core_.options.idle_timeout_ms / (expecting ? kStallShare : 1));
    if (core_.now - progress_ > limit) {
        end(expecting ? "stalled: no progress with work under way" : "silent for too long");
        return;
    }
    const milliseconds probe_after = limit / kProbes;
    if (core_.now - heard_ < probe_after || core_.now - probed_ < probe_after) return;
    probed_ = core_.now;
    send(wire::FrameKind::ping, 0);
}

} // namespace dwcp::links
