// A peer made of a plain socket, which can follow the protocol or break it.
#pragma once

#include "protocols/wire/crc32c.hpp"
#include "protocols/wire/data_messages.hpp"
#include "runtime/links/data/handshake.hpp"
#include "runtime/links/data/socket.hpp"
#include "tests/unit/data_links/fixture.hpp"

#include <poll.h>
#include <sys/socket.h>

namespace dwcp::test {

/// A frame as it was received, owning its bytes.
struct RawFrame {
    wire::FrameKind kind;
    std::uint64_t id;
    wire::Words header;
    Bytes payload;
};

class RawPeer {
  public:
    RawPeer(identity::Identity self, std::uint16_t port) : self_(std::move(self)) {
        std::string warning;
        fd_ = std::move(*links::dial(*links::resolve("127.0.0.1", port), {}, warning));
        wait(POLLOUT);
        decoder_.set_authenticated();
    }

    void send_bytes(ByteView bytes) {
        while (!bytes.empty() && wait(POLLOUT)) {
            const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent < 0) return;
            bytes = bytes.subspan(static_cast<std::size_t>(sent));
        }
    }

    void send(wire::FrameKind kind, std::uint64_t id = 0, const wire::Words& header = {},
              const Bytes& payload = {}) {
        send_bytes(wire::encode_frame(kind, id, header, payload.size(), wire::crc32c(payload)));
        send_bytes(payload);
    }

    void send_block(std::uint64_t id, const EncodedBlock& block) {
        send(wire::FrameKind::block, id, wire::encode_block({block.hash, block.codec, block.raw_bytes, "w"}),
             *block.bytes);
    }

    /// The next frame; nullopt once the other side has closed, or after kPatience.
    std::optional<RawFrame> receive() {
        for (;;) {
            const auto frame = decoder_.next();
            if (!frame) return std::nullopt;
            if (*frame) {
                const wire::Frame& got = **frame;
                return RawFrame{got.prefix.kind,
                                got.prefix.id,
                                {got.header.begin(), got.header.end()},
                                got.payload ? *got.payload : Bytes()};
            }
            if (!wait(POLLIN)) return std::nullopt;
            const auto into = decoder_.buffers()[0];
            const ssize_t count = ::recv(fd_.get(), into.data(), into.size(), 0);
            if (count <= 0) return std::nullopt;
            decoder_.commit(static_cast<std::size_t>(count));
        }
    }

    /// True once the other side has closed, whatever it says before.
    bool closed() {
        while (auto frame = receive()) {
            if (frame->kind == wire::FrameKind::ping) continue;
        }
        return wait(POLLIN); // end of stream is readable; silence is not
    }

    /// Does the whole handshake. The credit granted, or 0 if it was refused (then failure() says why).
    std::uint32_t join() {
        const wire::Hello hello = links::make_hello(self_);
        send(wire::FrameKind::hello, 0, wire::encode_hello(hello));
        auto frame = receive();
        if (!frame || frame->kind != wire::FrameKind::hello_ack) return note_failure(frame);
        const auto ack = wire::decode_hello_ack(frame->header);
        send(wire::FrameKind::proof, 0, wire::encode_proof(links::make_proof(self_, hello, ack->hello)));
        frame = receive();
        if (!frame || frame->kind != wire::FrameKind::credit) return note_failure(frame);
        return *wire::decode_credit(frame->header);
    }

    const Error& failure() const { return failure_; }
    const identity::Identity& self() const { return self_; }

    std::uint32_t note_failure(const std::optional<RawFrame>& frame) {
        if (!frame) {
            failure_ = {Errc::internal, "closed without a word", ""};
        } else if (frame->kind == wire::FrameKind::refuse) {
            failure_ = *wire::decode_failure(frame->header);
        }
        return 0;
    }

  private:
    bool wait(short events) {
        pollfd poll{fd_.get(), events, 0};
        return ::poll(&poll, 1, std::chrono::milliseconds(kPatience).count()) > 0;
    }

    identity::Identity self_;
    links::Fd fd_;
    wire::FrameDecoder decoder_;
    Error failure_;
};

} // namespace dwcp::test
