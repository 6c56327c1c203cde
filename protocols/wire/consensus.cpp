#include "protocols/wire/consensus.hpp"

#include "protocols/wire/consensus_fields.hpp"
#include "protocols/wire/foreign_message.hpp"

#include <utility>

namespace dwcp::wire {
namespace {

namespace schema = consensus_schema;

/// Structs and lists in each other, at most: a vote in a certificate in a view change in a new view in a
/// signed message, with room for what later versions put around it.
constexpr int kNestingMax = 16;

std::unexpected<Error> bad(Errc code, std::string message) {
    return fail(code, "consensus: " + std::move(message),
                code == Errc::corrupted ? "the lane's store is damaged: restore this node from another member"
                                        : "the peer sends a malformed consensus message: check its version");
}

template<class Root, class T>
Bytes encode_as(const T& value) {
    capnp::MallocMessageBuilder builder;
    consensus_fields::write(builder.initRoot<Root>(), value);
    const kj::Array<capnp::word> flat = capnp::messageToFlatArray(builder);
    const auto bytes = flat.asBytes();
    return {bytes.begin(), bytes.end()};
}

template<class Root, class T>
Result<T> decode_as(ByteView bytes, Errc code) {
    if (bytes.size() > kConsensusMessageBytes) {
        return bad(code == Errc::corrupted ? code : Errc::too_large,
                   std::to_string(bytes.size()) + " bytes are more than the limit of " +
                       std::to_string(kConsensusMessageBytes));
    }
    const auto read = [code](typename Root::Reader root) -> Result<T> {
        T value;
        if (const char* problem = consensus_fields::read(root, value)) return bad(code, problem);
        return value;
    };
    const auto malformed = [code](const std::string& why) { return bad(code, "does not decode: " + why); };
    return read_foreign<Root>(bytes, read, malformed, kNestingMax);
}

} // namespace

Bytes encode(const consensus::Message& message) { return encode_as<schema::Message>(message); }
Bytes encode(const consensus::Block& block) { return encode_as<schema::Block>(block); }
Bytes encode(const consensus::DecidedBlock& decided) { return encode_as<schema::DecidedBlock>(decided); }
Bytes encode(const consensus::Certificate& certificate) {
    return encode_as<schema::Certificate>(certificate);
}
Bytes encode(const consensus::Committee& committee) { return encode_as<schema::Committee>(committee); }
Bytes encode(const consensus::Evidence& evidence) { return encode_as<schema::Evidence>(evidence); }
Bytes encode(const consensus::Reconfigure& change) { return encode_as<schema::Reconfigure>(change); }
Bytes encode(const consensus::ViewChange& change) { return encode_as<schema::ViewChange>(change); }
Bytes encode(const consensus::NewView& new_view) { return encode_as<schema::NewView>(new_view); }

Result<consensus::Message> decode_consensus_message(ByteView bytes) {
    return decode_as<schema::Message, consensus::Message>(bytes, Errc::invalid_argument);
}
Result<consensus::Block> decode_block(ByteView bytes) {
    return decode_as<schema::Block, consensus::Block>(bytes, Errc::corrupted);
}
Result<consensus::DecidedBlock> decode_decided_block(ByteView bytes) {
    return decode_as<schema::DecidedBlock, consensus::DecidedBlock>(bytes, Errc::corrupted);
}
Result<consensus::Certificate> decode_certificate(ByteView bytes) {
    return decode_as<schema::Certificate, consensus::Certificate>(bytes, Errc::corrupted);
}
Result<consensus::Committee> decode_committee(ByteView bytes) {
    return decode_as<schema::Committee, consensus::Committee>(bytes, Errc::corrupted);
}
Result<consensus::Evidence> decode_evidence(ByteView bytes) {
    return decode_as<schema::Evidence, consensus::Evidence>(bytes, Errc::corrupted);
}
Result<consensus::Reconfigure> decode_reconfigure(ByteView bytes) {
    return decode_as<schema::Reconfigure, consensus::Reconfigure>(bytes, Errc::invalid_argument);
}
Result<consensus::ViewChange> decode_view_change(ByteView bytes) {
    return decode_as<schema::ViewChange, consensus::ViewChange>(bytes, Errc::corrupted);
}
Result<consensus::NewView> decode_new_view(ByteView bytes) {
    return decode_as<schema::NewView, consensus::NewView>(bytes, Errc::corrupted);
}

} // namespace dwcp::wire
