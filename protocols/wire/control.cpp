#include "protocols/wire/control.hpp"

#include "protocols/wire/limits.hpp"
#include "protocols/wire/schema/control.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>

namespace dwcp::wire::control {
namespace {

constexpr std::size_t kSiteBytesMax = 64;

std::unexpected<Error> bad(std::string message) {
    return fail(Errc::invalid_argument, std::move(message),
                "the peer sends malformed frames: check its version");
}

kj::ArrayPtr<const kj::byte> as_data(ByteView bytes) { return kj::arrayPtr(bytes.data(), bytes.size()); }

/// With its length: a conversion from std::string would end at the first zero byte.
capnp::Text::Reader text(const std::string& from) { return {from.data(), from.size()}; }

Bytes to_frame(capnp::MessageBuilder& message) {
    const auto flat = capnp::messageToFlatArray(message);
    const auto bytes = flat.asBytes();
    return {bytes.begin(), bytes.end()};
}

/// Reads a Root with `read(reader)`. Cap'n Proto reports malformed input by throwing; this is the edge where
/// that ends.
template<class Root, class Read>
auto read_root(ByteView frame, Read read) -> decltype(read(std::declval<typename Root::Reader>())) {
    if (frame.size() > kFrameBytesMax) return bad("frame is over the limit");
    if (frame.size() % sizeof(capnp::word) != 0) return bad("frame is not a whole number of words");
    // Copied because words must be aligned and the bytes come from anywhere.
    auto words = kj::heapArray<capnp::word>(frame.size() / sizeof(capnp::word));
    std::copy(frame.begin(), frame.end(), words.asBytes().begin());
    capnp::ReaderOptions options;
    // Each field is read once or twice; a message that makes us walk further than that refers to itself.
    options.traversalLimitInWords = 4 * words.size() + 16;
    options.nestingLimit = 5;
    try {
        capnp::FlatArrayMessageReader reader(words, options);
        return read(reader.getRoot<Root>());
    } catch (const kj::Exception& exception) {
        return bad("frame does not decode: " + std::string(exception.getDescription().cStr()));
    }
}

template<class Array>
bool read_exact(capnp::Data::Reader from, Array& out) {
    if (from.size() != out.size()) return false;
    std::copy(from.begin(), from.end(), out.begin());
    return true;
}

bool read_text(capnp::Text::Reader from, std::size_t bytes_max, std::string& out) {
    if (from.size() > bytes_max) return false;
    out.assign(from.begin(), from.end());
    return true;
}

/// Names come back in logs, labels and messages to people, so they have the form that a configuration may
/// give them.
bool read_name(capnp::Text::Reader from, NodeName& out) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return read_text(from, kNodeNameBytesMax, out) && !out.empty() &&
           std::all_of(out.begin(), out.end(), allowed);
}

void write_offer(schema::ControlOffer::Builder to, const Offer& offer) {
    to.setWireVersion(offer.wire_version);
    to.setClusterId(text(offer.cluster_id));
    to.setName(text(offer.name));
    to.setSite(text(offer.site));
    to.setPeer(text(offer.peer));
    to.setIncarnation(offer.incarnation);
    to.setHeartbeatIntervalMs(offer.heartbeat_interval_ms);
    to.setHeartbeatTimeoutMs(offer.heartbeat_timeout_ms);
    to.setPublicKey(as_data(offer.public_key.view()));
    to.setSessionKey(as_data(offer.session_key));
    to.setNonce(as_data(offer.nonce));
}

Result<Offer> read_offer(schema::ControlOffer::Reader from) {
    Offer offer;
    offer.wire_version = from.getWireVersion();
    offer.incarnation = from.getIncarnation();
    offer.heartbeat_interval_ms = from.getHeartbeatIntervalMs();
    offer.heartbeat_timeout_ms = from.getHeartbeatTimeoutMs();
    if (!read_text(from.getClusterId(), kClusterIdBytesMax, offer.cluster_id))
        return bad("cluster id is too long");
    if (!read_name(from.getName(), offer.name)) return bad("node name is not 1 to 63 of a-z, 0-9 and '-'");
    if (!read_name(from.getPeer(), offer.peer)) return bad("peer name is not 1 to 63 of a-z, 0-9 and '-'");
    if (!read_text(from.getSite(), kSiteBytesMax, offer.site)) return bad("site name is too long");
    if (!read_exact(from.getPublicKey(), offer.public_key.bytes)) return bad("public key is not 32 bytes");
    if (!read_exact(from.getSessionKey(), offer.session_key)) return bad("session key is not 32 bytes");
    if (!read_exact(from.getNonce(), offer.nonce)) return bad("nonce is not 32 bytes");
    return offer;
}

void write_failure(schema::ControlFailure::Builder to, const Error& error) {
    to.setCode(static_cast<std::uint8_t>(error.code));
    to.setMessage(text(error.message.substr(0, kErrorTextBytesMax)));
    to.setRemedy(text(error.remedy.substr(0, kErrorTextBytesMax)));
}

Result<Error> read_failure(schema::ControlFailure::Reader from) {
    Error error;
    // A newer peer may know more codes than we do.
    const bool known = from.getCode() <= static_cast<std::uint8_t>(kErrcLast);
    error.code = known ? static_cast<Errc>(from.getCode()) : Errc::internal;
    if (!read_text(from.getMessage(), kErrorTextBytesMax, error.message))
        return bad("error message is too long");
    if (!read_text(from.getRemedy(), kErrorTextBytesMax, error.remedy))
        return bad("error remedy is too long");
    // It will be shown on terminals: nothing in it may move a cursor.
    for (auto* text : {&error.message, &error.remedy}) {
        std::replace_if(
            text->begin(), text->end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    }
    return error;
}

Result<Hello> read_hello(schema::ControlOffer::Reader from) {
    auto offer = read_offer(from);
    if (!offer) return std::unexpected(offer.error());
    return Hello{std::move(*offer)};
}

Result<HelloAck> read_hello_ack(schema::ControlProof::Reader from) {
    HelloAck ack;
    auto offer = read_offer(from.getOffer());
    if (!offer) return std::unexpected(offer.error());
    if (!read_exact(from.getSignature(), ack.signature)) return bad("signature is not 64 bytes");
    ack.offer = std::move(*offer);
    return ack;
}

Result<Confirm> read_confirm(schema::ControlProof::Reader from) {
    Confirm confirm;
    if (!read_exact(from.getSession(), confirm.session)) return bad("session is not 32 bytes");
    if (!read_exact(from.getSignature(), confirm.signature)) return bad("signature is not 64 bytes");
    return confirm;
}

Result<Refusal> read_refusal(schema::ControlRefusal::Reader from) {
    Refusal refusal;
    if (!read_name(from.getFrom(), refusal.from)) return bad("node name is not 1 to 63 of a-z, 0-9 and '-'");
    auto error = read_failure(from.getFailure());
    if (!error) return std::unexpected(error.error());
    refusal.error = std::move(*error);
    return refusal;
}

Result<Sealed> read_sealed(schema::ControlSealed::Reader from) {
    Sealed sealed;
    if (!read_name(from.getFrom(), sealed.from)) return bad("node name is not 1 to 63 of a-z, 0-9 and '-'");
    if (!read_exact(from.getMac(), sealed.mac)) return bad("MAC is not 16 bytes");
    sealed.incarnation = from.getIncarnation();
    sealed.envelope.assign(from.getEnvelope().begin(), from.getEnvelope().end());
    return sealed;
}

void write(schema::ControlMessage::Builder to, const Hello& hello) {
    write_offer(to.initHello(), hello.offer);
}

void write(schema::ControlMessage::Builder to, const HelloAck& ack) {
    auto proof = to.initHelloAck();
    write_offer(proof.initOffer(), ack.offer);
    proof.setSignature(as_data(ack.signature));
}

void write(schema::ControlMessage::Builder to, const Confirm& confirm) {
    auto proof = to.initConfirm();
    proof.setSession(as_data(confirm.session));
    proof.setSignature(as_data(confirm.signature));
}

void write(schema::ControlMessage::Builder to, const Refusal& refusal) {
    auto builder = to.initRefusal();
    builder.setFrom(text(refusal.from));
    write_failure(builder.initFailure(), refusal.error);
}

void write(schema::ControlMessage::Builder to, const Sealed& sealed) {
    auto builder = to.initSealed();
    builder.setFrom(text(sealed.from));
    builder.setIncarnation(sealed.incarnation);
    builder.setMac(as_data(sealed.mac));
    builder.setEnvelope(as_data(sealed.envelope));
}

template<class T>
Result<Message> as_message(Result<T> part) {
    if (!part) return std::unexpected(part.error());
    return Message(std::move(*part));
}

Result<Message> read_message(schema::ControlMessage::Reader from) {
    switch (from.which()) {
    case schema::ControlMessage::HELLO:
        return as_message(read_hello(from.getHello()));
    case schema::ControlMessage::HELLO_ACK:
        return as_message(read_hello_ack(from.getHelloAck()));
    case schema::ControlMessage::CONFIRM:
        return as_message(read_confirm(from.getConfirm()));
    case schema::ControlMessage::REFUSAL:
        return as_message(read_refusal(from.getRefusal()));
    case schema::ControlMessage::SEALED:
        return as_message(read_sealed(from.getSealed()));
    }
    return bad("message is of an unknown kind");
}

Result<Envelope> read_envelope(schema::ControlEnvelope::Reader from) {
    Envelope envelope;
    envelope.sequence = from.getSequence();
    if (!read_text(from.getTrace(), kWorkloadIdBytesMax, envelope.trace)) return bad("trace id is too long");
    switch (from.which()) {
    case schema::ControlEnvelope::REQUEST: {
        Request request;
        const auto reader = from.getRequest();
        if (!read_text(reader.getService(), kServiceBytesMax, request.service))
            return bad("service is too long");
        request.deadline_ms = std::min(reader.getDeadlineMs(), kDeadlineMsMax);
        request.body.assign(reader.getBody().begin(), reader.getBody().end());
        envelope.content = std::move(request);
        return envelope;
    }
    case schema::ControlEnvelope::RESPONSE:
        envelope.content = Bytes(from.getResponse().begin(), from.getResponse().end());
        return envelope;
    case schema::ControlEnvelope::FAILURE: {
        auto error = read_failure(from.getFailure());
        if (!error) return std::unexpected(error.error());
        envelope.content = std::move(*error);
        return envelope;
    }
    }
    return bad("envelope is of an unknown kind");
}

void append(Bytes& out, std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8)
        out.push_back(static_cast<Byte>(value >> shift));
}

void append(Bytes& out, ByteView part) {
    append(out, part.size());
    out.insert(out.end(), part.begin(), part.end());
}

void append(Bytes& out, const Offer& offer) {
    append(out, offer.wire_version);
    append(out, as_bytes(offer.cluster_id));
    append(out, as_bytes(offer.name));
    append(out, as_bytes(offer.site));
    append(out, as_bytes(offer.peer));
    append(out, offer.incarnation);
    append(out, offer.heartbeat_interval_ms);
    append(out, offer.heartbeat_timeout_ms);
    append(out, offer.public_key.view());
    append(out, ByteView(offer.session_key));
    append(out, ByteView(offer.nonce));
}

} // namespace

Bytes encode(const Message& message) {
    capnp::MallocMessageBuilder builder;
    auto root = builder.initRoot<schema::ControlMessage>();
    std::visit([&](const auto& part) { write(root, part); }, message);
    return to_frame(builder);
}

Result<Message> decode(ByteView frame) { return read_root<schema::ControlMessage>(frame, read_message); }

Bytes encode_envelope(const Envelope& envelope) {
    capnp::MallocMessageBuilder builder;
    auto root = builder.initRoot<schema::ControlEnvelope>();
    root.setSequence(envelope.sequence);
    root.setTrace(text(envelope.trace));
    if (const auto* request = std::get_if<Request>(&envelope.content)) {
        auto to = root.initRequest();
        to.setService(text(request->service));
        to.setDeadlineMs(request->deadline_ms);
        to.setBody(as_data(request->body));
    } else if (const auto* response = std::get_if<Bytes>(&envelope.content)) {
        root.setResponse(as_data(*response));
    } else {
        write_failure(root.initFailure(), std::get<Error>(envelope.content));
    }
    return to_frame(builder);
}

Result<Envelope> decode_envelope(ByteView bytes) {
    return read_root<schema::ControlEnvelope>(bytes, read_envelope);
}

Bytes transcript(Role signer, const Offer& dialler, const Offer& acceptor) {
    Bytes out = to_bytes("dwcp control link greeting 1");
    out.push_back(static_cast<Byte>(signer));
    append(out, dialler);
    append(out, acceptor);
    return out;
}

} // namespace dwcp::wire::control
