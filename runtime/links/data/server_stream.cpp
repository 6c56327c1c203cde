#include "runtime/links/data/server_stream.hpp"

#include "protocols/crypto/hash.hpp"
#include "protocols/wire/crc32c.hpp"
#include "runtime/links/data/handshake.hpp"

#include <sys/socket.h>

namespace dwcp::links {
namespace {

/// What a sync or fetch weighs against blocks in the fairness between peers: a disk operation, not nothing.
constexpr std::uint64_t kQuestionCostBytes = 64U << 10;

/// With which every TLS connection begins: the content type of a handshake record (RFC 8446, 5.1). A frame
/// begins with a letter.
constexpr Byte kTlsHandshake = 0x16;

Error plain_at_tls(const NodeName& self) {
    return {Errc::invalid_argument, "the data port of node '" + self + "' was called in plain text",
            "it takes only TLS: give the node that called a [tls] of the same cluster"};
}

Error tls_at_plain(const NodeName& self) {
    return {Errc::invalid_argument, "the data port of node '" + self + "' was called with TLS",
            "give it a [tls] too, or take [tls] from the node that called"};
}

} // namespace

ServerStream::ServerStream(Core& core, Fd fd, std::string source)
    : Stream(core, std::move(fd), false), source_(std::move(source)), flow_(kUnauthenticated) {
    if (core_.options.tls) secure_with(core_.options.tls->accept(this->fd().get(), tls::Clients::nodes));
}

void ServerStream::on_readable(std::size_t budget_bytes) {
    if (stage_ == Stage::opening) look_at_first_byte();
    Stream::on_readable(budget_bytes);
}

// Told apart before either is spoken, so that each side reads why in words that it understands: a plain
// dialler in a frame, one with TLS from its own library, which finds no TLS in the frame.
void ServerStream::look_at_first_byte() {
    Byte first = 0;
    if (::recv(fd().get(), &first, 1, MSG_PEEK) != 1) return; // nothing yet, or an end that is seen later
    stage_ = Stage::hello;
    const bool speaks_tls = first == kTlsHandshake;
    const bool wants_tls = core_.options.tls != nullptr;
    if (speaks_tls == wants_tls) return;
    channel().drop_session();
    turn_away(wants_tls ? plain_at_tls(core_.self.name) : tls_at_plain(core_.self.name));
}

void ServerStream::on_secured() { certified_ = channel().session()->peer()->subject.name; }

void ServerStream::on_insecure(const std::string& end, const Error& why) {
    core_.record_refusal(source_, end, why);
}

void ServerStream::on_handshake_late() {
    core_.record_refusal(
        certified_.empty() ? source_ : certified_, "here",
        {Errc::deadline_exceeded,
         "it did not say who it is within " + std::to_string(core_.options.connect_timeout_ms) + " ms",
         "if it is a node of this cluster, look at the load and the link between"});
}

void ServerStream::on_bad_frame(wire::FrameError error) {
    if (authenticated()) {
        core_.probe(flow_).count_bad_frame(error);
        core_.status_changed = true;
        return;
    }
    if (error == wire::FrameError::bad_version) {
        turn_away(version_refusal(core_.self.name, refused_version()));
    } else {
        count_bad_frame(flow_, error);
    }
}

void ServerStream::on_frame(wire::Frame& frame) {
    switch (stage_) {
    case Stage::opening:
        break;
    case Stage::hello:
        if (frame.prefix.kind == wire::FrameKind::hello) return on_hello(frame);
        break;
    case Stage::proof:
        if (frame.prefix.kind == wire::FrameKind::proof) return on_proof(frame);
        if (frame.prefix.kind == wire::FrameKind::refuse) return on_refused(frame);
        break;
    case Stage::serving:
        return on_request(frame);
    }
    bad_frame(wire::FrameError::protocol);
}

void ServerStream::on_hello(const wire::Frame& frame) {
    auto hello = wire::decode_hello(frame.header);
    if (!hello) return bad_frame(wire::FrameError::bad_header);
    dialler_ = std::move(*hello);
    if (const auto ok = accepts(core_.self, dialler_); !ok) return turn_away(ok.error());
    if (channel().session()) {
        if (const auto ok = certified(dialler_, certified_); !ok) return turn_away(ok.error());
    }
    acceptor_ = make_hello(core_.self);
    send(wire::FrameKind::hello_ack, 0, wire::encode_hello_ack(make_ack(core_.self, dialler_, acceptor_)));
    stage_ = Stage::proof;
}

void ServerStream::on_proof(const wire::Frame& frame) {
    const auto signature = wire::decode_proof(frame.header);
    if (!signature) return bad_frame(wire::FrameError::bad_header);
    if (const auto ok = check_proof(core_.trust, dialler_, acceptor_, *signature); !ok)
        return turn_away(ok.error());
    std::uint32_t& streams = core_.server_streams[dialler_.name];
    if (streams >= kServerStreamsPerPeerMax) {
        return turn_away({Errc::resource_exhausted,
                          "node '" + dialler_.name + "' already has " + std::to_string(streams) +
                              " streams to node '" + core_.self.name + "'",
                          "lower streams_max in its [data]"});
    }
    ++streams;
    stage_ = Stage::serving;
    flow_ = dialler_.name;
    // Fetched blocks flow from here, so this direction follows the link's setting too. The dialler warns
    // about a refusal.
    if (const auto wish = core_.congestion.find(flow_); wish != core_.congestion.end()) {
        (void)set_congestion(fd(), wish->second);
    }
    set_established();
    grant(core_.options.stream_credit_blocks);
}

void ServerStream::on_removed() {
    if (authenticated()) --core_.server_streams[flow_];
}

void ServerStream::on_refused(const wire::Frame& frame) {
    const auto why = wire::decode_failure(frame.header);
    if (!why) return bad_frame(wire::FrameError::bad_header);
    core_.record_refusal(dialler_.name, "peer", *why);
    end("refused by the peer: " + why->message);
}

void ServerStream::turn_away(const Error& why) {
    core_.record_refusal(dialler_.name.empty() ? source_ : dialler_.name, "here", why);
    refuse(why);
}

void ServerStream::on_request(wire::Frame& frame) {
    if (credit_ == 0) return bad_frame(wire::FrameError::protocol);
    --credit_;
    switch (frame.prefix.kind) {
    case wire::FrameKind::block:
        return on_block(frame);
    case wire::FrameKind::sync:
        return on_sync(frame);
    case wire::FrameKind::fetch:
        return on_fetch(frame);
    case wire::FrameKind::echo:
        return on_echo(frame);
    default:
        return bad_frame(wire::FrameError::protocol);
    }
}

void ServerStream::on_block(wire::Frame& frame) {
    auto header = wire::decode_block(frame.header, frame.prefix.payload_bytes);
    if (!header) return bad_frame(wire::FrameError::bad_header);
    core_.probe(flow_).count_received(frame.payload->size());
    core_.status_changed = true;
    EncodedBlock block{header->hash, header->codec, header->raw_bytes, std::move(frame.payload)};
    const std::uint64_t bytes = block.bytes->size();
    serve(bytes,
          [&core = core_, block = std::move(block), workload = std::move(header->workload), from = flow_,
           id = frame.prefix.id]() -> Answer {
              const auto begin = trace::mark();
              auto accepted = core.service.accept(block, workload, from);
              core.steps.record({.workload = workload,
                                 .name = "store",
                                 .detail = from,
                                 .parent = trace::span_id(workload, "ship", from, core.self.name),
                                 .error = accepted ? std::string() : accepted.error().message,
                                 .numbers = {{"blocks", 1}, {"bytes", block.bytes->size()}}},
                                begin);
              return [id, accepted = std::move(accepted)](ServerStream& stream) {
                  if (!accepted) return stream.answer_error(id, accepted.error());
                  stream.answer(wire::FrameKind::block_ack, id);
              };
          });
}

void ServerStream::on_sync(wire::Frame& frame) {
    auto workload = wire::decode_sync(frame.header);
    auto hashes = wire::decode_hashes(frame.payload ? ByteView(*frame.payload) : ByteView());
    if (!workload || !hashes) return bad_frame(wire::FrameError::bad_header);
    serve(kQuestionCostBytes,
          [&core = core_, hashes = std::move(*hashes), workload = std::move(*workload), from = flow_,
           id = frame.prefix.id]() -> Answer {
              const auto begin = trace::mark();
              auto missing = core.service.make_durable(hashes, workload);
              core.steps.record({.workload = workload,
                                 .name = "durable",
                                 .detail = from,
                                 .parent = trace::span_id(workload, "confirm", from, core.self.name),
                                 .error = missing ? std::string() : missing.error().message,
                                 .numbers = {{"blocks", hashes.size()}}},
                                begin);
              return [id, missing = std::move(missing)](ServerStream& stream) {
                  if (!missing) return stream.answer_error(id, missing.error());
                  const SharedBytes list = missing->empty() ? nullptr : share(wire::encode_hashes(*missing));
                  stream.answer(wire::FrameKind::sync_ack, id, {}, list, list ? wire::crc32c(*list) : 0);
              };
          });
}

void ServerStream::on_fetch(wire::Frame& frame) {
    const auto hash = wire::decode_fetch(frame.header);
    if (!hash) return bad_frame(wire::FrameError::bad_header);
    serve(kQuestionCostBytes, [&service = core_.service, hash = *hash, id = frame.prefix.id]() -> Answer {
        auto block = service.load(hash);
        const std::uint32_t checksum = block ? wire::crc32c(*block->bytes) : 0;
        return [id, checksum, block = std::move(block)](ServerStream& stream) {
            if (!block) return stream.answer_error(id, block.error());
            stream.answer_block(id, *block, checksum);
        };
    });
}

/// Through the same queue and check as a block, but the store never hears of it.
void ServerStream::on_echo(wire::Frame& frame) {
    auto header = wire::decode_block(frame.header, frame.prefix.payload_bytes);
    if (!header || header->codec.codec != Codec::none) return bad_frame(wire::FrameError::bad_header);
    EncodedBlock block{header->hash, header->codec, header->raw_bytes, std::move(frame.payload)};
    const std::uint64_t bytes = block.bytes->size();
    serve(bytes, [block = std::move(block), id = frame.prefix.id]() -> Answer {
        const bool intact = crypto::sha256(*block.bytes) == block.hash;
        const std::uint32_t checksum = wire::crc32c(*block.bytes);
        return [id, intact, checksum, block](ServerStream& stream) {
            if (intact) return stream.answer_block(id, block, checksum);
            stream.answer_error(id, {Errc::corrupted, "the echoed block does not match its hash",
                                     "look at the link between the two nodes"});
        };
    });
}

void ServerStream::serve(std::uint64_t cost_bytes, std::function<Answer()> work) {
    const std::weak_ptr<Stream> weak = weak_from_this();
    core_.work.serve(flow_, cost_bytes, [&core = core_, weak, work = std::move(work)] {
        Answer answer = work();
        // Refused only when the data plane is stopping: then nobody is there to answer.
        (void)core.loop.post([weak, answer = std::move(answer)] {
            const auto stream = std::static_pointer_cast<ServerStream>(weak.lock());
            if (stream && !stream->ended()) answer(*stream);
        });
    });
}

void ServerStream::answer(wire::FrameKind kind, std::uint64_t id, std::span<const std::uint64_t> header,
                          SharedBytes payload, std::uint32_t payload_checksum) {
    send(kind, id, header, std::move(payload), payload_checksum);
    grant(1);
}

void ServerStream::answer_error(std::uint64_t id, const Error& error) {
    answer(wire::FrameKind::error, id, wire::encode_failure(error));
}

void ServerStream::answer_block(std::uint64_t id, const EncodedBlock& block, std::uint32_t payload_checksum) {
    core_.probe(flow_).count_sent(block.bytes->size());
    core_.status_changed = true;
    answer(wire::FrameKind::fetch_block, id,
           wire::encode_block({block.hash, block.codec, block.raw_bytes, {}}), block.bytes, payload_checksum);
}

void ServerStream::grant(std::uint32_t requests) {
    send(wire::FrameKind::credit, 0, wire::encode_credit(requests), nullptr, 0, requests);
}

} // namespace dwcp::links
