#include "runtime/links/data/stream.hpp"

#include "protocols/wire/crc32c.hpp"
#include "runtime/log/log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/uio.h>

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

} // namespace

Stream::Stream(Core& core, Fd fd, bool dialled)
    : core_(core), opened_(core.now), fd_(std::move(fd)), decoder_([&core] { return core.buffers.take(); }),
      watching_output_(dialled), heard_(core.now), progress_(core.now), probed_(core.now) {}

void Stream::end(std::string reason) {
    if (ended_) return;
    ended_ = true;
    end_reason_ = std::move(reason);
}

void Stream::bad_frame(wire::FrameError error) {
    if (ended_) return;
    on_bad_frame(error);
    if (refusing_) return; // it is told why first
    // Anybody can send garbage to the port: only a known peer's is worth a warning, all of it is counted.
    log::write(established_ ? log::Level::warn : log::Level::debug, "data_bad_frame",
               {{"peer", flow()}, {"reason", wire::to_string(error)}});
    end("bad frame: " + std::string(wire::to_string(error)));
}

void Stream::set_established() {
    established_ = true;
    decoder_.set_authenticated();
}

void Stream::on_readable(std::size_t budget_bytes) {
    while (!ended_ && budget_bytes > 0) {
        const std::size_t received = receive(budget_bytes);
        if (received == 0) return;
        heard_ = progress_ = core_.now;
        budget_bytes -= received;
        handle_frames();
    }
}

std::size_t Stream::receive(std::size_t budget_bytes) {
    std::array<Byte, 256> ignored;
    std::array<iovec, 2> parts{};
    std::size_t wanted = 0;
    const auto buffers =
        refusing_ ? std::array{std::span<Byte>(ignored), std::span<Byte>()} : decoder_.buffers();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const std::size_t size = std::min(buffers[i].size(), budget_bytes - wanted);
        parts[i] = {buffers[i].data(), size};
        wanted += size;
    }
    const ssize_t received = ::readv(fd_.get(), parts.data(), static_cast<int>(parts.size()));
    if (received > 0) {
        if (!refusing_) decoder_.commit(static_cast<std::size_t>(received));
        return static_cast<std::size_t>(received);
    }
    if (received == 0) {
        end(refusing_ ? "refused" : "closed by the peer");
    } else if (errno != EAGAIN && errno != EINTR) {
        end(std::string("receiving failed: ") + std::strerror(errno));
    }
    return 0;
}

void Stream::handle_frames() {
    while (!ended_ && !refusing_) {
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
    if (flush_planned_) return;
    flush_planned_ = true;
    core_.to_flush.push_back(shared_from_this());
}

void Stream::on_writable(std::size_t budget_bytes) {
    flush_planned_ = false;
    while (!ended_ && unsent_bytes_ > 0 && budget_bytes > 0) {
        const std::size_t sent = transmit(budget_bytes);
        if (sent == 0) break;
        budget_bytes -= sent;
    }
    if (ended_) return;
    if (refusing_ && unsent_bytes_ == 0) ::shutdown(fd_.get(), SHUT_WR);
    watch(unsent_bytes_ > 0);
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
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR) end(std::string("sending failed: ") + std::strerror(errno));
        return 0;
    }
    drop_sent(static_cast<std::size_t>(sent));
    return static_cast<std::size_t>(sent);
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

void Stream::watch(bool output) {
    if (output == watching_output_) return;
    watching_output_ = output;
    core_.loop.change(fd_, interest(), this);
}

void Stream::refuse(const Error& why) {
    if (refusing_ || ended_) return;
    refusing_ = true;
    send(wire::FrameKind::refuse, 0, wire::encode_failure(why));
}

void Stream::sample() {
    const TcpSample now = sample_tcp(fd_);
    acked_ = now.bytes_acked - last_.bytes_acked;
    segments_ = now.segments_out - last_.segments_out;
    resent_ = now.retransmits - last_.retransmits;
    last_ = now;
    if (acked_ > kProgressBytes) progress_ = core_.now;
}

void Stream::on_tick() {
    if (refusing_) {
        if (core_.now - opened_ > milliseconds(core_.options.connect_timeout_ms) + kRefusalLinger)
            end("refused");
        return;
    }
    if (!established_) {
        if (core_.now - opened_ > milliseconds(core_.options.connect_timeout_ms))
            end("the handshake took too long");
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
