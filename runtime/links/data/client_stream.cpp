#include "runtime/links/data/client_stream.hpp"

#include "protocols/wire/crc32c.hpp"
#include "runtime/links/data/handshake.hpp"
#include "runtime/links/data/peer.hpp"

#include <cstring>

namespace dwcp::links {
namespace {

/// A stream takes a request while less than this is unsent in our own queue, so that the socket never runs
/// dry between two turns and yet a slow stream does not hoard work.
constexpr std::size_t kUnsentBytesToTake = 256U << 10;

wire::FrameKind answer_to(wire::FrameKind request) {
    switch (request) {
    case wire::FrameKind::block:
        return wire::FrameKind::block_ack;
    case wire::FrameKind::sync:
        return wire::FrameKind::sync_ack;
    default:
        return wire::FrameKind::fetch_block;
    }
}

SharedBytes flip_a_bit(const SharedBytes& payload) {
    Bytes damaged = *payload;
    damaged[damaged.size() / 2] ^= 1;
    return share(std::move(damaged));
}

} // namespace

ClientStream::ClientStream(Core& core, Peer& peer, Fd fd) : Stream(core, std::move(fd), true), peer_(peer) {}

const NodeName& ClientStream::flow() const { return peer_.name(); }

void ClientStream::on_writable(std::size_t budget_bytes) {
    if (stage_ == Stage::connecting) on_connected();
    Stream::on_writable(budget_bytes);
    if (can_take()) peer_.room_made();
}

void ClientStream::on_connected() {
    if (const int error = connect_error(fd()); error != 0) {
        return end(std::string("connecting failed: ") + std::strerror(error));
    }
    if (!core_.options.tls) return greet();
    stage_ = Stage::securing;
    secure_with(core_.options.tls->connect(fd().get(), peer_.name()));
}

void ClientStream::on_insecure(const std::string& end, const Error& why) { peer_.on_refusal(end, why); }

void ClientStream::greet() {
    stage_ = Stage::greeting;
    hello_ = make_hello(core_.self);
    send(wire::FrameKind::hello, 0, wire::encode_hello(hello_));
}

void ClientStream::on_bad_frame(wire::FrameError error) {
    if (error == wire::FrameError::bad_version && !up()) {
        peer_.on_refusal("here", version_refusal(core_.self.name, refused_version()));
        return;
    }
    core_.probe(peer_.name()).count_bad_frame(error);
    core_.status_changed = true;
}

void ClientStream::on_frame(wire::Frame& frame) {
    using wire::FrameKind;
    const FrameKind kind = frame.prefix.kind;
    if (kind == FrameKind::hello_ack && stage_ == Stage::greeting) return on_ack(frame);
    if (kind == FrameKind::refuse && stage_ != Stage::up) return on_refused(frame);
    if (kind == FrameKind::credit && stage_ >= Stage::waiting) return on_credit(frame);
    if (stage_ == Stage::up) return on_answer(frame);
    bad_frame(wire::FrameError::protocol);
}

void ClientStream::on_ack(const wire::Frame& frame) {
    const auto ack = wire::decode_hello_ack(frame.header);
    if (!ack) return bad_frame(wire::FrameError::bad_header);
    if (const auto ok = check_ack(core_.self, core_.trust, peer_.name(), hello_, *ack); !ok) {
        peer_.on_refusal("here", ok.error());
        return refuse(ok.error());
    }
    peer_echoes_ = (ack->hello.features & wire::kFeatureEcho) != 0;
    send(wire::FrameKind::proof, 0, wire::encode_proof(make_proof(core_.self, hello_, ack->hello)));
    stage_ = Stage::waiting;
    allow_all_kinds();
}

void ClientStream::on_refused(const wire::Frame& frame) {
    const auto why = wire::decode_failure(frame.header);
    if (!why) return bad_frame(wire::FrameError::bad_header);
    peer_.on_refusal("peer", *why);
    end("refused: " + why->message);
}

void ClientStream::on_credit(const wire::Frame& frame) {
    const auto granted = wire::decode_credit(frame.header);
    if (!granted || *granted > wire::kCreditGrantMax - credit_)
        return bad_frame(wire::FrameError::bad_header);
    credit_ += *granted;
    if (stage_ == Stage::waiting) {
        stage_ = Stage::up;
        set_established();
        peer_.on_stream_up(*this);
    }
    peer_.work_wanted();
}

bool ClientStream::can_take() const {
    return up() && !ended() && !retiring_ && credit_ > 0 && unsent_bytes() < kUnsentBytesToTake;
}

void ClientStream::take(RequestPtr request) {
    if (request->kind == wire::FrameKind::echo && !peer_echoes_) {
        return peer_.fail_request(std::move(request),
                                  {Errc::unimplemented,
                                   "node '" + peer_.name() + "' is of a version that echoes no blocks",
                                   "upgrade it"});
    }
    --credit_;
    PeerProbe& probe = core_.probe(peer_.name());
    // Not before it is sent: then the checksum brings the block into the cache from where the kernel copies
    // it.
    if (!request->sent && request->payload) request->payload_checksum = wire::crc32c(*request->payload);
    if (request->sent) probe.count_retransfer();
    request->sent = true;
    if (request->kind == wire::FrameKind::block) probe.count_sent(request->payload->size());
    if (request->kind == wire::FrameKind::block && damaged_by_canary()) [[unlikely]] {
        // Before the checksum, as by a bug of the release: only the block's hash can tell.
        const auto damaged = flip_a_bit(request->payload);
        send(request->kind, request->id, request->header, damaged, wire::crc32c(*damaged));
    } else if (core_.options.faults != nullptr && core_.options.faults->any()) [[unlikely]]
        send_disturbed(*request);
    else
        send(request->kind, request->id, request->header, request->payload, request->payload_checksum);
    in_flight_.emplace(request->id, std::move(request));
}

bool ClientStream::damaged_by_canary() const {
    return peer_.pool() == Pool::multi_stream && core_.options.canary_faults != nullptr &&
           core_.options.canary_faults->corrupts("manager");
}

/// An injected fault: the frame is lost, or a bit of its block flips after the checksum was made.
void ClientStream::send_disturbed(const Request& request) {
    const auto verdict = core_.options.faults->judge(chaos::Link::data, peer_.name());
    if (verdict.drop) return;
    auto payload = request.payload;
    if (verdict.corrupt && payload && !payload->empty()) payload = flip_a_bit(payload);
    send(request.kind, request.id, request.header, payload, request.payload_checksum);
}

void ClientStream::on_answer(wire::Frame& frame) {
    const auto found = in_flight_.find(frame.prefix.id);
    if (found == in_flight_.end()) {
        // Late: its request ran out of time. An id that was never given out is another matter.
        if (frame.prefix.id == 0 || frame.prefix.id > peer_.last_id()) bad_frame(wire::FrameError::protocol);
        return;
    }
    const bool fits =
        frame.prefix.kind == answer_to(found->second->kind) || frame.prefix.kind == wire::FrameKind::error;
    if (!fits) return bad_frame(wire::FrameError::protocol);
    RequestPtr request = std::move(found->second);
    in_flight_.erase(found);
    finish(std::move(request), frame);
    if (retiring_ && in_flight_.empty()) end("retired");
}

void ClientStream::finish(RequestPtr request, wire::Frame& frame) {
    switch (frame.prefix.kind) {
    case wire::FrameKind::block_ack:
        return peer_.succeed(std::move(request), std::monostate());
    case wire::FrameKind::fetch_block:
        return finish_fetch(std::move(request), frame);
    case wire::FrameKind::sync_ack: {
        auto missing = wire::decode_hashes(frame.payload ? ByteView(*frame.payload) : ByteView());
        if (missing) return peer_.succeed(std::move(request), std::move(*missing));
        break;
    }
    default: {
        auto error = wire::decode_failure(frame.header);
        if (error) return peer_.fail_request(std::move(request), std::move(*error));
        break;
    }
    }
    peer_.give_back(std::move(request));
    bad_frame(wire::FrameError::bad_header);
}

void ClientStream::finish_fetch(RequestPtr request, wire::Frame& frame) {
    auto header = wire::decode_block(frame.header, frame.prefix.payload_bytes);
    if (!header) {
        peer_.give_back(std::move(request));
        return bad_frame(wire::FrameError::bad_header);
    }
    core_.probe(peer_.name()).count_received(frame.payload->size());
    peer_.succeed(std::move(request),
                  EncodedBlock{header->hash, header->codec, header->raw_bytes, std::move(frame.payload)});
}

void ClientStream::retire() {
    retiring_ = true;
    if (in_flight_.empty()) end("retired");
}

std::vector<RequestPtr> ClientStream::take_expired(TimePoint now) {
    std::vector<RequestPtr> expired;
    for (auto at = in_flight_.begin(); at != in_flight_.end();) {
        if (at->second->deadline > now) {
            ++at;
            continue;
        }
        expired.push_back(std::move(at->second));
        at = in_flight_.erase(at);
    }
    return expired;
}

std::vector<RequestPtr> ClientStream::take_all() {
    std::vector<RequestPtr> all;
    for (auto& [id, request] : in_flight_)
        all.push_back(std::move(request));
    in_flight_.clear();
    return all;
}

void ClientStream::on_removed() { peer_.on_stream_down(*this); }

} // namespace dwcp::links
