#include "protocols/wire/data_messages.hpp"

#include "protocols/wire/schema/data.capnp.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>

namespace dwcp::wire {
namespace {

std::unexpected<Error> bad(std::string message) {
    return fail(Errc::invalid_argument, std::move(message),
                "the peer sends a malformed header: check its version");
}

Words to_words(capnp::MessageBuilder& message) {
    const kj::Array<capnp::word> flat = capnp::messageToFlatArray(message);
    Words words(flat.size());
    std::memcpy(words.data(), flat.begin(), flat.asBytes().size());
    return words;
}

/// Reads a header of type Root with `read(reader) -> Result<T>`. Cap'n Proto reports malformed input by
/// throwing; this is the edge where that ends.
template<class Root, class Read>
auto read_header(Header header, Read read) -> decltype(read(std::declval<typename Root::Reader>())) {
    capnp::ReaderOptions options;
    // Each field is read once or twice; a message that makes us walk further than that refers to itself.
    options.traversalLimitInWords = 4 * header.size() + 16;
    options.nestingLimit = 4;
    try {
        capnp::FlatArrayMessageReader reader(
            kj::arrayPtr(reinterpret_cast<const capnp::word*>(header.data()), header.size()), options);
        return read(reader.getRoot<Root>());
    } catch (const kj::Exception& exception) {
        return bad("header does not decode: " + std::string(exception.getDescription().cStr()));
    }
}

kj::ArrayPtr<const kj::byte> blob(ByteView bytes) { return kj::arrayPtr(bytes.data(), bytes.size()); }

template<class Array>
bool read_exact(capnp::Data::Reader from, Array& out) {
    if (from.size() != out.size()) return false;
    std::copy(from.begin(), from.end(), out.begin());
    return true;
}

/// Too long, or with a zero byte inside, which would be cut there by whoever treats it as a C string.
bool read_text(capnp::Text::Reader from, std::size_t bytes_max, std::string& out) {
    if (from.size() > bytes_max || std::find(from.begin(), from.end(), '\0') != from.end()) return false;
    out.assign(from.begin(), from.end());
    return true;
}

Words hello_words(const Hello& hello, ByteView signature) {
    capnp::MallocMessageBuilder message;
    auto root = message.initRoot<schema::Hello>();
    root.setClusterId(hello.cluster_id);
    root.setName(hello.name);
    root.setPublicKey(blob(hello.public_key.view()));
    root.setIncarnation(hello.incarnation);
    root.setNonce(blob(hello.nonce));
    root.setSignature(blob(signature));
    root.setFeatures(hello.features);
    return to_words(message);
}

Result<Hello> read_hello(schema::Hello::Reader root) {
    Hello hello;
    if (!read_text(root.getClusterId(), kClusterIdBytesMax, hello.cluster_id))
        return bad("cluster id is not acceptable text");
    if (!read_text(root.getName(), kNodeNameBytesMax, hello.name))
        return bad("node name is not acceptable text");
    if (!read_exact(root.getPublicKey(), hello.public_key.bytes)) return bad("public key is not 32 bytes");
    if (!read_exact(root.getNonce(), hello.nonce)) return bad("nonce is not 32 bytes");
    hello.incarnation = root.getIncarnation();
    hello.features = root.getFeatures();
    return hello;
}

void append(Bytes& out, ByteView part) {
    const auto size = static_cast<std::uint32_t>(part.size());
    for (int shift = 0; shift < 32; shift += 8)
        out.push_back(static_cast<Byte>(size >> shift));
    out.insert(out.end(), part.begin(), part.end());
}

void append(Bytes& out, const Hello& hello) {
    Bytes incarnation;
    for (int shift = 0; shift < 64; shift += 8)
        incarnation.push_back(static_cast<Byte>(hello.incarnation >> shift));
    append(out, as_bytes(hello.cluster_id));
    append(out, as_bytes(hello.name));
    append(out, hello.public_key.view());
    append(out, incarnation);
    append(out, hello.nonce);
}

} // namespace

Words encode_hello(const Hello& hello) { return hello_words(hello, {}); }
Words encode_hello_ack(const HelloAck& ack) { return hello_words(ack.hello, ack.signature); }

Words encode_proof(const crypto::Signature& signature) {
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::Proof>().setSignature(blob(signature));
    return to_words(message);
}

Words encode_failure(const Error& error) {
    capnp::MallocMessageBuilder message;
    auto root = message.initRoot<schema::Failure>();
    root.setCode(static_cast<std::uint8_t>(error.code));
    root.setMessage(error.message.substr(0, kErrorTextBytesMax));
    root.setRemedy(error.remedy.substr(0, kErrorTextBytesMax));
    return to_words(message);
}

Words encode_credit(std::uint32_t requests) {
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::Credit>().setRequests(requests);
    return to_words(message);
}

Words encode_block(const BlockHeader& header) {
    capnp::MallocMessageBuilder message;
    auto root = message.initRoot<schema::Block>();
    root.setHash(blob(header.hash.view()));
    root.setCodec(static_cast<std::uint8_t>(header.codec.codec));
    root.setLevel(header.codec.level);
    root.setRawBytes(header.raw_bytes);
    root.setWorkload(header.workload);
    return to_words(message);
}

Words encode_sync(const WorkloadId& workload) {
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::Sync>().setWorkload(workload);
    return to_words(message);
}

Words encode_fetch(const Hash256& hash) {
    capnp::MallocMessageBuilder message;
    message.initRoot<schema::Fetch>().setHash(blob(hash.view()));
    return to_words(message);
}

Result<Hello> decode_hello(Header header) { return read_header<schema::Hello>(header, read_hello); }

Result<HelloAck> decode_hello_ack(Header header) {
    return read_header<schema::Hello>(header, [](schema::Hello::Reader root) -> Result<HelloAck> {
        HelloAck ack;
        auto hello = read_hello(root);
        if (!hello) return std::unexpected(hello.error());
        if (!read_exact(root.getSignature(), ack.signature)) return bad("signature is not 64 bytes");
        ack.hello = std::move(*hello);
        return ack;
    });
}

Result<crypto::Signature> decode_proof(Header header) {
    return read_header<schema::Proof>(header, [](schema::Proof::Reader root) -> Result<crypto::Signature> {
        crypto::Signature signature;
        if (!read_exact(root.getSignature(), signature)) return bad("signature is not 64 bytes");
        return signature;
    });
}

Result<Error> decode_failure(Header header) {
    return read_header<schema::Failure>(header, [](schema::Failure::Reader root) -> Result<Error> {
        Error error;
        // A newer peer may know more codes than we do.
        const bool known = root.getCode() <= static_cast<std::uint8_t>(kErrcLast);
        error.code = known ? static_cast<Errc>(root.getCode()) : Errc::internal;
        if (!read_text(root.getMessage(), kErrorTextBytesMax, error.message))
            return bad("message is not acceptable text");
        if (!read_text(root.getRemedy(), kErrorTextBytesMax, error.remedy))
            return bad("remedy is not acceptable text");
        return error;
    });
}

Result<std::uint32_t> decode_credit(Header header) {
    return read_header<schema::Credit>(header, [](schema::Credit::Reader root) -> Result<std::uint32_t> {
        const std::uint32_t requests = root.getRequests();
        if (requests == 0 || requests > kCreditGrantMax) return bad("credit is out of range");
        return requests;
    });
}

Result<BlockHeader> decode_block(Header header, std::size_t payload_bytes) {
    return read_header<schema::Block>(header, [&](schema::Block::Reader root) -> Result<BlockHeader> {
        BlockHeader block;
        if (!read_exact(root.getHash(), block.hash.bytes)) return bad("block hash is not 32 bytes");
        if (root.getCodec() > static_cast<std::uint8_t>(Codec::brotli)) return bad("codec is unknown");
        block.codec = {static_cast<Codec>(root.getCodec()), root.getLevel()};
        block.raw_bytes = root.getRawBytes();
        if (block.raw_bytes == 0 || block.raw_bytes > kBlockBytes) return bad("block length is out of range");
        if (block.codec.codec == Codec::none && block.raw_bytes != payload_bytes) {
            return bad("block length does not match its payload");
        }
        if (!read_text(root.getWorkload(), kWorkloadIdBytesMax, block.workload))
            return bad("workload id is not acceptable text");
        return block;
    });
}

Result<WorkloadId> decode_sync(Header header) {
    return read_header<schema::Sync>(header, [](schema::Sync::Reader root) -> Result<WorkloadId> {
        WorkloadId workload;
        if (!read_text(root.getWorkload(), kWorkloadIdBytesMax, workload))
            return bad("workload id is not acceptable text");
        return workload;
    });
}

Result<Hash256> decode_fetch(Header header) {
    return read_header<schema::Fetch>(header, [](schema::Fetch::Reader root) -> Result<Hash256> {
        Hash256 hash;
        if (!read_exact(root.getHash(), hash.bytes)) return bad("block hash is not 32 bytes");
        return hash;
    });
}

Bytes encode_hashes(std::span<const Hash256> hashes) {
    Bytes out;
    out.reserve(hashes.size() * sizeof(Hash256));
    for (const Hash256& hash : hashes)
        out.insert(out.end(), hash.bytes.begin(), hash.bytes.end());
    return out;
}

Result<std::vector<Hash256>> decode_hashes(ByteView payload) {
    if (payload.size() % sizeof(Hash256) != 0) return bad("list of hashes is not a multiple of 32 bytes");
    std::vector<Hash256> hashes(payload.size() / sizeof(Hash256));
    if (!payload.empty()) std::memcpy(hashes.data(), payload.data(), payload.size());
    return hashes;
}

Bytes handshake_transcript(Role signer, const Hello& dialler, const Hello& acceptor) {
    Bytes out = to_bytes("dwcp data link handshake 1");
    out.push_back(kWireVersion);
    out.push_back(static_cast<Byte>(signer));
    append(out, dialler);
    append(out, acceptor);
    return out;
}

} // namespace dwcp::wire
